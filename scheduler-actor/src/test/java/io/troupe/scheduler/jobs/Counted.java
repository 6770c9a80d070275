package io.troupe.scheduler.jobs;

import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/** Keeps the last numbers that a queue has told. */
record Counted(AtomicReference<QueueCounts> counts) implements JobQueue.Listeners {
  @Override
  public void opened(List<Long> prefixes) {}

  @Override
  public void counted(QueueCounts now) {
    counts.set(now);
  }

  @Override
  public void ended(JobState state, long millis) {}
}
