package io.troupe.local.agent;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.Behaviors;
import io.troupe.local.master.ActorAlarms;
import io.troupe.local.master.Answer;
import io.troupe.local.master.EventSink;
import io.troupe.local.master.FromAgent;
import io.troupe.local.master.ToAgent;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.mesos.v1.executor.Protos.Call;

/** Gives the {@link LocalAgent} its thread and its timers; decides nothing. */
public final class AgentActor {

  private static final Duration LOOK_AROUND = Duration.ofSeconds(1);

  /** What an agent can be told. */
  public sealed interface Command {}

  /**
   * The agent may register; it was only set up so far.
   *
   * @param registered gets the agent's id, on the agent's thread
   */
  public record Start(Consumer<String> registered) implements Command {}

  /** An executor subscribes; the answer is empty when its stream is open. */
  public record Subscribe(Call call, EventSink stream, ActorRef<Optional<Answer>> replyTo)
      implements Command {}

  /** An executor calls. */
  public record ExecutorCall(Call call, ActorRef<Answer> replyTo) implements Command {}

  /** An executor's stream has ended. */
  public record StreamClosed(EventSink stream) implements Command {}

  /** Someone looks at the agent; runs on its thread. */
  public record Visit(Consumer<LocalAgent> visitor) implements Command {}

  /** The agent's process is gone, its executors are not. */
  public enum Crash implements Command {
    NOW
  }

  /** The agent's process starts again. */
  public enum Recover implements Command {
    NOW
  }

  /** The machine is gone: executors are killed, nobody is told, the actor ends. */
  public record Lose(ActorRef<Answer> replyTo) implements Command {}

  /** All executors are asked to end. */
  public enum Shutdown implements Command {
    NOW
  }

  private record FromMaster(ToAgent message) implements Command {}

  private record Rang(Runnable action) implements Command {}

  private enum LookAround implements Command {
    NOW
  }

  private final LocalAgent agent;
  private final LinuxContainers containers;
  private final Executor blocking;

  private AgentActor(LocalAgent agent, LinuxContainers containers, Executor blocking) {
    this.agent = agent;
    this.containers = containers;
    this.blocking = blocking;
  }

  /**
   * An agent that waits for {@link Start}.
   *
   * @param blocking where what blocks runs
   * @param makeContainers makes the containers, given the thread of the agent
   * @param master hears what the agent says
   */
  public static Behavior<Command> create(
      AgentSettings settings,
      Executor blocking,
      Function<Executor, LinuxContainers> makeContainers,
      Consumer<FromAgent> master) {
    return Behaviors.supervise(setUp(settings, blocking, makeContainers, master))
        .onFailure(SupervisorStrategy.resume());
  }

  private static Behavior<Command> setUp(
      AgentSettings settings,
      Executor blocking,
      Function<Executor, LinuxContainers> makeContainers,
      Consumer<FromAgent> master) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers -> {
                  ActorRef<Command> self = context.getSelf();
                  LinuxContainers containers =
                      makeContainers.apply(action -> self.tell(new Rang(action)));
                  LocalAgent agent =
                      new LocalAgent(
                          settings,
                          Clock.systemUTC(),
                          new ActorAlarms<>(timers, Rang::new),
                          containers,
                          master,
                          context.messageAdapter(ToAgent.class, FromMaster::new)::tell);
                  timers.startTimerWithFixedDelay(LookAround.NOW, LOOK_AROUND);
                  return new AgentActor(agent, containers, blocking).serving();
                }));
  }

  private Behavior<Command> serving() {
    return Behaviors.receive(Command.class)
        .onMessage(Start.class, start -> then(() -> agent.start(start.registered())))
        .onMessage(FromMaster.class, message -> then(() -> agent.receive(message.message())))
        .onMessage(Rang.class, rang -> then(rang.action()))
        .onMessage(
            Subscribe.class,
            call -> then(() -> call.replyTo().tell(agent.subscribe(call.call(), call.stream()))))
        .onMessage(
            ExecutorCall.class, call -> then(() -> call.replyTo().tell(agent.call(call.call()))))
        .onMessage(StreamClosed.class, closed -> then(() -> agent.streamClosed(closed.stream())))
        .onMessage(Visit.class, visit -> then(() -> visit.visitor().accept(agent)))
        .onMessageEquals(Crash.NOW, () -> then(agent::crash))
        .onMessageEquals(Recover.NOW, () -> then(agent::recover))
        .onMessageEquals(Shutdown.NOW, () -> then(agent::shutdownAll))
        .onMessageEquals(LookAround.NOW, () -> then(() -> blocking.execute(containers::lookAround)))
        .onMessage(Lose.class, this::onLose)
        .build();
  }

  private static Behavior<Command> then(Runnable action) {
    action.run();
    return Behaviors.same();
  }

  private Behavior<Command> onLose(Lose lose) {
    agent.lose();
    blocking.execute(
        () -> {
          containers.killAll();
          lose.replyTo().tell(Answer.OK);
        });
    return Behaviors.stopped();
  }
}
