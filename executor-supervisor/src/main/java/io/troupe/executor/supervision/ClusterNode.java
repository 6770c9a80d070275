package io.troupe.executor.supervision;

import akka.actor.Address;
import akka.actor.AddressFromURIString;
import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.JoinSeedNodes;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SchedulerWatch;
import java.util.List;

/**
 * The guardian of one node in the scheduler's cluster: joins when it is told which, finds the
 * scheduler, and passes its messages on to the supervisor, which lives in another ActorSystem.
 */
final class ClusterNode {

  /** What it can be told. */
  sealed interface Command {}

  /** Which cluster it is to be a member of; told once. */
  record Join(ClusterInfo info, int generation, ActorRef<Supervisor.Command> supervisor)
      implements Command {}

  private record Found(SchedulerWatch.Found found) implements Command {}

  private final Join order;
  private final ActorRef<SchedulerToSupervisor> inbox;
  private final String address;

  static Behavior<Command> create() {
    return Behaviors.setup(
        context ->
            Behaviors.receive(Command.class)
                .onMessage(Join.class, order -> new ClusterNode(context, order).member())
                .build());
  }

  private ClusterNode(ActorContext<Command> context, Join order) {
    Cluster cluster = Cluster.get(context.getSystem());
    this.order = order;
    this.inbox = context.spawn(inbox(order), "inbox");
    this.address = cluster.selfMember().address().toString();
    List<Address> seeds = order.info().seeds().stream().map(AddressFromURIString::parse).toList();
    cluster.manager().tell(new JoinSeedNodes(seeds));
    context.spawn(
        SchedulerWatch.create(context.messageAdapter(SchedulerWatch.Found.class, Found::new)),
        "scheduler-watch");
  }

  private static Behavior<SchedulerToSupervisor> inbox(Join order) {
    return Behaviors.receiveMessage(
        message -> {
          order.supervisor().tell(new Supervisor.FromScheduler(order.generation(), message));
          return Behaviors.same();
        });
  }

  private Behavior<Command> member() {
    return Behaviors.receive(Command.class)
        .onMessage(Found.class, found -> onFound(found.found()))
        .build();
  }

  private Behavior<Command> onFound(SchedulerWatch.Found found) {
    int generation = order.generation();
    order
        .supervisor()
        .tell(
            found
                .scheduler()
                .<Supervisor.Command>map(
                    ref -> new Supervisor.SchedulerSeen(generation, ref, inbox, address))
                .orElseGet(() -> new Supervisor.SchedulerGone(generation)));
    return Behaviors.same();
  }
}
