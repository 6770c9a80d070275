package io.troupe.scheduler.jobs;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is to be written to the store, gathered until it is sent: of each job once, as it is then.
 * So a job that is submitted and done while one write is under way costs one row and no more. Not
 * thread-safe.
 */
final class Journal {
  private final long keepMillis;
  private List<Job> waiting = new ArrayList<>();

  /**
   * A journal with nothing in it.
   *
   * @param keepMillis how long a job is remembered after its end, unless its terms say otherwise
   */
  Journal(long keepMillis) {
    this.keepMillis = keepMillis;
  }

  /** The job has changed. */
  void add(Job job) {
    if (!job.unwritten) {
      job.unwritten = true;
      waiting.add(job);
    }
  }

  /** Whether nothing is to be written. */
  boolean isEmpty() {
    return waiting.isEmpty();
  }

  /** One write to the store: what of which jobs. */
  record Entry(List<Job> jobs, List<JobStore.Change> changes) {}

  /** Takes everything, for one write. */
  Entry take() {
    List<Job> jobs = waiting;
    waiting = new ArrayList<>();
    List<JobStore.Change> changes = new ArrayList<>(jobs.size());
    for (Job job : jobs) {
      job.unwritten = false;
      job.writing++;
      JobStore.Change change = change(job);
      if (change != null) {
        changes.add(change);
      }
    }
    return new Entry(jobs, changes);
  }

  private JobStore.@Nullable Change change(Job job) {
    JobStore.Place from = job.place;
    if (job.forgotten) {
      job.place = JobStore.Place.NONE;
      return new JobStore.Change(job.number, from, null, job.key);
    }
    job.place = job.state.ended() ? JobStore.Place.ENDED : JobStore.Place.LIVE;
    return new JobStore.Change(job.number, from, job.row(keepMillis), job.key);
  }

  /** What was taken is in the store. */
  static void written(Entry entry) {
    entry.jobs().forEach(job -> job.writing--);
  }
}
