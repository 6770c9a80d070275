package io.troupe.executor.supervision;

import akka.actor.Address;
import akka.actor.AddressFromURIString;
import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.receptionist.Receptionist;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.JoinSeedNodes;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToScheduler;
import java.util.List;
import java.util.Set;

/**
 * The guardian of one node in the scheduler's cluster: joins, finds the scheduler, and passes its
 * messages on to the supervisor, which lives in another ActorSystem.
 */
final class ClusterNode {
  private final int generation;
  private final ActorRef<Supervisor.Command> supervisor;
  private final ActorRef<SchedulerToSupervisor> inbox;
  private final String address;
  private Set<ActorRef<SupervisorToScheduler>> known = Set.of();

  static Behavior<Receptionist.Listing> create(
      ClusterInfo info, int generation, ActorRef<Supervisor.Command> supervisor) {
    return Behaviors.setup(
        context -> {
          Cluster cluster = Cluster.get(context.getSystem());
          List<Address> seeds = info.seeds().stream().map(AddressFromURIString::parse).toList();
          cluster.manager().tell(new JoinSeedNodes(seeds));
          context
              .getSystem()
              .receptionist()
              .tell(Receptionist.subscribe(SupervisorToScheduler.KEY, context.getSelf()));
          return new ClusterNode(
                  generation, supervisor, context, cluster.selfMember().address().toString())
              .relaying();
        });
  }

  private ClusterNode(
      int generation,
      ActorRef<Supervisor.Command> supervisor,
      ActorContext<Receptionist.Listing> context,
      String address) {
    this.generation = generation;
    this.supervisor = supervisor;
    this.address = address;
    this.inbox = context.spawn(inbox(generation, supervisor), "inbox");
  }

  private static Behavior<SchedulerToSupervisor> inbox(
      int generation, ActorRef<Supervisor.Command> supervisor) {
    return Behaviors.receiveMessage(
        message -> {
          supervisor.tell(new Supervisor.FromScheduler(generation, message));
          return Behaviors.same();
        });
  }

  private Behavior<Receptionist.Listing> relaying() {
    return Behaviors.receive(Receptionist.Listing.class)
        .onMessage(Receptionist.Listing.class, this::onListing)
        .build();
  }

  private Behavior<Receptionist.Listing> onListing(Receptionist.Listing listing) {
    Set<ActorRef<SupervisorToScheduler>> found =
        Set.copyOf(listing.getServiceInstances(SupervisorToScheduler.KEY));
    if (found.isEmpty() && !known.isEmpty()) {
      supervisor.tell(new Supervisor.SchedulerGone(generation));
    } else if (!found.isEmpty() && !found.equals(known)) {
      ActorRef<SupervisorToScheduler> scheduler = found.iterator().next();
      supervisor.tell(new Supervisor.SchedulerSeen(generation, scheduler, inbox, address));
    }
    known = found;
    return Behaviors.same();
  }
}
