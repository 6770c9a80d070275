package io.troupe.scheduler.jobs;

import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What one submitter has waiting at one priority: first the jobs that were handed out and came
 * back, then the others as they came. Its head is in memory; the rest may be in the store, all of
 * it with higher ids than what was read of it. Changed by {@link ReadyJobs} only.
 */
final class Lane {
  final int priority;
  final String submitter;

  /** How much of its share it has had: the lane with the least is next. */
  double pass;

  /** Tells lanes with the same pass apart. */
  final long number;

  /** How many jobs wait in the store and not here. */
  long spilled;

  /** The highest id that was read from the store. */
  long readUpTo;

  /** How many of those are not in the store yet. */
  long unwritten;

  /** How many have been spilled that the read under way cannot see. */
  long spilledSince;

  /** Whether more is being read. */
  boolean reading;

  private final TreeMap<Long, Job> back = new TreeMap<>();
  private final Set<Job> fresh = new LinkedHashSet<>();

  Lane(int priority, String submitter, long number, double pass) {
    this.priority = priority;
    this.submitter = submitter;
    this.number = number;
    this.pass = pass;
  }

  /** How many of its jobs are here. */
  int size() {
    return back.size() + fresh.size();
  }

  boolean isEmpty() {
    return back.isEmpty() && fresh.isEmpty();
  }

  void add(Job job) {
    fresh.add(job);
  }

  void putBack(Job job) {
    back.put(job.sequence, job);
  }

  /** Takes the job whose turn it is; there must be one. */
  Job poll() {
    Map.Entry<Long, Job> returned = back.pollFirstEntry();
    if (returned != null) {
      return returned.getValue();
    }
    Iterator<Job> turn = fresh.iterator();
    Job job = turn.next();
    turn.remove();
    return job;
  }

  boolean remove(Job job) {
    return back.remove(job.sequence, job) || fresh.remove(job);
  }
}
