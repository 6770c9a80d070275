package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import io.troupe.model.PoolSpec;

/**
 * A queue as the rest of the node sees it, without asking: safe to read from any thread.
 *
 * <p>The counts are those after the last batch of messages that the queue has handled; they are
 * never older than an answer that the queue has given.
 */
public final class QueueEntry {
  private final ActorRef<JobQueue.Command> queue;
  private volatile PoolSpec spec;
  private volatile QueueCounts counts = QueueCounts.ZERO;

  QueueEntry(ActorRef<JobQueue.Command> queue, PoolSpec spec) {
    this.queue = queue;
    this.spec = spec;
  }

  /** Where jobs go. */
  public ActorRef<JobQueue.Command> queue() {
    return queue;
  }

  /** The pool as last applied. */
  public PoolSpec spec() {
    return spec;
  }

  /** The queue's numbers. */
  public QueueCounts counts() {
    return counts;
  }

  void apply(PoolSpec newSpec) {
    if (!newSpec.job().equals(spec.job())) {
      queue.tell(new JobQueue.Apply(newSpec.job()));
    }
    spec = newSpec;
  }

  void count(QueueCounts now) {
    counts = now;
  }
}
