package io.troupe.scheduler.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import io.troupe.model.WorkerState;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.Parts;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SchedulerWatch;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.WireMessage;
import io.troupe.protocol.WorkerStatus;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * A supervisor without processes: finds the scheduler in the cluster, registers, pulls, and lets a
 * function say how each assignment ends. An assignment for which it says nothing is held until
 * {@link Release}.
 */
public final class FakeSupervisor {

  /** What it can be told. */
  public sealed interface Command {}

  /** Ends what is held, as the function says now. */
  public record Release(Function<Assignment, Optional<Outcome>> work) implements Command {}

  private record Found(SchedulerWatch.Found found) implements Command {}

  private record FromScheduler(SchedulerToSupervisor message) implements Command {}

  /** What each job has yielded. */
  private static final String PARTS = "\"a\"\n[1]\n";

  /** Who it is. */
  public record Identity(String pool, String executorId, String agentId, int capacity) {
    String supervisor() {
      return executorId + "@" + agentId;
    }
  }

  /** A result equal to the payload. */
  public static Optional<Outcome> echo(Assignment job) {
    return Optional.of(
        new Outcome(
            job.job(),
            job.attempt(),
            Outcome.Kind.SUCCEEDED,
            job.type(),
            job.payload(),
            null,
            "fake.0.1",
            5));
  }

  /** Registers as soon as it finds where. */
  public static Behavior<Command> create(
      Identity identity, Function<Assignment, Optional<Outcome>> work) {
    return Behaviors.setup(
        context -> {
          context.spawn(
              SchedulerWatch.create(context.messageAdapter(SchedulerWatch.Found.class, Found::new)),
              "scheduler-watch");
          return new FakeSupervisor(identity, work, context).running();
        });
  }

  private final Identity identity;
  private final ActorContext<Command> context;
  private final ActorRef<SchedulerToSupervisor> inbox;
  private final Map<AttemptRef, Assignment> held = new LinkedHashMap<>();
  private Function<Assignment, Optional<Outcome>> work;
  private Optional<ActorRef<SupervisorToQueue>> queue = Optional.empty();
  private long sequence;

  private FakeSupervisor(
      Identity identity,
      Function<Assignment, Optional<Outcome>> work,
      ActorContext<Command> context) {
    this.identity = identity;
    this.work = work;
    this.context = context;
    this.inbox = context.messageAdapter(SchedulerToSupervisor.class, FromScheduler::new);
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(Found.class, this::onFound)
        .onMessage(FromScheduler.class, from -> onFromScheduler(from.message()))
        .onMessage(Release.class, this::onRelease)
        .build();
  }

  private Behavior<Command> onFound(Found found) {
    found.found().scheduler().ifPresent(scheduler -> scheduler.tell(registration()));
    return Behaviors.same();
  }

  private SupervisorToScheduler.Register registration() {
    return new SupervisorToScheduler.Register(
        identity.supervisor(),
        WireMessage.VERSION,
        1,
        identity.pool(),
        "framework",
        identity.agentId(),
        identity.executorId(),
        "localhost",
        context.getSystem().address().toString(),
        List.copyOf(held.keySet()),
        List.of(worker()),
        inbox);
  }

  private static WorkerStatus worker() {
    return new WorkerStatus(
        "fake.0.1",
        "fake.0.1",
        WorkerState.READY,
        0,
        null,
        null,
        0,
        null,
        new WorkerStatus.ProcessStatus(4711, 12_000_000, 1.5, 1_700_000_000_000L, "python3 -m x"),
        List.of(),
        List.of());
  }

  private Behavior<Command> onFromScheduler(SchedulerToSupervisor message) {
    if (message instanceof SchedulerToSupervisor.Registered registered) {
      queue = Optional.of(registered.queue());
      registered
          .queue()
          .tell(new SupervisorToQueue.Pull(identity.supervisor(), identity.capacity()));
    } else if (message instanceof SchedulerToSupervisor.Assign assign) {
      run(assign.assignments());
    } else if (message instanceof SchedulerToSupervisor.ReadParts read) {
      read.replyTo()
          .tell(read.place() == 0 ? new Parts(8, PARTS.getBytes(UTF_8)) : Parts.noneSince(8));
    } else if (message instanceof SchedulerToSupervisor.Cancel cancel) {
      onCancel(cancel.attempts());
    }
    return Behaviors.same();
  }

  private void run(List<Assignment> assignments) {
    List<Outcome> outcomes = new ArrayList<>(assignments.size());
    for (Assignment assignment : assignments) {
      work.apply(assignment)
          .ifPresentOrElse(outcomes::add, () -> held.put(assignment.ref(), assignment));
    }
    settle(outcomes);
  }

  private void settle(List<Outcome> outcomes) {
    if (!outcomes.isEmpty()) {
      queue.ifPresent(
          ref ->
              ref.tell(
                  new SupervisorToQueue.Settle(
                      identity.supervisor(), ++sequence, outcomes, identity.capacity())));
    }
  }

  private void onCancel(List<AttemptRef> attempts) {
    List<Outcome> outcomes = new ArrayList<>();
    for (AttemptRef attempt : attempts) {
      Assignment job = held.remove(attempt);
      if (job != null) {
        outcomes.add(
            new Outcome(
                job.job(),
                job.attempt(),
                Outcome.Kind.CANCELLED,
                job.type(),
                new byte[0],
                null,
                "",
                0));
      }
    }
    settle(outcomes);
  }

  private Behavior<Command> onRelease(Release release) {
    work = release.work();
    List<Assignment> again = List.copyOf(held.values());
    held.clear();
    run(again);
    return Behaviors.same();
  }
}
