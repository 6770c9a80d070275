package io.troupe.scheduler.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.PostStop;
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
import io.troupe.protocol.codec.JobLineCodec;
import io.troupe.protocol.line.EventLoop;
import io.troupe.protocol.line.JobLine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
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

  /** Cuts its job line; it opens another. */
  public enum Cut implements Command {
    NOW
  }

  /** Ends what is held, as the function says now. */
  public record Release(Function<Assignment, Optional<Outcome>> work) implements Command {}

  private record Found(SchedulerWatch.Found found) implements Command {}

  private record FromScheduler(SchedulerToSupervisor message) implements Command {}

  private record LineEnded(int number) implements Command {}

  private record RegisterAgain() implements Command {}

  private record ToQueue(SupervisorToQueue message) implements Command {}

  private static final Duration REGISTER_AFTER = Duration.ofMillis(100);

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
          return new FakeSupervisor(identity, work, EventLoop.start("fake-lines"), context)
              .running();
        });
  }

  private final Identity identity;
  private final ActorContext<Command> context;
  private final EventLoop loop;
  private final ActorRef<SchedulerToSupervisor> inbox;
  private final ActorRef<SupervisorToQueue> queue;
  private final Map<AttemptRef, Assignment> held = new LinkedHashMap<>();
  private Function<Assignment, Optional<Outcome>> work;
  private Optional<ActorRef<SupervisorToScheduler>> scheduler = Optional.empty();
  private Optional<JobLine> line = Optional.empty();
  private int lines;
  private long sequence;

  private FakeSupervisor(
      Identity identity,
      Function<Assignment, Optional<Outcome>> work,
      EventLoop loop,
      ActorContext<Command> context) {
    this.identity = identity;
    this.work = work;
    this.loop = loop;
    this.context = context;
    this.queue = context.messageAdapter(SupervisorToQueue.class, ToQueue::new);
    this.inbox = context.messageAdapter(SchedulerToSupervisor.class, FromScheduler::new);
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(Found.class, this::onFound)
        .onMessage(FromScheduler.class, from -> onFromScheduler(from.message()))
        .onMessage(ToQueue.class, to -> onToQueue(to.message()))
        .onMessage(Release.class, this::onRelease)
        .onMessageEquals(Cut.NOW, this::onCut)
        .onMessage(LineEnded.class, this::onLineEnded)
        .onMessage(RegisterAgain.class, again -> register())
        .onSignal(PostStop.class, stopped -> onStopped())
        .build();
  }

  private Behavior<Command> onStopped() {
    try {
      loop.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Behaviors.same();
  }

  private Behavior<Command> onToQueue(SupervisorToQueue message) {
    line.ifPresent(open -> open.send(JobLineCodec.write(message)));
    return Behaviors.same();
  }

  private JobLine open(SchedulerToSupervisor.Welcome welcome) {
    int number = ++lines;
    ActorRef<Command> self = context.getSelf();
    try {
      return JobLine.connect(
          loop,
          new InetSocketAddress(welcome.host(), welcome.port()),
          welcome.token(),
          new JobLine.Listener() {
            @Override
            public void received(ByteBuffer message) {
              self.tell(new FromScheduler(JobLineCodec.readForSupervisor(message, queue)));
            }

            @Override
            public void ended(String why) {
              self.tell(new LineEnded(number));
            }
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Behavior<Command> onFound(Found found) {
    scheduler = found.found().scheduler();
    return register();
  }

  private Behavior<Command> register() {
    scheduler.ifPresent(known -> known.tell(registration()));
    return Behaviors.same();
  }

  private Behavior<Command> onCut() {
    line.ifPresent(JobLine::close);
    return Behaviors.same();
  }

  private Behavior<Command> onLineEnded(LineEnded ended) {
    if (ended.number() != lines) {
      return Behaviors.same();
    }
    line = Optional.empty();
    context.scheduleOnce(REGISTER_AFTER, context.getSelf(), new RegisterAgain());
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
    if (message instanceof SchedulerToSupervisor.Welcome welcome) {
      line = Optional.of(open(welcome));
    } else if (message instanceof SchedulerToSupervisor.Registered registered) {
      registered
          .queue()
          .tell(new SupervisorToQueue.Pull(identity.supervisor(), identity.capacity()));
      runHeld();
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
      queue.tell(
          new SupervisorToQueue.Settle(
              identity.supervisor(), ++sequence, outcomes, identity.capacity()));
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
    runHeld();
    return Behaviors.same();
  }

  private void runHeld() {
    List<Assignment> again = List.copyOf(held.values());
    held.clear();
    run(again);
  }
}
