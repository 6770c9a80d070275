package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.ClusterEvent;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Subscribe;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.WireMessage;
import io.troupe.scheduler.pool.PoolFact;
import io.troupe.scheduler.pool.SchedulerActor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Knows which supervisors are in the cluster: takes their registrations and reports, watches them,
 * and tells the scheduler, the queues and the watchers.
 */
public final class Supervisors {

  /** What it can be told. */
  public sealed interface Command {}

  private record Said(SupervisorToScheduler message) implements Command {}

  private record Gone(String supervisor, ActorRef<SchedulerToSupervisor> ref) implements Command {}

  private record Heard(PoolFact fact) implements Command {}

  private record MemberChanged(ClusterEvent.MemberEvent event) implements Command {}

  /**
   * Takes registrations where {@link io.troupe.protocol.SchedulerWatch} looks for it, when it is
   * spawned as {@code /user/supervisors}.
   *
   * @param secrets where those of a pool are
   */
  public static Behavior<Command> create(
      ActorRef<SchedulerActor.Command> scheduler,
      ActorRef<JobQueues.Command> queues,
      ActorRef<SupervisorFact> watcher,
      Function<String, SchedulerToSupervisor.SecretsAt> secrets) {
    return Behaviors.setup(
        context -> {
          context.spawn(registrar(context.getSelf()), "registrar");
          Cluster.get(context.getSystem())
              .subscriptions()
              .tell(
                  Subscribe.create(
                      context.messageAdapter(ClusterEvent.MemberEvent.class, MemberChanged::new),
                      ClusterEvent.MemberEvent.class));
          scheduler.tell(
              new SchedulerActor.Subscribe(context.messageAdapter(PoolFact.class, Heard::new)));
          return new Supervisors(scheduler, queues, watcher, secrets, context).running();
        });
  }

  private static Behavior<SupervisorToScheduler> registrar(ActorRef<Command> self) {
    return Behaviors.receiveMessage(
        message -> {
          self.tell(new Said(message));
          return Behaviors.same();
        });
  }

  private record Present(String pool, ActorRef<SchedulerToSupervisor> ref, long lastReport) {}

  private final ActorRef<SchedulerActor.Command> scheduler;
  private final ActorRef<JobQueues.Command> queues;
  private final ActorRef<SupervisorFact> watcher;
  private final Function<String, SchedulerToSupervisor.SecretsAt> secrets;
  private final ActorContext<Command> context;
  private final Map<String, Present> present = new HashMap<>();

  /** Addresses of the nodes that have been let in, and of those that are full members. */
  private final Set<String> letIn = new HashSet<>();

  private final Set<String> members = new HashSet<>();

  /** Registrations heard before it was heard that their node was let in, by its address. */
  private final Map<String, SupervisorToScheduler.Register> early = new HashMap<>();

  /** Those on nodes that are no full members yet: only these can be watched. */
  private final Map<String, Gone> unwatched = new HashMap<>();

  private String frameworkId = "";

  private Supervisors(
      ActorRef<SchedulerActor.Command> scheduler,
      ActorRef<JobQueues.Command> queues,
      ActorRef<SupervisorFact> watcher,
      Function<String, SchedulerToSupervisor.SecretsAt> secrets,
      ActorContext<Command> context) {
    this.scheduler = scheduler;
    this.queues = queues;
    this.watcher = watcher;
    this.secrets = secrets;
    this.context = context;
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(Said.class, said -> onSaid(said.message()))
        .onMessage(Gone.class, this::onGone)
        .onMessage(Heard.class, heard -> onHeard(heard.fact()))
        .onMessage(MemberChanged.class, changed -> onMember(changed.event()))
        .build();
  }

  private Behavior<Command> onSaid(SupervisorToScheduler message) {
    if (message instanceof SupervisorToScheduler.Register registration) {
      onRegister(registration);
    } else if (message instanceof SupervisorToScheduler.Report report) {
      onReport(report);
    }
    return Behaviors.same();
  }

