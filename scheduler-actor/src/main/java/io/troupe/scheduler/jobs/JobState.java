package io.troupe.scheduler.jobs;

/** What has become of a job. */
public enum JobState {
  /** It waits for a worker. */
  QUEUED,
  /** A supervisor holds the lease of an attempt. */
  RUNNING,
  /** Its function returned. */
  SUCCEEDED,
  /** Its function raised; another try would do the same. */
  FAILED,
  /** Somebody cancelled it, or its pool was deleted. */
  CANCELLED,
  /** Its attempts are used up; it is kept and can be retried. */
  DEAD;

  /** Whether nothing more happens to it unless somebody retries it. */
  public boolean ended() {
    return switch (this) {
      case QUEUED, RUNNING -> false;
      case SUCCEEDED, FAILED, CANCELLED, DEAD -> true;
    };
  }
}
