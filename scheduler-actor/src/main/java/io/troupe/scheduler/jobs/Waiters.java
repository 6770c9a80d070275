package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.TimerScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Who waits for which job to end, each for so long and no longer. Not thread-safe. */
final class Waiters {

  /** One who waits; compared by identity, as one may ask twice. */
  static final class Waiter {
    final String job;
    final ActorRef<JobQueue.Answer> replyTo;

    private Waiter(String job, ActorRef<JobQueue.Answer> replyTo) {
      this.job = job;
      this.replyTo = replyTo;
    }
  }

  private final TimerScheduler<JobQueue.Command> timers;
  private final Map<String, List<Waiter>> byJob = new HashMap<>();

  Waiters(TimerScheduler<JobQueue.Command> timers) {
    this.timers = timers;
  }

  /** Whether somebody waits for this job. */
  boolean areThereFor(String job) {
    return byJob.containsKey(job);
  }

  /** He waits until he is taken, or else for a {@link JobQueue.WaitOver}. */
  void add(String job, Duration patience, ActorRef<JobQueue.Answer> replyTo) {
    Waiter waiter = new Waiter(job, replyTo);
    byJob.computeIfAbsent(job, any -> new ArrayList<>(1)).add(waiter);
    timers.startSingleTimer(waiter, new JobQueue.WaitOver(waiter), patience);
  }

  /** Takes him if he still waits. */
  boolean take(Waiter waiter) {
    List<Waiter> waiting = byJob.get(waiter.job);
    if (waiting == null || !waiting.remove(waiter)) {
      return false;
    }
    if (waiting.isEmpty()) {
      byJob.remove(waiter.job);
    }
    return true;
  }

  /** Takes all who wait for this job. */
  List<ActorRef<JobQueue.Answer>> takeAll(String job) {
    List<Waiter> waiting = byJob.remove(job);
    if (waiting == null) {
      return List.of();
    }
    waiting.forEach(timers::cancel);
    return waiting.stream().map(waiter -> waiter.replyTo).toList();
  }
}
