package io.troupe.scheduler.jobs;

import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The jobs that wait, in the order in which they go: the highest priority first, within it those
 * that were handed out before and came back, then the others as they came. All operations but the
 * change of a priority's lane take constant time, so that a cancelled map of any length costs what
 * it has queued and no more.
 */
final class ReadyJobs {

  private static final class Lane {
    final TreeMap<Long, Job> back = new TreeMap<>();
    final Set<Job> fresh = new LinkedHashSet<>();

    boolean isEmpty() {
      return back.isEmpty() && fresh.isEmpty();
    }
  }

  private final TreeMap<Integer, Lane> lanes = new TreeMap<>(Comparator.reverseOrder());
  private int size;

  int size() {
    return size;
  }

  boolean isEmpty() {
    return size == 0;
  }

  /** Puts a job behind all others of its priority. */
  void add(Job job) {
    lane(job).fresh.add(job);
    size++;
  }

  /** Puts a job that had been taken before those that had not. */
  void putBack(Job job) {
    lane(job).back.put(job.sequence, job);
    size++;
  }

  /** Takes the job whose turn it is; null when there is none. */
  @Nullable Job poll() {
    Map.Entry<Integer, Lane> first = lanes.firstEntry();
    if (first == null) {
      return null;
    }
    Lane lane = first.getValue();
    Map.Entry<Long, Job> back = lane.back.pollFirstEntry();
    Job job;
    if (back != null) {
      job = back.getValue();
    } else {
      var turn = lane.fresh.iterator();
      job = turn.next();
      turn.remove();
    }
    taken(first.getKey(), lane);
    return job;
  }

  /** Takes this job out of turn; it must be here. */
  void remove(Job job) {
    Lane lane = lane(job);
    if (!lane.back.remove(job.sequence, job) && !lane.fresh.remove(job)) {
      throw new IllegalStateException("Job " + job.id + " is not among the ready ones");
    }
    taken(job.terms.priority(), lane);
  }

  private void taken(int priority, Lane lane) {
    size--;
    if (lane.isEmpty()) {
      lanes.remove(priority);
    }
  }

  private Lane lane(Job job) {
    return lanes.computeIfAbsent(job.terms.priority(), priority -> new Lane());
  }
}
