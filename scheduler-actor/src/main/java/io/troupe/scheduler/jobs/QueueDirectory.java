package io.troupe.scheduler.jobs;

import java.util.Collection;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Which queue has which pool's jobs. Written by {@link JobQueues} alone, read by any thread; it
 * spares each request the question.
 */
public final class QueueDirectory {
  private final ConcurrentSkipListMap<String, QueueEntry> byPool = new ConcurrentSkipListMap<>();
  private final ConcurrentSkipListMap<String, QueueEntry> byPrefix = new ConcurrentSkipListMap<>();

  /** The queue of a pool; empty when there is no such pool. */
  public Optional<QueueEntry> ofPool(String pool) {
    return Optional.ofNullable(byPool.get(pool));
  }

  /** The queue that has made this job id; empty when none of this node has. */
  public Optional<QueueEntry> ofJob(String id) {
    return Optional.ofNullable(byPrefix.get(JobIds.prefixOf(id)));
  }

  /** All queues, by the name of their pool. */
  public Collection<QueueEntry> all() {
    return byPool.values();
  }

  void add(QueueEntry entry) {
    byPool.put(entry.spec().name(), entry);
    byPrefix.put(entry.prefix(), entry);
  }

  void remove(QueueEntry entry) {
    byPool.remove(entry.spec().name(), entry);
    byPrefix.remove(entry.prefix(), entry);
  }
}
