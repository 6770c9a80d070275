package io.troupe.local.master;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.Behaviors;
import java.time.Clock;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import org.apache.mesos.v1.scheduler.Protos.Call;

/** Gives the {@link Master} its thread and its timers; decides nothing. */
public final class MasterActor {

  /** What the master can be told. */
  public sealed interface Command {}

  /** A scheduler subscribes. */
  public record Subscribe(Call call, String streamId, EventSink stream) implements Command {}

  /** A scheduler calls. */
  public record SchedulerCall(Call call, Optional<String> streamId, ActorRef<Answer> replyTo)
      implements Command {}

  /** A scheduler's stream has ended. */
  public record StreamClosed(EventSink stream) implements Command {}

  /** An agent tells something. */
  public record AgentSays(FromAgent message) implements Command {}

  /** Someone looks at the master, or changes something as its operator; runs on its thread. */
  public record Visit(Consumer<Master> visitor) implements Command {}

  private record Rang(Runnable action) implements Command {}

  private MasterActor() {}

  /** A master that begins its rounds of offers at once. */
  public static Behavior<Command> create(MasterSettings settings) {
    return Behaviors.supervise(setUp(settings)).onFailure(SupervisorStrategy.resume());
  }

  private static Behavior<Command> setUp(MasterSettings settings) {
    return Behaviors.withTimers(
        timers -> {
          Master master =
              new Master(
                  settings, Clock.systemUTC(), new ActorAlarms<>(timers, Rang::new), new Random());
          master.start();
          return serving(master);
        });
  }

  private static Behavior<Command> serving(Master master) {
    return Behaviors.receive(Command.class)
        .onMessage(
            Subscribe.class,
            subscribe -> {
              master.subscribe(subscribe.call(), subscribe.streamId(), subscribe.stream());
              return Behaviors.same();
            })
        .onMessage(
            SchedulerCall.class,
            call -> {
              call.replyTo().tell(master.call(call.call(), call.streamId()));
              return Behaviors.same();
            })
        .onMessage(
            StreamClosed.class,
            closed -> {
              master.streamClosed(closed.stream());
              return Behaviors.same();
            })
        .onMessage(
            AgentSays.class,
            says -> {
              master.receive(says.message());
              return Behaviors.same();
            })
        .onMessage(
            Visit.class,
            visit -> {
              visit.visitor().accept(master);
              return Behaviors.same();
            })
        .onMessage(
            Rang.class,
            rang -> {
              rang.action().run();
              return Behaviors.same();
            })
        .build();
  }
}
