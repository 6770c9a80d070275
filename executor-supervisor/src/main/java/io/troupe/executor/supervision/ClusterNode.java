package io.troupe.executor.supervision;

import akka.actor.Address;
import akka.actor.AddressFromURIString;
import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.PostStop;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.JoinSeedNodes;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SchedulerWatch;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.line.EventLoop;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The guardian of one node in the scheduler's cluster: joins when it is told which, finds the
 * scheduler, opens the job line that it offers, and passes its messages on to the supervisor, which
 * lives in another ActorSystem.
 */
final class ClusterNode {

  /** What it can be told. */
  sealed interface Command {}

  /** Which cluster it is to be a member of; told once. */
  record Join(ClusterInfo info, int generation, ActorRef<Supervisor.Command> supervisor)
      implements Command {}

  private record Found(SchedulerWatch.Found found) implements Command {}

  private record Heard(SchedulerToSupervisor message) implements Command {}

  private record LineEnded(QueueLine line, String why) implements Command {}

  private enum RegisterAgain implements Command {
    NOW
  }

  /** One that ends again and again shall not be opened again and again without a pause. */
  private static final Duration REGISTER_AFTER = Duration.ofSeconds(1);

  private final ActorContext<Command> context;
  private final EventLoop loop;
  private final Join order;
  private final ActorRef<SchedulerToSupervisor> inbox;
  private final String address;
  private Optional<ActorRef<SupervisorToScheduler>> scheduler = Optional.empty();
  private @Nullable QueueLine line;

  /**
   * A node.
   *
   * @param loop on whose thread it runs
   */
  static Behavior<Command> create(EventLoop loop) {
    return Behaviors.setup(
        context ->
            Behaviors.receive(Command.class)
                .onMessage(Join.class, order -> new ClusterNode(context, loop, order).member())
                .build());
  }

  private ClusterNode(ActorContext<Command> context, EventLoop loop, Join order) {
    Cluster cluster = Cluster.get(context.getSystem());
    this.context = context;
    this.loop = loop;
    this.order = order;
    this.inbox = context.messageAdapter(SchedulerToSupervisor.class, Heard::new);
    this.address = cluster.selfMember().address().toString();
    List<Address> seeds = order.info().seeds().stream().map(AddressFromURIString::parse).toList();
    cluster.manager().tell(new JoinSeedNodes(seeds));
    context.spawn(
        SchedulerWatch.create(context.messageAdapter(SchedulerWatch.Found.class, Found::new)),
        "scheduler-watch");
  }

  private Behavior<Command> member() {
    return Behaviors.receive(Command.class)
        .onMessage(Heard.class, heard -> onHeard(heard.message()))
        .onMessage(LineEnded.class, this::onLineEnded)
        .onMessageEquals(RegisterAgain.NOW, this::onRegisterAgain)
        .onMessage(Found.class, found -> onFound(found.found()))
        .onSignal(PostStop.class, stopped -> onStopped())
        .build();
  }

  private Behavior<Command> onFound(SchedulerWatch.Found found) {
    scheduler = found.scheduler();
    closeLine();
    if (scheduler.isPresent()) {
      tellSeen(scheduler.get());
    } else {
      order.supervisor().tell(new Supervisor.SchedulerGone(order.generation()));
    }
    return Behaviors.same();
  }

  private void tellSeen(ActorRef<SupervisorToScheduler> ref) {
    order.supervisor().tell(new Supervisor.SchedulerSeen(order.generation(), ref, inbox, address));
  }

  private Behavior<Command> onHeard(SchedulerToSupervisor message) {
    if (message instanceof SchedulerToSupervisor.Welcome welcome) {
      open(welcome);
    } else {
      passOn(message);
    }
    return Behaviors.same();
  }

  private void passOn(SchedulerToSupervisor message) {
    order.supervisor().tell(new Supervisor.FromScheduler(order.generation(), message));
  }

  private void open(SchedulerToSupervisor.Welcome welcome) {
    if (scheduler.isEmpty() || (line != null && line.isOpenedBy(welcome))) {
      return;
    }
    boolean inUse = line != null && line.wasUsed();
    closeLine();
    ActorRef<Command> self = context.getSelf();
    try {
      line =
          new QueueLine(
              loop,
              welcome,
              context::spawnAnonymous,
              this::passOn,
              (ended, why) -> self.tell(new LineEnded(ended, why)));
    } catch (IOException e) {
      context.getLog().warn("The job line cannot be opened: {}", e.getMessage());
    }
    if (inUse) {
      scheduler.ifPresent(this::tellSeen);
    }
  }

  /** A supervisor that has lost its line registers again; one that has had none does so anyway. */
  private Behavior<Command> onLineEnded(LineEnded ended) {
    if (line != ended.line()) {
      return Behaviors.same();
    }
    closeLine();
    if (ended.line().wasUsed()) {
      context.getLog().info("The job line is over. {}", ended.why());
      context.scheduleOnce(REGISTER_AFTER, context.getSelf(), RegisterAgain.NOW);
    } else if (!ended.why().isEmpty()) {
      context.getLog().warn("No job line: {}", ended.why());
    }
    return Behaviors.same();
  }

  private Behavior<Command> onRegisterAgain() {
    if (line == null) {
      scheduler.ifPresent(this::tellSeen);
    }
    return Behaviors.same();
  }

  private void closeLine() {
    if (line != null) {
      line.close();
      context.stop(line.speaker());
      line = null;
    }
  }

  private Behavior<Command> onStopped() {
    closeLine();
    return Behaviors.same();
  }
}
