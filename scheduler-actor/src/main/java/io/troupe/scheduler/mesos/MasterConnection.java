package io.troupe.scheduler.mesos;

import akka.actor.typed.Behavior;
import akka.actor.typed.PostStop;
import akka.actor.typed.PreRestart;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import io.troupe.scheduler.mesos.MasterHttp.Answer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.mesos.v1.scheduler.Mesos;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.apache.mesos.v1.scheduler.Scheduler;

/**
 * Keeps the framework connected to the leading master: finds it, carries the subscription on one
 * connection and the calls on another, notices when it falls silent, and starts anew. What comes
 * from an earlier connection is ignored.
 */
public final class MasterConnection {

  /** What it can be told. */
  public sealed interface Command {}

  /** To be sent. */
  public record Send(Call call) implements Command {}

  /** What its owner orders. */
  public enum Order implements Command {
    START,
    RECONNECT,
    CLOSE
  }

  private enum Connect implements Command {
    NOW
  }

  private record Silent(long generation) implements Command {}

  private record Answered(long generation, Answer answer) implements Command {}

  private record Received(long generation, Event event) implements Command {}

  private record StreamEnded(long generation, String how) implements Command {}

  private record CallAnswered(long generation, Call.Type call, Answer answer) implements Command {}

  private static final Duration FIRST_HEARTBEAT = Duration.ofSeconds(15);
  private static final String WATCHDOG = "watchdog";

  private final Mesos mesos;
  private final Scheduler scheduler;
  private final MesosSettings settings;
  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;

  private long generation;
  private int candidate;
  private int failures;

  /**
   * The connection.
   *
   * @param mesos named in the callbacks
   * @param scheduler called back from the actor, one call at a time
   */
  public static Behavior<Command> create(Mesos mesos, Scheduler scheduler, MesosSettings settings) {
    Behavior<Command> connection =
        Behaviors.setup(
            context ->
                Behaviors.withTimers(
                    timers ->
                        new MasterConnection(mesos, scheduler, settings, context, timers).idle()));
    return Behaviors.supervise(connection)
        .onFailure(
            SupervisorStrategy.restartWithBackoff(
                settings.reconnectBackoff().first(), settings.reconnectBackoff().max(), 0.2));
  }

  private MasterConnection(
      Mesos mesos,
      Scheduler scheduler,
      MesosSettings settings,
      ActorContext<Command> context,
      TimerScheduler<Command> timers) {
    this.mesos = mesos;
    this.scheduler = scheduler;
    this.settings = settings;
    this.context = context;
    this.timers = timers;
  }

  private Behavior<Command> idle() {
    return Behaviors.receive(Command.class)
        .onMessageEquals(Order.START, this::connect)
        .onMessageEquals(Order.CLOSE, Behaviors::stopped)
        .onAnyMessage(early -> Behaviors.same())
        .build();
  }

  /** Asks the scheduler to subscribe; it does so with a SUBSCRIBE call. */
  private Behavior<Command> connect() {
    generation++;
    scheduler.connected(mesos);
    return Behaviors.receive(Command.class)
        .onMessage(
            Send.class,
            send ->
                send.call().getType() == Call.Type.SUBSCRIBE
                    ? subscribe(send.call(), settings.masters().get(candidate), 0)
                    : dropped(send))
        .onMessageEquals(Order.RECONNECT, this::connect)
        .onMessageEquals(Order.CLOSE, Behaviors::stopped)
        .onAnyMessage(late -> Behaviors.same())
        .build();
  }

  private Behavior<Command> subscribe(Call call, MasterAddress master, int redirects) {
    long mine = ++generation;
    MasterHttp http =
        new MasterHttp(
            context.getSystem(),
            settings,
            master,
            new MasterHttp.Listener() {
              @Override
              public void subscribeAnswered(Answer answer) {
                context.getSelf().tell(new Answered(mine, answer));
              }

              @Override
              public void received(Event event) {
                context.getSelf().tell(new Received(mine, event));
              }

              @Override
              public void streamEnded(String how) {
                context.getSelf().tell(new StreamEnded(mine, how));
              }

              @Override
              public void callAnswered(Call.Type type, Answer answer) {
                context.getSelf().tell(new CallAnswered(mine, type, answer));
              }
            });
    http.subscribe(call);
    expectWithin(settings.connectTimeout().plus(silence(FIRST_HEARTBEAT)));
    return Behaviors.receive(Command.class)
        .onMessage(
            Answered.class,
            answered ->
                answered.generation() == mine
                    ? subscribeAnswered(http, call, master, redirects, answered.answer())
                    : Behaviors.same())
        .onMessage(Silent.class, s -> s.generation() == mine ? silent(http, master) : same())
        .onMessageEquals(Order.RECONNECT, () -> lost(http, "asked to reconnect", false))
        .onMessageEquals(Order.CLOSE, () -> closed(http))
        .onMessage(Send.class, this::dropped)
        .onSignal(PostStop.class, stop -> closed(http))
        .onSignal(PreRestart.class, restart -> restarting(http))
        .onAnyMessage(late -> Behaviors.same())
        .build();
  }

