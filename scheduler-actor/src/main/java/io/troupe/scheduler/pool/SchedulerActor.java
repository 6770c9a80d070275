package io.troupe.scheduler.pool;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import io.troupe.model.Cause;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.protocol.ClusterInfo;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Makes what runs on Mesos equal to what the pools want: subscribes the framework, matches offers,
 * launches, replaces, drains and reconciles workers.
 */
public final class SchedulerActor {

  /** What it can be told. */
  public sealed interface Command {}

  /** Creates the pool, or changes it if it exists; the answer comes after it is in the store. */
  public record ApplyPool(PoolSpec spec, ActorRef<Answer> replyTo) implements Command {}

  /** Gives an existing pool another size. */
  public record ScalePool(String pool, PoolSize size, ActorRef<Answer> replyTo)
      implements Command {}

  /** Lets the pool's workers finish and leave; the pool stays, with no workers, until applied. */
  public record DrainPool(String pool, ActorRef<Answer> replyTo) implements Command {}

  /** Removes the pool and kills its workers. */
  public record DeletePool(String pool, ActorRef<Answer> replyTo) implements Command {}

  /** Asks for all pools, by name. */
  public record ListPools(ActorRef<List<PoolView>> replyTo) implements Command {}

  /** Asks for all agents that offered something or run something of ours. */
  public record ListAgents(ActorRef<List<AgentView>> replyTo) implements Command {}

  /** Asks why the pool is not larger: answered by {@link Explained} or {@link Refused}. */
  public record Explain(String pool, ActorRef<Answer> replyTo) implements Command {}

  /**
   * Removes the framework from Mesos, and with it every task and executor, and forgets all pools.
   */
  public record Teardown(ActorRef<Answer> replyTo) implements Command {}

  /** Wants to hear every {@link PoolFact}, the current state first; until the listener ends. */
  public record Subscribe(ActorRef<PoolFact> listener) implements Command {}

  /** What a pool has to do, for pools whose size follows load; said once a second by its queue. */
  public record PoolLoad(String pool, int queued, int running) implements Command {}

  /**
   * A supervisor has registered in this scheduler's cluster.
   *
   * @param supervisor executor id + "@" + agent id
   * @param address its node in the cluster, as {@code akka://troupe@host:port}
   */
  public record SupervisorUp(
      String supervisor, String pool, String agentId, String executorId, String address)
      implements Command {}

  /** A supervisor that had registered is not in the cluster any more. */
  public record SupervisorDown(String supervisor) implements Command {}

  /** What the API gets to hear. */
  public sealed interface Answer {}

  /** It has been done, and is in the store. */
  public record Done() implements Answer {}

  /** Nothing was changed; the message is one line for people. */
  public record Refused(Reason reason, String message) implements Answer {}

  /** Why the pool is as large as it is; each line stands for itself. */
  public record Explained(PoolView pool, List<String> lines) implements Answer {
    public Explained {
      lines = List.copyOf(lines);
    }
  }

  /** Why something was refused. */
  public enum Reason {
    /** There is no pool of this name. */
    POOL_NOT_FOUND,
    /** The spec asks for what cannot be. */
    INVALID_POOL,
    /** The master does not talk to this scheduler now: try again later. */
    NOT_SUBSCRIBED,
    /** The store did not take it: see the scheduler's log. */
    STORE_UNAVAILABLE
  }

  /**
   * How far a pool's workers are what its spec says.
   *
   * @param current workers of this spec that run
   * @param old workers of earlier specs that have not been told to end
   * @param failure why workers of this spec ended by themselves, without one of them having run for
   *     long since; empty when none did
   */
  public record Rollout(int current, int old, String failure) {}

  /**
   * A pool as it is.
   *
   * @param wanted workers that should run
   * @param running workers whose task Mesos knows to be running
   * @param rollout how far its workers are what its spec says
   * @param draining whether it was told to drain
   * @param causes how many workers ended, by kind of cause
   * @param waitingBecause one line for each reason why there are fewer workers than wanted; empty
   *     when there are as many as wanted
   */
  public record PoolView(
      PoolSpec spec,
      int wanted,
      int running,
      Rollout rollout,
      boolean draining,
      Map<String, Integer> causes,
      List<String> waitingBecause) {
    public PoolView {
      causes = Map.copyOf(causes);
      waitingBecause = List.copyOf(waitingBecause);
    }
  }

  /**
   * An agent as offers and tasks show it.
   *
   * @param lost whether the master has given it up
   * @param workers how many workers run on it, by pool
   */
  public record AgentView(String id, String hostname, boolean lost, Map<String, Integer> workers) {
    public AgentView {
      workers = Map.copyOf(workers);
    }
  }

