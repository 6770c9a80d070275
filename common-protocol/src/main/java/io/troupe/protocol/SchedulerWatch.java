package io.troupe.protocol;

import akka.actor.Address;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorRefResolver;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.ClusterEvent;
import akka.cluster.Member;
import akka.cluster.UniqueAddress;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.ClusterStateSubscription;
import akka.cluster.typed.Subscribe;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/**
 * Tells where in the cluster the scheduler takes registrations, and when there is none to be
 * reached any more. It goes by the membership, which every node hears of at once when it is let in;
 * Akka's receptionist would need a gossip of its own to know, and messages at rest to keep knowing.
 */
public final class SchedulerWatch {

  /**
   * Where the scheduler is now.
   *
   * @param scheduler takes registrations; empty when none can be reached
   */
  public record Found(Optional<ActorRef<SupervisorToScheduler>> scheduler) {}

  /** The actor that takes registrations, on each scheduler node. */
  private static final String REGISTRAR = "/user/supervisors/registrar";

  private final Set<UniqueAddress> members = new LinkedHashSet<>();
  private final Set<UniqueAddress> unreachable = new HashSet<>();
  private final ActorContext<ClusterEvent.ClusterDomainEvent> context;
  private final ActorRef<Found> listener;
  private Optional<UniqueAddress> known = Optional.empty();

  private SchedulerWatch(
      ActorContext<ClusterEvent.ClusterDomainEvent> context, ActorRef<Found> listener) {
    this.context = context;
    this.listener = listener;
  }

  /**
   * Watches for as long as it runs.
   *
   * @param listener told of each change
   */
  public static Behavior<ClusterEvent.ClusterDomainEvent> create(ActorRef<Found> listener) {
    return Behaviors.setup(
        context -> {
          // Not to all that happens in the cluster: some of that happens at each gossip.
          ActorRef<ClusterStateSubscription> cluster =
              Cluster.get(context.getSystem()).subscriptions();
          cluster.tell(
              Subscribe.create(context.getSelf().narrow(), ClusterEvent.MemberEvent.class));
          cluster.tell(
              Subscribe.create(context.getSelf().narrow(), ClusterEvent.ReachabilityEvent.class));
          SchedulerWatch watch = new SchedulerWatch(context, listener);
          return Behaviors.receive(ClusterEvent.ClusterDomainEvent.class)
              .onMessage(ClusterEvent.MemberEvent.class, watch::onMember)
              .onMessage(ClusterEvent.ReachabilityEvent.class, watch::onReachability)
              .build();
        });
  }

  private Behavior<ClusterEvent.ClusterDomainEvent> onMember(ClusterEvent.MemberEvent event) {
    Member member = event.member();
    if (member.hasRole(ClusterConfig.SCHEDULER_ROLE)) {
      if (event instanceof ClusterEvent.MemberUp || event instanceof ClusterEvent.MemberWeaklyUp) {
        members.add(member.uniqueAddress());
      } else if (!(event instanceof ClusterEvent.MemberJoined)) {
        members.remove(member.uniqueAddress());
        unreachable.remove(member.uniqueAddress());
      }
    }
    return tell();
  }

  private Behavior<ClusterEvent.ClusterDomainEvent> onReachability(
      ClusterEvent.ReachabilityEvent event) {
    UniqueAddress node = event.member().uniqueAddress();
    if (event instanceof ClusterEvent.UnreachableMember && members.contains(node)) {
      unreachable.add(node);
    } else {
      unreachable.remove(node);
    }
    return tell();
  }

  private Behavior<ClusterEvent.ClusterDomainEvent> tell() {
    Optional<UniqueAddress> now =
        members.stream().filter(node -> !unreachable.contains(node)).findFirst();
    if (!now.equals(known)) {
      known = now;
      listener.tell(new Found(now.map(node -> registrarAt(node.address()))));
    }
    return Behaviors.same();
  }

  private ActorRef<SupervisorToScheduler> registrarAt(Address address) {
    return ActorRefResolver.get(context.getSystem()).resolveActorRef(address + REGISTRAR);
  }
}
