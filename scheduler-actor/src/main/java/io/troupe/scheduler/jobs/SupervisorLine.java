package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.PostStop;
import akka.actor.typed.Terminated;
import akka.actor.typed.javadsl.Behaviors;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.codec.JobLineCodec;
import io.troupe.protocol.line.JobLine;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A supervisor, for its queue: sends jobs over the supervisor's job line and what else there is
 * through the cluster, and brings the queue what comes over the line. A line ends with its queue,
 * and when there is none for it.
 */
final class SupervisorLine implements JobLine.Listener {
  private final String name;
  private final JobLine line;
  private final Consumer<SupervisorLine> ended;

  /** Where messages go; none come before the queue has said where, and none when it is closed. */
  private @Nullable ActorRef<SupervisorToQueue> queue;

  private boolean closed;

  /**
   * Hears a line.
   *
   * @param name of the supervisor
   * @param ended told when the line is over
   */
  SupervisorLine(String name, JobLine line, Consumer<SupervisorLine> ended) {
    this.name = name;
    this.line = line;
    this.ended = ended;
  }

  /**
   * What the queue speaks to.
   *
   * @param supervisor where it is in the cluster
   */
  Behavior<SchedulerToSupervisor> speaker(ActorRef<SchedulerToSupervisor> supervisor) {
    return Behaviors.setup(
        context ->
            Behaviors.receive(SchedulerToSupervisor.class)
                .onMessage(
                    SchedulerToSupervisor.Registered.class,
                    registered -> {
                      listenFor(registered.queue());
                      context.watch(registered.queue());
                      return send(registered);
                    })
                .onMessage(SchedulerToSupervisor.OverLine.class, this::send)
                .onMessage(
                    SchedulerToSupervisor.Refused.class,
                    refused -> {
                      supervisor.tell(refused);
                      return end();
                    })
                .onMessage(
                    SchedulerToSupervisor.OverCluster.class,
                    message -> {
                      supervisor.tell(message);
                      return Behaviors.same();
                    })
                .onSignal(Terminated.class, queueEnded -> end())
                .onSignal(PostStop.class, stopped -> end())
                .build());
  }

  private Behavior<SchedulerToSupervisor> send(SchedulerToSupervisor.OverLine message) {
    line.send(JobLineCodec.write(message));
    return Behaviors.same();
  }

  private Behavior<SchedulerToSupervisor> end() {
    line.close();
    return Behaviors.same();
  }

  private synchronized void listenFor(ActorRef<SupervisorToQueue> known) {
    queue = known;
  }

  /** Ends the line; when this returns, the queue has heard the last of it. */
  synchronized void close() {
    closed = true;
    line.close();
  }

  @Override
  public synchronized void received(ByteBuffer message) {
    if (closed) {
      return;
    }
    SupervisorToQueue read = JobLineCodec.readForQueue(message);
    if (queue == null || !read.supervisor().equals(name)) {
      throw new IllegalStateException(
          "on the line of " + name + " spoke " + read.supervisor() + ", or too early");
    }
    queue.tell(read);
  }

  @Override
  public void ended(String why) {
    ended.accept(this);
  }
}
