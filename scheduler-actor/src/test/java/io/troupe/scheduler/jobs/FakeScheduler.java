package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.Behaviors;
import io.troupe.model.PoolSpec;
import io.troupe.scheduler.pool.PoolFact;
import io.troupe.scheduler.pool.SchedulerActor;
import io.troupe.scheduler.pool.SchedulerActor.Command;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Speaks for the scheduler actor where there is no Mesos: keeps pools, and tells facts of them. */
public final class FakeScheduler {
  private final Map<String, PoolSpec> pools = new TreeMap<>();
  private final List<ActorRef<PoolFact>> listeners = new ArrayList<>();

  private FakeScheduler() {}

  /** Without pools, and subscribed as "framework". */
  public static Behavior<Command> create() {
    return Behaviors.setup(context -> new FakeScheduler().running());
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(SchedulerActor.Subscribe.class, this::onSubscribe)
        .onMessage(SchedulerActor.ApplyPool.class, this::onApply)
        .onMessage(SchedulerActor.DeletePool.class, this::onDelete)
        .onMessage(SchedulerActor.ScalePool.class, this::onScale)
        .onMessage(SchedulerActor.ListPools.class, this::onList)
        .onMessage(SchedulerActor.Explain.class, this::onExplain)
        .onMessage(SchedulerActor.DrainPool.class, this::onDrain)
        .onMessage(SchedulerActor.Teardown.class, this::onTeardown)
        .onMessage(SchedulerActor.ListAgents.class, this::onListAgents)
        .onAnyMessage(any -> Behaviors.same())
        .build();
  }

  private void tell(PoolFact fact) {
    listeners.forEach(listener -> listener.tell(fact));
  }

  private Behavior<Command> onSubscribe(SchedulerActor.Subscribe subscribe) {
    listeners.add(subscribe.listener());
    subscribe
        .listener()
        .tell(
            new PoolFact.FrameworkChanged(
                Optional.of("framework"), "127.0.0.1:5050", PoolFact.FrameworkState.SUBSCRIBED));
    pools.values().forEach(pool -> subscribe.listener().tell(new PoolFact.PoolApplied(pool)));
    return Behaviors.same();
  }

  private Behavior<Command> onApply(SchedulerActor.ApplyPool apply) {
    pools.put(apply.spec().name(), apply.spec());
    tell(new PoolFact.PoolApplied(apply.spec()));
    apply.replyTo().tell(new SchedulerActor.Done());
    return Behaviors.same();
  }

  private Behavior<Command> onScale(SchedulerActor.ScalePool scale) {
    PoolSpec pool = pools.get(scale.pool());
    if (pool == null) {
      scale.replyTo().tell(unknown(scale.pool()));
    } else {
      pools.put(scale.pool(), pool.withSize(scale.size()));
      tell(new PoolFact.PoolApplied(pool.withSize(scale.size())));
      scale.replyTo().tell(new SchedulerActor.Done());
    }
    return Behaviors.same();
  }

  private Behavior<Command> onDelete(SchedulerActor.DeletePool delete) {
    if (pools.remove(delete.pool()) == null) {
      delete.replyTo().tell(unknown(delete.pool()));
    } else {
      tell(new PoolFact.PoolDeleted(delete.pool()));
      delete.replyTo().tell(new SchedulerActor.Done());
    }
    return Behaviors.same();
  }

  private Behavior<Command> onDrain(SchedulerActor.DrainPool drain) {
    drain
        .replyTo()
        .tell(pools.containsKey(drain.pool()) ? new SchedulerActor.Done() : unknown(drain.pool()));
    return Behaviors.same();
  }

  private Behavior<Command> onTeardown(SchedulerActor.Teardown teardown) {
    teardown
        .replyTo()
        .tell(
            new SchedulerActor.Refused(
                SchedulerActor.Reason.NOT_SUBSCRIBED, "The master is down; try again"));
    return Behaviors.same();
  }

  private Behavior<Command> onExplain(SchedulerActor.Explain explain) {
    PoolSpec pool = pools.get(explain.pool());
    explain
        .replyTo()
        .tell(
            pool == null
                ? unknown(explain.pool())
                : new SchedulerActor.Explained(view(pool), List.of("no offers yet")));
    return Behaviors.same();
  }

  private Behavior<Command> onList(SchedulerActor.ListPools list) {
    list.replyTo().tell(pools.values().stream().map(FakeScheduler::view).toList());
    return Behaviors.same();
  }

  private Behavior<Command> onListAgents(SchedulerActor.ListAgents list) {
    list.replyTo()
        .tell(
            List.of(new SchedulerActor.AgentView("agent", "localhost", false, Map.of("demo", 1))));
    return Behaviors.same();
  }

  private static SchedulerActor.PoolView view(PoolSpec pool) {
    return new SchedulerActor.PoolView(
        pool,
        2,
        1,
        new SchedulerActor.Rollout(0, 0, ""),
        false,
        Map.of(),
        List.of("one is starting"));
  }

  private static SchedulerActor.Refused unknown(String pool) {
    return new SchedulerActor.Refused(
        SchedulerActor.Reason.POOL_NOT_FOUND, "There is no pool " + pool);
  }
}
