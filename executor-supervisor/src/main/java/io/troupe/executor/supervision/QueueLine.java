package io.troupe.executor.supervision;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.PostStop;
import akka.actor.typed.javadsl.Behaviors;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.codec.JobLineCodec;
import io.troupe.protocol.line.EventLoop;
import io.troupe.protocol.line.JobLine;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The job queue, for its supervisor: what it is told goes over the supervisor's job line. Belongs
 * to an actor on the loop's thread; only that thread touches it.
 */
final class QueueLine implements JobLine.Listener {
  private final SchedulerToSupervisor.Welcome welcome;
  private final Consumer<SchedulerToSupervisor.OverLine> heard;
  private final BiConsumer<QueueLine, String> ended;
  private final JobLine line;
  private final ActorRef<SupervisorToQueue> speaker;
  private boolean used;
  private boolean closed;

  /**
   * Opens it, in the background.
   *
   * @param spawn makes actors of its owner
   * @param heard told what comes over the line
   * @param ended told when the line is over, or could not be opened, with the reason: one line for
   *     people, empty when the scheduler ended it
   */
  QueueLine(
      EventLoop loop,
      SchedulerToSupervisor.Welcome welcome,
      Function<Behavior<SupervisorToQueue>, ActorRef<SupervisorToQueue>> spawn,
      Consumer<SchedulerToSupervisor.OverLine> heard,
      BiConsumer<QueueLine, String> ended)
      throws IOException {
    this.welcome = welcome;
    this.heard = heard;
    this.ended = ended;
    this.line =
        JobLine.connect(
            loop, new InetSocketAddress(welcome.host(), welcome.port()), welcome.token(), this);
    this.speaker = spawn.apply(speaker(line));
  }

  private static Behavior<SupervisorToQueue> speaker(JobLine line) {
    return Behaviors.receive(SupervisorToQueue.class)
        .onAnyMessage(
            message -> {
              line.send(JobLineCodec.write(message));
              return Behaviors.same();
            })
        .onSignal(
            PostStop.class,
            stopped -> {
              line.close();
              return Behaviors.same();
            })
        .build();
  }

  /** What sends over it, and ends it when stopped. */
  ActorRef<SupervisorToQueue> speaker() {
    return speaker;
  }

  /** Whether this is the line that these words open. */
  boolean isOpenedBy(SchedulerToSupervisor.Welcome words) {
    return welcome.equals(words);
  }

  /** Whether anything has come over it. */
  boolean wasUsed() {
    return used;
  }

  /** Nothing more is heard of it; its speaker is to be stopped. */
  void close() {
    closed = true;
    line.close();
  }

  @Override
  public void received(ByteBuffer message) {
    if (!closed) {
      used = true;
      heard.accept(JobLineCodec.readForSupervisor(message, speaker));
    }
  }

  @Override
  public void ended(String why) {
    if (!closed) {
      ended.accept(this, why);
    }
  }
}
