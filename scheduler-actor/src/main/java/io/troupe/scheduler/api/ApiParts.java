package io.troupe.scheduler.api;

import akka.actor.typed.ActorRef;
import io.troupe.model.PoolSpec;
import io.troupe.scheduler.jobs.JobQueues;
import io.troupe.scheduler.jobs.JobSettings;
import io.troupe.scheduler.jobs.QueueDirectory;
import io.troupe.scheduler.pool.SchedulerActor;
import io.troupe.scheduler.store.BlobStore;
import io.troupe.scheduler.store.Database;
import io.troupe.scheduler.store.FileStore;
import io.troupe.scheduler.store.Secrets;
import io.troupe.scheduler.watch.EventFeed;
import io.troupe.scheduler.watch.TreeKeeper;
import java.util.function.Function;

/**
 * What the API speaks to.
 *
 * @param poolReader makes a pool of the text of a pool file; throws IllegalArgumentException with
 *     one line for people when it cannot
 */
public record ApiParts(
    ActorRef<SchedulerActor.Command> scheduler,
    ActorRef<JobQueues.Command> queues,
    QueueDirectory directory,
    ActorRef<TreeKeeper.Command> tree,
    ActorRef<EventFeed.Command> events,
    FileStore files,
    BlobStore blobs,
    Secrets secrets,
    Database database,
    JobSettings jobs,
    Function<String, PoolSpec> poolReader) {}
