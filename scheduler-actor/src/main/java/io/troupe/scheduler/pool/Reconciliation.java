package io.troupe.scheduler.pool;

import io.troupe.scheduler.scaling.Backoff;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Questions to the master about tasks: only those still unanswered are asked again, ever more
 * seldom; once in a while all tasks are asked for. Times in milliseconds of any clock. Not
 * thread-safe.
 */
final class Reconciliation {
  private final Backoff backoff;
  private final Duration implicitInterval;
  private final Map<String, String> open = new TreeMap<>();
  private int rounds;
  private long nextExplicit;
  private long nextImplicit;

  Reconciliation(Backoff backoff, Duration implicitInterval) {
    this.backoff = backoff;
    this.implicitInterval = implicitInterval;
  }

  /** Starts anew after a subscription: everything known is in question. */
  void restart(long now, Map<String, String> agentsByTask) {
    open.clear();
    open.putAll(agentsByTask);
    rounds = 0;
    nextExplicit = now;
    nextImplicit = now;
  }

  /** The task is in question, from the given time on. */
  void doubt(long when, String taskId, String agentId) {
    if (open.isEmpty()) {
      rounds = 0;
      nextExplicit = when;
    }
    open.put(taskId, agentId);
  }

  /** The master has told the task's state, or it does not matter any more. */
  void answered(String taskId) {
    open.remove(taskId);
  }

  /** Whether the task's state is in question. */
  boolean isOpen(String taskId) {
    return open.containsKey(taskId);
  }

  /** The questions to ask now; several only right after a restart. */
  List<MasterCall.Reconcile> due(long now) {
    List<MasterCall.Reconcile> due = new ArrayList<>();
    explicit(now).ifPresent(due::add);
    if (now >= nextImplicit) {
      nextImplicit = now + implicitInterval.toMillis();
      due.add(new MasterCall.Reconcile(List.of()));
    }
    return due;
  }

  private Optional<MasterCall.Reconcile> explicit(long now) {
    if (open.isEmpty() || now < nextExplicit) {
      return Optional.empty();
    }
    rounds++;
    nextExplicit = now + backoff.after(rounds).toMillis();
    List<MasterCall.TaskOnAgent> tasks = new ArrayList<>();
    open.forEach((task, agent) -> tasks.add(new MasterCall.TaskOnAgent(task, agent)));
    return Optional.of(new MasterCall.Reconcile(tasks));
  }
}