  private Behavior<Command> subscribeAnswered(
      MasterHttp http, Call call, MasterAddress master, int redirects, Answer answer) {
    switch (answer.status()) {
      case 200 -> {
        return subscribed(http, master);
      }
      case 307 -> {
        Optional<MasterAddress> leader = answer.location().flatMap(master::redirectedTo);
        if (leader.isPresent() && redirects < settings.maxRedirects()) {
          http.close();
          context.getLog().info("Mesos master {} leads to {}", master, leader.get());
          return subscribe(call, leader.get(), redirects + 1);
        }
        return lost(
            http,
            "Mesos master "
                + master
                + " redirects to "
                + answer.location().orElse("nowhere")
                + ", and so on: no leading master found",
            true);
      }
      case Answer.UNREACHABLE, 404, 503 -> {
        return lost(http, "Mesos master " + master + " cannot be used: " + answer.text(), true);
      }
      default -> {
        failures = Integer.MAX_VALUE;
        scheduler.received(
            mesos,
            Event.newBuilder()
                .setType(Event.Type.ERROR)
                .setError(Event.Error.newBuilder().setMessage(answer.text()))
                .build());
        return lost(
            http,
            "Mesos master " + master + " answered " + answer.status() + ": " + answer.text(),
            true);
      }
    }
  }

  /** Calls are sent and events handed on, until the stream ends, falls silent or is fenced off. */
  private Behavior<Command> subscribed(MasterHttp http, MasterAddress master) {
    long mine = generation;
    Duration[] allowed = {silence(FIRST_HEARTBEAT)};
    expectWithin(allowed[0]);
    return Behaviors.receive(Command.class)
        .onMessage(
            Received.class,
            received -> {
              if (received.generation() == mine) {
                Event event = received.event();
                if (event.getType() == Event.Type.SUBSCRIBED) {
                  failures = 0;
                  allowed[0] = silence(heartbeat(event));
                  context.getLog().info("Subscribed to Mesos master {}", master);
                }
                expectWithin(allowed[0]);
                scheduler.received(mesos, event);
              }
              return Behaviors.same();
            })
        .onMessage(
            Send.class,
            send -> {
              if (send.call().getType() == Call.Type.SUBSCRIBE) {
                return dropped(send);
              }
              return http.send(send.call())
                  ? Behaviors.same()
                  : lost(http, "Mesos master " + master + " takes calls too slowly", true);
            })
        .onMessage(
            CallAnswered.class,
            answered ->
                answered.generation() == mine
                    ? callAnswered(http, master, answered)
                    : Behaviors.same())
        .onMessage(
            StreamEnded.class,
            ended ->
                ended.generation() == mine
                    ? lost(
                        http,
                        "Mesos master " + master + " closed the connection" + ended.how(),
                        true)
                    : Behaviors.same())
        .onMessage(Silent.class, s -> s.generation() == mine ? silent(http, master) : same())
        .onMessageEquals(Order.RECONNECT, () -> lost(http, "asked to reconnect", true))
        .onMessageEquals(Order.CLOSE, () -> closed(http))
        .onSignal(PostStop.class, stop -> closed(http))
        .onSignal(PreRestart.class, restart -> restarting(http))
        .onAnyMessage(late -> Behaviors.same())
        .build();
  }

  private Behavior<Command> callAnswered(
      MasterHttp http, MasterAddress master, CallAnswered answered) {
    Answer answer = answered.answer();
    String says =
        "Mesos master " + master + " answered " + answered.call() + " with " + answer.text();
    return switch (answer.status()) {
      case 200, 202 -> Behaviors.same();
      case 400 -> {
        if (answer.text().contains("stream ID") || answer.text().contains("cannot be found")) {
          yield lost(http, says, true);
        }
        context.getLog().error("{}", says);
        yield Behaviors.same();
      }
      default -> lost(http, says, true);
    };
  }

  private Behavior<Command> silent(MasterHttp http, MasterAddress master) {
    return lost(http, "Mesos master " + master + " has fallen silent", true);
  }

  private Behavior<Command> lost(MasterHttp http, String why, boolean another) {
    http.close();
    timers.cancel(WATCHDOG);
    generation++;
    if (another) {
      candidate = (candidate + 1) % settings.masters().size();
    }
    failures = failures == Integer.MAX_VALUE ? failures : failures + 1;
    Duration most = settings.reconnectBackoff().after(Math.min(failures, 64));
    Duration wait = Duration.ofMillis(ThreadLocalRandom.current().nextLong(most.toMillis() + 1));
    context.getLog().warn("{}; trying again in {} ms", why, wait.toMillis());
    timers.startSingleTimer(Connect.NOW, wait);
    scheduler.disconnected(mesos);
    return Behaviors.receive(Command.class)
        .onMessageEquals(Connect.NOW, this::connect)
        .onMessageEquals(Order.CLOSE, Behaviors::stopped)
        .onMessage(Send.class, this::dropped)
        .onAnyMessage(late -> Behaviors.same())
        .build();
  }

  private Behavior<Command> closed(MasterHttp http) {
    http.close();
    return Behaviors.stopped();
  }

  private Behavior<Command> restarting(MasterHttp http) {
    http.close();
    context.getSelf().tell(Order.START);
    return Behaviors.same();
  }

  private Behavior<Command> dropped(Send send) {
    context.getLog().debug("Not subscribed: {} is not sent", send.call().getType());
    return Behaviors.same();
  }

  private static Behavior<Command> same() {
    return Behaviors.same();
  }

  private void expectWithin(Duration allowed) {
    timers.startSingleTimer(WATCHDOG, new Silent(generation), allowed);
  }

  private Duration silence(Duration heartbeat) {
    return heartbeat.multipliedBy(settings.missedHeartbeats());
  }

  private static Duration heartbeat(Event subscribed) {
    double seconds = subscribed.getSubscribed().getHeartbeatIntervalSeconds();
    return seconds > 0 ? Duration.ofMillis(Math.round(seconds * 1000)) : FIRST_HEARTBEAT;
  }
}
