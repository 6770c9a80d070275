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
import io.troupe.protocol.line.JobLineServer;
import io.troupe.scheduler.pool.PoolFact;
import io.troupe.scheduler.pool.SchedulerActor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Knows which supervisors are in the cluster: takes their registrations and reports, watches them,
 * and tells the scheduler, the queues and the watchers.
 */
public final class Supervisors {

  /** What it can be told. */
  public sealed interface Command {}

  private record Said(SupervisorToScheduler message) implements Command {}

  private record Gone(String supervisor, ActorRef<SchedulerToSupervisor> ref) implements Command {}

  private record LineOpened(String supervisor, String token, SupervisorLine line)
      implements Command {}

  private record LineEnded(String supervisor, SupervisorLine line) implements Command {}

  private record Heard(PoolFact fact) implements Command {}

  private record MemberChanged(ClusterEvent.MemberEvent event) implements Command {}

  /**
   * Takes registrations where {@link io.troupe.protocol.SchedulerWatch} looks for it, when it is
   * spawned as {@code /user/supervisors}.
   *
   * @param secrets where those of a pool are
   * @param host of the lines, as supervisors reach it
   * @param lines where supervisors open theirs
   */
  public static Behavior<Command> create(
      ActorRef<SchedulerActor.Command> scheduler,
      ActorRef<JobQueues.Command> queues,
      ActorRef<SupervisorFact> watcher,
      Function<String, SchedulerToSupervisor.SecretsAt> secrets,
      String host,
      JobLineServer lines) {
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
          return new Supervisors(scheduler, queues, watcher, secrets, host, lines, context)
              .running();
        });
  }

  private static Behavior<SupervisorToScheduler> registrar(ActorRef<Command> self) {
    return Behaviors.receiveMessage(
        message -> {
          self.tell(new Said(message));
          return Behaviors.same();
        });
  }

  /** A supervisor in the cluster. */
  private static final class Present {
    final ActorRef<SchedulerToSupervisor> ref;
    final String token = UUID.randomUUID().toString();
    SupervisorToScheduler.Register registration;
    long lastReport;
    @Nullable Open open;

    Present(SupervisorToScheduler.Register registration) {
      this.ref = registration.replyTo();
      this.registration = registration;
    }
  }

  /** Its job line. */
  private record Open(SupervisorLine line, ActorRef<SchedulerToSupervisor> speaker) {}

  private final ActorRef<SchedulerActor.Command> scheduler;
  private final ActorRef<JobQueues.Command> queues;
  private final ActorRef<SupervisorFact> watcher;
  private final Function<String, SchedulerToSupervisor.SecretsAt> secrets;
  private final String host;
  private final JobLineServer lines;
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
      String host,
      JobLineServer lines,
      ActorContext<Command> context) {
    this.scheduler = scheduler;
    this.queues = queues;
    this.watcher = watcher;
    this.secrets = secrets;
    this.host = host;
    this.lines = lines;
    this.context = context;
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(Said.class, said -> onSaid(said.message()))
        .onMessage(Gone.class, this::onGone)
        .onMessage(LineOpened.class, this::onLineOpened)
        .onMessage(LineEnded.class, this::onLineEnded)
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
    Present known = present.get(supervisor);
    if (known == null || !known.ref.equals(ref)) {
      if (known != null) {
        context.unwatch(known.ref);
        forget(supervisor, known);
      }
      watch(registration.address(), new Gone(supervisor, ref));
      known = new Present(registration);
      present.put(supervisor, known);
      expectLine(supervisor, known.token);
      context.getLog().info("Supervisor {} is here, at {}", supervisor, registration.address());
    }
    known.registration = registration;
    ref.tell(secrets.apply(registration.pool()));
    ref.tell(new SchedulerToSupervisor.Welcome(host, lines.port(), known.token));
    if (known.open != null) {
      // It has not heard of its queue, which may have ended before it took it in.
      join(registration, known.open.speaker());
    }
    scheduler.tell(
        new SchedulerActor.SupervisorUp(
            supervisor,
            registration.pool(),
            registration.agentId(),
            registration.executorId(),
            registration.address()));
    watcher.tell(new SupervisorFact.Joined(registration));
  }

  private void expectLine(String supervisor, String token) {
    ActorRef<Command> self = context.getSelf();
    lines.expect(
        token,
        connection -> {
          SupervisorLine line =
              new SupervisorLine(
                  supervisor, connection, ended -> self.tell(new LineEnded(supervisor, ended)));
          self.tell(new LineOpened(supervisor, token, line));
          return line;
        });
  }

  /** The supervisor is its queue's from here on, with what it said last that it holds. */
  private Behavior<Command> onLineOpened(LineOpened opened) {
    Present known = present.get(opened.supervisor());
    if (known == null || !known.token.equals(opened.token())) {
      opened.line().close();
      return Behaviors.same();
    }
    closeLine(opened.supervisor(), known);
    ActorRef<SchedulerToSupervisor> speaker =
        context.spawnAnonymous(opened.line().speaker(known.ref));
    known.open = new Open(opened.line(), speaker);
    join(known.registration, speaker);
    return Behaviors.same();
  }

  private void join(
      SupervisorToScheduler.Register registration, ActorRef<SchedulerToSupervisor> speaker) {
    queues.tell(new JobQueues.SupervisorJoined(registration.answeredTo(speaker)));
  }

  private Behavior<Command> onLineEnded(LineEnded ended) {
    Present known = present.get(ended.supervisor());
    if (known != null && known.open != null && known.open.line() == ended.line()) {
      closeLine(ended.supervisor(), known);
    }
    return Behaviors.same();
  }

  private void closeLine(String supervisor, Present known) {
    Open open = known.open;
    if (open != null) {
      known.open = null;
      open.line().close();
      context.stop(open.speaker());
      queues.tell(new JobQueues.SupervisorAway(known.registration.pool(), supervisor));
    }
  }

  private void forget(String supervisor, Present known) {
    lines.forget(known.token);
    closeLine(supervisor, known);
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
    if (known != null && report.sequence() > known.lastReport) {
      known.lastReport = report.sequence();
      watcher.tell(new SupervisorFact.Reported(report));
    }
  }

  private Behavior<Command> onGone(Gone gone) {
    Present known = present.get(gone.supervisor());
    if (known != null && known.ref.equals(gone.ref())) {
      present.remove(gone.supervisor());
      context.getLog().info("Supervisor {} has left the cluster", gone.supervisor());
      forget(gone.supervisor(), known);
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
