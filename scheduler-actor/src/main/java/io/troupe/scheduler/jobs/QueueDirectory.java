package io.troupe.scheduler.jobs;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Which queue has which pool's jobs. Written by {@link JobQueues} and, when they have been opened,
 * by the queues; read by any thread: it spares each request the question.
 */
public final class QueueDirectory {
  private final ConcurrentSkipListMap<String, QueueEntry> byPool = new ConcurrentSkipListMap<>();
  private final ConcurrentHashMap<Long, QueueEntry> byPrefix = new ConcurrentHashMap<>();

  /** The queue of a pool; empty when there is no such pool. */
  public Optional<QueueEntry> ofPool(String pool) {
    return Optional.ofNullable(byPool.get(pool));
  }

  /** The queue that has the job of this id; empty when none of this node can have it. */
  public Optional<QueueEntry> ofJob(String id) {
    OptionalLong prefix = JobIds.prefixOf(id);
    return prefix.isEmpty()
        ? Optional.empty()
        : Optional.ofNullable(byPrefix.get(prefix.getAsLong()));
  }

  /** Whether some queue has yet to learn which jobs it has. */
  public boolean isOpening() {
    return byPool.values().stream().anyMatch(entry -> !byPrefix.containsValue(entry));
  }

  /** All queues, by the name of their pool. */
  public Collection<QueueEntry> all() {
    return byPool.values();
  }

  void add(QueueEntry entry) {
    byPool.put(entry.spec().name(), entry);
  }

  /** The queue has been opened, and its jobs' ids have these prefixes. */
  void opened(QueueEntry entry, List<Long> prefixes) {
    prefixes.forEach(prefix -> byPrefix.put(prefix, entry));
  }

  void remove(QueueEntry entry) {
    byPool.remove(entry.spec().name(), entry);
    byPrefix.values().removeIf(other -> other == entry);
  }
}