  private void onRegister(SupervisorToScheduler.Register registration) {
    if (registration.version() != WireMessage.VERSION) {
      refuse(
          registration,
          "It speaks version "
              + registration.version()
              + " of the protocol and this scheduler version "
              + WireMessage.VERSION
              + "; start its executor again with the scheduler's release");
    } else if (!frameworkId.isEmpty() && !frameworkId.equals(registration.frameworkId())) {
      refuse(
          registration,
          "It belongs to framework "
              + registration.frameworkId()
              + " and this scheduler runs "
              + frameworkId);
    } else if (letIn.contains(registration.address())) {
      welcome(registration);
    } else {
      early.put(registration.address(), registration);
    }
  }

  private Behavior<Command> onMember(ClusterEvent.MemberEvent event) {
    String address = event.member().address().toString();
    if (event instanceof ClusterEvent.MemberRemoved) {
      letIn.remove(address);
      members.remove(address);
      early.remove(address);
      Gone gone = unwatched.remove(address);
      return gone == null ? Behaviors.same() : onGone(gone);
    }
    if (event instanceof ClusterEvent.MemberUp || event instanceof ClusterEvent.MemberWeaklyUp) {
      members.add(address);
      Gone gone = unwatched.remove(address);
      if (gone != null) {
        context.watchWith(gone.ref(), gone);
      }
    }
    letIn.add(address);
    SupervisorToScheduler.Register registration = early.remove(address);
    if (registration != null) {
      onRegister(registration);
    }
    return Behaviors.same();
  }

  private void refuse(SupervisorToScheduler.Register registration, String reason) {
    context.getLog().warn("Supervisor {} is refused. {}", registration.supervisor(), reason);
    registration.replyTo().tell(new SchedulerToSupervisor.Refused(reason));
  }

  private void welcome(SupervisorToScheduler.Register registration) {
    String supervisor = registration.supervisor();
    ActorRef<SchedulerToSupervisor> ref = registration.replyTo();
    Present before = present.get(supervisor);
    if (before == null || !before.ref().equals(ref)) {
      if (before != null) {
        context.unwatch(before.ref());
      }
      watch(registration.address(), new Gone(supervisor, ref));
      present.put(supervisor, new Present(registration.pool(), ref, 0));
      context.getLog().info("Supervisor {} is here, at {}", supervisor, registration.address());
    }
    ref.tell(secrets.apply(registration.pool()));
    queues.tell(new JobQueues.SupervisorJoined(registration));
    scheduler.tell(
        new SchedulerActor.SupervisorUp(
            supervisor,
            registration.pool(),
            registration.agentId(),
            registration.executorId(),
            registration.address()));
    watcher.tell(new SupervisorFact.Joined(registration));
  }

  private void watch(String address, Gone gone) {
    if (members.contains(address)) {
      context.watchWith(gone.ref(), gone);
    } else {
      unwatched.put(address, gone);
    }
  }

  private void onReport(SupervisorToScheduler.Report report) {
    Present known = present.get(report.supervisor());
    if (known != null && report.sequence() > known.lastReport()) {
      present.put(report.supervisor(), new Present(known.pool(), known.ref(), report.sequence()));
      watcher.tell(new SupervisorFact.Reported(report));
    }
  }

  private Behavior<Command> onGone(Gone gone) {
    Present known = present.get(gone.supervisor());
    if (known != null && known.ref().equals(gone.ref())) {
      present.remove(gone.supervisor());
      context.getLog().info("Supervisor {} has left the cluster", gone.supervisor());
      queues.tell(new JobQueues.SupervisorAway(known.pool(), gone.supervisor()));
      scheduler.tell(new SchedulerActor.SupervisorDown(gone.supervisor()));
      watcher.tell(new SupervisorFact.Left(gone.supervisor()));
    }
    return Behaviors.same();
  }

  private Behavior<Command> onHeard(PoolFact fact) {
    if (fact instanceof PoolFact.FrameworkChanged framework) {
      frameworkId = framework.id().orElse("");
    }
    return Behaviors.same();
  }
}
