package io.troupe.scheduler.jobs;

import io.troupe.protocol.AttemptRef;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** What a queue knows of one supervisor. Changed by {@link QueueState} only. */
final class Holder {
  final String supervisor;

  /** How many attempts it is ready to hold in all; 0 while it is away or drains. */
  int capacity;

  /** Jobs whose current attempt it holds. */
  final Set<Job> held = new LinkedHashSet<>();

  /** Attempts it has been told to give up and has not answered for, with the end of their lease. */
  final Map<AttemptRef, Long> withdrawn = new HashMap<>();

  /** How many attempts it holds of which this queue knows nothing (an earlier scheduler's). */
  int foreign;

  /** Whether it is in the cluster. */
  boolean present = true;

  Holder(String supervisor) {
    this.supervisor = supervisor;
  }

  /** Payloads of the held jobs. */
  long bytes;

  /** Whether it may get one more job. */
  boolean takesMore(long mostBytes) {
    return free() > 0 && (bytes < mostBytes || held.isEmpty());
  }

  private int free() {
    return capacity - held.size() - withdrawn.size() - foreign;
  }
}
