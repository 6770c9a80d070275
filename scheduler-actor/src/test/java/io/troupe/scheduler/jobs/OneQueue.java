package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import io.troupe.model.PoolSpec;
import java.util.List;

/** The only queue of a directory, played by a test, and ids of jobs that it has. */
public final class OneQueue {
  private final QueueDirectory directory = new QueueDirectory();
  private final JobIds ids = new JobIds(7);

  public OneQueue(ActorRef<JobQueue.Command> queue, PoolSpec pool) {
    QueueEntry entry = new QueueEntry(queue, pool);
    directory.add(entry);
    directory.opened(entry, List.of(ids.prefix()));
  }

  public QueueDirectory directory() {
    return directory;
  }

  public String newId() {
    return JobIds.text(ids.next());
  }
}
