package io.troupe.scheduler.jobs;

/** Takes note of how long the jobs of a pool took; called on the queue's thread. */
public interface JobTimes {
  /** Takes note of nothing. */
  JobTimes NONE = (state, millis) -> {};

  /**
   * A job has ended.
   *
   * @param millis from its submission
   */
  void ended(JobState state, long millis);
}