  private record FromMaster(MasterEvent event) implements Command {}

  private record Written(Effect.Save save, @Nullable Throwable failure) implements Command {}

  private enum Tick implements Command {
    NOW
  }

  private record ListenerEnded(ActorRef<PoolFact> listener) implements Command {}

  private static final Duration TICK = Duration.ofMillis(250);

  /** Where so many ticks have had nothing to do, one may come late and the next ones do so. */
  private static final int IDLE_TICKS = 8;

  private static final Duration IDLE_TICK = Duration.ofSeconds(1);

  private final Framework framework;
  private final Master master;
  private final Store store;
  private final Executor writer;
  private final Consumer<String> downing;
  private final LongSupplier clock;
  private final TimerScheduler<Command> timers;
  private final ActorContext<Command> context;
  private final Set<ActorRef<PoolFact>> listeners = new LinkedHashSet<>();

  /** Ticks, one after the other, at which nothing was to be done. */
  private int idleTicks;

  /**
   * The scheduler of one framework.
   *
   * @param saved what the store holds
   * @param settings what executors are like, and the rules by which pools are kept
   * @param connector connects to the master
   * @param writer runs the store's calls, one at a time and in order
   * @param downing takes the cluster node of this address out at once
   * @param clock milliseconds since 1970
   */
  public static Behavior<Command> create(
      Store.Saved saved,
      Settings settings,
      Master.Connector connector,
      Store store,
      Executor writer,
      Consumer<String> downing,
      LongSupplier clock) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers -> {
                  Framework framework =
                      new Framework(
                          saved,
                          settings.executor(),
                          settings.policy(),
                          settings.cluster(),
                          settings.filesUrl());
                  Master master =
                      connector.connect(context.messageAdapter(MasterEvent.class, FromMaster::new));
                  return new SchedulerActor(
                          framework, master, store, writer, downing, clock, timers, context)
                      .working();
                }));
  }

  /**
   * What the scheduler is told once.
   *
   * @param cluster where executors are to join
   * @param filesUrl where executors fetch files from, such as {@code http://127.0.0.1:7070}
   */
  public record Settings(
      ExecutorSettings executor, PoolPolicy policy, ClusterInfo cluster, String filesUrl) {}

  private SchedulerActor(
      Framework framework,
      Master master,
      Store store,
      Executor writer,
      Consumer<String> downing,
      LongSupplier clock,
      TimerScheduler<Command> timers,
      ActorContext<Command> context) {
    this.framework = framework;
    this.master = master;
    this.store = store;
    this.writer = writer;
    this.downing = downing;
    this.clock = clock;
    this.timers = timers;
    this.context = context;
    timers.startTimerWithFixedDelay(Tick.NOW, TICK);
  }

  private Behavior<Command> working() {
    return Behaviors.receive(Command.class)
        .onMessage(FromMaster.class, m -> apply(onMaster(m.event())))
        .onMessage(Written.class, this::onWritten)
        .onMessage(Tick.class, this::onTick)
        .onMessage(ApplyPool.class, m -> apply(framework.apply(now(), m.spec(), m.replyTo()::tell)))
        .onMessage(
            ScalePool.class,
            m -> apply(framework.scale(now(), m.pool(), m.size(), m.replyTo()::tell)))
        .onMessage(DrainPool.class, m -> apply(framework.drain(now(), m.pool(), m.replyTo()::tell)))
        .onMessage(
            DeletePool.class, m -> apply(framework.delete(now(), m.pool(), m.replyTo()::tell)))
        .onMessage(ListPools.class, m -> tell(m.replyTo(), framework.pools(now())))
        .onMessage(ListAgents.class, m -> tell(m.replyTo(), framework.agents()))
        .onMessage(Explain.class, m -> tell(m.replyTo(), framework.explain(now(), m.pool())))
        .onMessage(Teardown.class, m -> apply(framework.teardown(m.replyTo()::tell)))
        .onMessage(Subscribe.class, this::onSubscribe)
        .onMessage(ListenerEnded.class, this::onListenerEnded)
        .onMessage(
            PoolLoad.class, m -> apply(framework.loaded(now(), m.pool(), m.queued() + m.running())))
        .onMessage(SupervisorUp.class, this::onSupervisorUp)
        .onMessage(SupervisorDown.class, this::onSupervisorDown)
        .build();
  }

  private List<Effect> onMaster(MasterEvent event) {
    if (event instanceof MasterEvent.Connected) {
      return framework.connected(now());
    } else if (event instanceof MasterEvent.Disconnected) {
      return framework.disconnected();
    } else if (event instanceof MasterEvent.Subscribed subscribed) {
      return framework.subscribed(now(), subscribed.frameworkId(), subscribed.master());
    } else if (event instanceof MasterEvent.Offered offered) {
      return framework.offered(now(), offered.offers());
    } else if (event instanceof MasterEvent.Rescinded rescinded) {
      return framework.rescinded(rescinded.offerId());
    } else if (event instanceof MasterEvent.Updated updated) {
      return framework.updated(now(), updated.update());
    } else if (event instanceof MasterEvent.ExecutorExited exited) {
      return framework.executorExited(
          now(), exited.agentId(), exited.executorId(), exited.status());
    } else if (event instanceof MasterEvent.AgentRemoved removed) {
      return framework.agentRemoved(now(), removed.agentId());
    } else if (event instanceof MasterEvent.Failed failed) {
      return framework.failed(failed.message());
    }
    throw new IllegalStateException("not handled: " + event);
  }

  private Behavior<Command> onSubscribe(Subscribe subscribe) {
    if (listeners.add(subscribe.listener())) {
      context.watchWith(subscribe.listener(), new ListenerEnded(subscribe.listener()));
    }
    framework.facts().forEach(subscribe.listener()::tell);
    return Behaviors.same();
  }

  private Behavior<Command> onListenerEnded(ListenerEnded ended) {
    listeners.remove(ended.listener());
    return Behaviors.same();
  }

  private Behavior<Command> onSupervisorUp(SupervisorUp up) {
    framework.supervisorUp(up.supervisor(), up.address());
    return Behaviors.same();
  }

  private Behavior<Command> onSupervisorDown(SupervisorDown down) {
    framework.supervisorDown(down.supervisor());
    return Behaviors.same();
  }

  private Behavior<Command> onWritten(Written written) {
    if (written.failure() == null) {
      return apply(written.save().then().get());
    }
    context.getLog().error("The store did not take a change: {}", written.failure().getMessage());
    return apply(written.save().otherwise().get());
  }

  private Behavior<Command> onTick(Tick tick) {
    List<Effect> effects = framework.tick(now());
    if (effects.isEmpty() && ++idleTicks == IDLE_TICKS) {
      timers.startTimerWithFixedDelay(Tick.NOW, IDLE_TICK);
    }
    return apply(effects);
  }

  private Behavior<Command> apply(List<Effect> effects) {
    if (!effects.isEmpty()) {
      if (idleTicks >= IDLE_TICKS) {
        timers.startTimerWithFixedDelay(Tick.NOW, TICK);
      }
      idleTicks = 0;
    }
    effects.forEach(this::apply);
    return Behaviors.same();
  }

  private void apply(Effect effect) {
    if (effect instanceof Effect.Call call) {
      master.call(call.call());
    } else if (effect instanceof Effect.Tell tell) {
      log(tell.fact());
      listeners.forEach(listener -> listener.tell(tell.fact()));
    } else if (effect instanceof Effect.Save save) {
      context.pipeToSelf(
          CompletableFuture.runAsync(() -> store.write(save.changes()), writer),
          (done, failure) -> new Written(save, failure));
    } else if (effect instanceof Effect.Down down) {
      downing.accept(down.address());
    } else if (effect instanceof Effect.Warn warn) {
      context.getLog().warn("{}", warn.message());
    }
  }

  /** What somebody who looks for a reason will look for; the rest is for debugging. */
  private void log(PoolFact fact) {
    if (fact instanceof PoolFact.AgentFound found) {
      context.getLog().info("Agent {} on {} is here", found.agentId(), found.hostname());
    } else if (fact instanceof PoolFact.AgentLost lost) {
      context.getLog().warn("Agent {} is lost: {}", lost.agentId(), lost.cause().message());
    } else if (fact instanceof PoolFact.ExecutorLost lost
        && lost.cause().kind() != Cause.Kind.DRAINED) {
      context
          .getLog()
          .warn("Executor {} on {}: {}", lost.executorId(), lost.agentId(), lost.cause().message());
    } else if (fact instanceof PoolFact.WorkerEnded ended
        && ended.cause().kind() != Cause.Kind.DRAINED) {
      Cause cause = ended.cause();
      context
          .getLog()
          .warn("Worker {} ended: {} {}", ended.worker(), cause.kind(), cause.message());
    } else {
      context.getLog().debug("{}", fact);
    }
  }

  private static <T> Behavior<Command> tell(ActorRef<T> replyTo, T answer) {
    replyTo.tell(answer);
    return Behaviors.same();
  }

  private long now() {
    return clock.getAsLong();
  }
}
