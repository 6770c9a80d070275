package io.troupe.executor.supervision;

import static java.nio.charset.StandardCharsets.UTF_8;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.BehaviorBuilder;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import io.troupe.executor.supervision.Endings.Doom;
import io.troupe.model.Cause;
import io.troupe.model.WorkerProtocol;
import io.troupe.model.WorkerState;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.Parts;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.WorkerStatus.ProcessStatus;
import io.troupe.protocol.codec.Frame;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps one server process alive and gives it jobs: starts it, starts it again after a crash, stops
 * it with grace. The module's README draws the states.
 */
final class Worker {
  sealed interface Command {}

  /** Runs jobs; answered by {@link WorkerFact.Settled}, sooner or later, for each. */
  record Run(List<Assignment> jobs) implements Command {}

  /** Ends those of these attempts that it has. */
  record Cancel(List<AttemptRef> attempts) implements Command {}

  /**
   * Has its process give back what it has been sent behind the job that runs, and not begun. One
   * that is between two jobs cannot be asked, but a moment later.
   */
  enum Recall implements Command {
    NOW,
    /** The second and last time. */
    AGAIN
  }

  private static final Duration RECALL_AGAIN_AFTER = Duration.ofMillis(2);

  /**
   * Has its process send results that it keeps back, as it has begun no job since the last one of
   * these: they wait there behind a job that turned out slow.
   */
  enum Nudge implements Command {
    NOW
  }

  /** Asks what an attempt that it may have has yielded since that place. */
  record ReadParts(AttemptRef attempt, long place, ActorRef<Parts> replyTo) implements Command {}

  /** Ends for good: with SIGKILL at the latest when the grace is over. A second one may shorten. */
  record Stop(Duration grace) implements Command {}

  /** Says how it is. */
  enum Sample implements Command {
    NOW
  }

  private record FromServer(int start, ServerEvent event) implements Command {}

  private enum Timer implements Command {
    PREPARE_DEADLINE,
    START_DEADLINE,
    STABLE,
    RELAUNCH,
    JOB_DEADLINE,
    DRAIN_OVER,
    INTERRUPT_OVER,
    TERMINATE_OVER,
    LOOK_OVER,
    HUNG_UP_FOR_LONG,
    LISTEN_FOR_HEARTBEAT,
    OLD,
    REPLACEMENT_DEADLINE,
    RETIRED_OVER
  }

  /** How often a heartbeat is listened for in the time in which there has to be one. */
  private static final int HEARTBEAT_LOOKS = 4;

  /** A process that closed its socket is about to exit; it gets so long. */
  private static final Duration HUNG_UP_GRACE = Duration.ofSeconds(2);

  private final String id;
  private final TaskData.Worker spec;
  private final WorkerSettings settings;
  private final ServerLauncher launcher;
  private final ActorRef<WorkerFact> supervisor;
  private final LongSupplier nanoClock;
  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;

  private final WorkerLife life = new WorkerLife();
  private final Wear wear;
  private final Map<Long, Heartbeat> heartbeats = new HashMap<>();

  /** How many jobs its process runs at once. */
  private final int width;

  /** Numbers of the current start and of the last one. */
  private int current;

  private int starts;
  private long rss;
  private int crashes;
  private @Nullable Cause lastCause;
  private @Nullable Doom doom;
  private long deadlineArmed;
  private long nudgeNext;

  /** The jobs that were interrupted, and why their process goes down if they do not end. */
  private final Endings endings = new Endings();

  /** A process that starts to take the place of the current one. */
  private @Nullable ServerProcess replacement;

  /** The one whose place was taken, which was told to end. */
  private @Nullable ServerProcess retired;

  /** How the steps from here to SIGKILL are timed. */
  private Ladder ladder;

  static Behavior<Command> create(
      String id,
      TaskData.Worker spec,
      WorkerSettings settings,
      ServerLauncher launcher,
      LongSupplier nanoClock,
      ActorRef<WorkerFact> supervisor) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers ->
                    new Worker(id, spec, settings, launcher, nanoClock, supervisor, context, timers)
                        .launch()));
  }

  private Worker(
      String id,
      TaskData.Worker spec,
      WorkerSettings settings,
      ServerLauncher launcher,
      LongSupplier nanoClock,
      ActorRef<WorkerFact> supervisor,
      ActorContext<Command> context,
      TimerScheduler<Command> timers) {
    this.id = id;
    this.spec = spec;
    this.settings = settings;
    this.launcher = launcher;
    this.nanoClock = nanoClock;
    this.supervisor = supervisor;
    this.context = context;
    this.timers = timers;
    this.wear = new Wear(spec.upkeep());
    this.width = spec.serving().concurrency();
    this.ladder = Ladder.ending(settings.cancelGrace());
  }

  // ---- starting

  private Behavior<Command> launch() {
    doom = null;
    endings.clear();
    ServerProcess server = startProcess();
    current = starts;
    if (spec.preparation().isZero()) {
      return started(server);
    }
    timers.startSingleTimer(Timer.PREPARE_DEADLINE, spec.preparation());
    changed(WorkerState.PREPARING, server);
    return preparing(server);
  }

  private Behavior<Command> started(ServerProcess server) {
    timers.startSingleTimer(Timer.START_DEADLINE, spec.startTimeout());
    changed(WorkerState.STARTING, server);
    return starting(server);
  }

  private ServerProcess startProcess() {
    starts++;
    int start = starts;
    ActorRef<Command> self = context.getSelf();
    return launcher.start(id, spec, event -> self.tell(new FromServer(start, event)));
  }

  private Behavior<Command> preparing(ServerProcess server) {
    return receive()
        .onMessage(FromServer.class, this::current, m -> onEventWhilePreparing(m.event(), server))
        .onMessage(Run.class, run -> refuse(run.jobs()))
        .onMessage(Stop.class, stop -> stopping(server, new JobPipe(id, width), stop.grace()))
        .onMessageEquals(Sample.NOW, () -> changed(WorkerState.PREPARING, server))
        .onMessageEquals(Timer.PREPARE_DEADLINE, () -> onPreparedTooLate(server))
        .onMessageEquals(Timer.LOOK_OVER, () -> kill(server))
        .onAnyMessage(Worker::ignore)
        .build();
  }

  private Behavior<Command> onPreparedTooLate(ServerProcess server) {
    String message =
        (spec.container().isEmpty()
                ? "its requirements were not installed within "
                : "its image was not there within ")
            + spec.preparation().toSeconds()
            + " s";
    return lookAndKill(server, new Doom(Cause.Kind.TIMEOUT, message, true));
  }

  /** What took too long once would do so again, so there is no other start. */
  private Behavior<Command> onEventWhilePreparing(ServerEvent event, ServerProcess server) {
    if (event instanceof ServerEvent.Prepared) {
      timers.cancel(Timer.PREPARE_DEADLINE);
      return started(server);
    }
    if (event instanceof ServerEvent.Ended ended) {
      return doom == null
          ? ended(ended, false, server, new JobPipe(id, width))
          : giveUp(server, new JobPipe(id, width), causeOf(ended, false));
    }
    return changed(WorkerState.PREPARING, server); // Started: now it has a pid
  }

  private Behavior<Command> starting(ServerProcess server) {
    return receive()
        .onMessage(FromServer.class, this::current, m -> onEventWhileStarting(m.event(), server))
        .onMessage(Run.class, run -> refuse(run.jobs()))
        .onMessage(Stop.class, stop -> stopping(server, new JobPipe(id, width), stop.grace()))
        .onMessageEquals(Sample.NOW, () -> changed(WorkerState.STARTING, server))
        .onMessageEquals(Timer.HUNG_UP_FOR_LONG, () -> lookAndKill(server, DEAF))
        .onMessageEquals(Timer.LOOK_OVER, () -> kill(server))
        .onMessageEquals(
            Timer.START_DEADLINE,
            () ->
                lookAndKill(
                    server,
                    new Doom(
                        Cause.Kind.TIMEOUT,
                        "the process was not ready within "
                            + spec.startTimeout().toSeconds()
                            + " s",
                        true)))
        .onAnyMessage(Worker::ignore)
        .build();
  }

  private Behavior<Command> onEventWhileStarting(ServerEvent event, ServerProcess server) {
    if (event instanceof ServerEvent.Answered) {
      timers.cancel(Timer.START_DEADLINE);
      return ready(server);
    }
    if (event instanceof ServerEvent.Ended ended) {
      return ended(ended, false, server, new JobPipe(id, width));
    }
    if (event instanceof ServerEvent.HungUp hungUp) {
      return onHungUp(hungUp, server);
    }
    changed(WorkerState.STARTING, server); // Started: now it has a pid
    return Behaviors.same();
  }

  // ---- running

  private Behavior<Command> ready(ServerProcess server) {
    doom = null;
    endings.clear();
    heartbeats.clear(); // each process numbers its jobs from 1
    timers.startSingleTimer(Timer.STABLE, settings.stableAfter());
    wear.anew(nanoClock.getAsLong(), ThreadLocalRandom.current().nextDouble());
    wear.age().ifPresent(age -> timers.startSingleTimer(Timer.OLD, age));
    changed(WorkerState.READY, server);
    return running(server, new JobPipe(id, width));
  }

  private Behavior<Command> running(ServerProcess server, JobPipe pipe) {
    return receive()
        .onMessage(FromServer.class, this::current, m -> onEvent(m.event(), server, pipe))
        .onMessage(Run.class, run -> run(run.jobs(), server, pipe))
        .onMessage(Cancel.class, cancel -> cancel(cancel.attempts(), server, pipe))
        .onMessage(ReadParts.class, read -> readParts(read, server, pipe))
        .onMessage(Recall.class, recall -> recall(recall, server, pipe))
        .onMessage(Stop.class, stop -> drain(server, pipe, stop.grace()))
        .onMessageEquals(Timer.JOB_DEADLINE, () -> onJobDeadline(server, pipe))
        .onMessageEquals(Timer.INTERRUPT_OVER, () -> onInterruptOver(server, pipe))
        .onMessageEquals(Timer.TERMINATE_OVER, () -> onTerminateOver(server))
        .onMessageEquals(Timer.LOOK_OVER, () -> kill(server))
        .onMessageEquals(Nudge.NOW, () -> nudge(server, pipe))
        .onMessageEquals(Timer.HUNG_UP_FOR_LONG, () -> lookAndKill(server, DEAF))
        .onMessageEquals(Timer.STABLE, this::onStable)
        .onMessage(
            FromServer.class, this::isReplacement, m -> onReplacement(m.event(), server, pipe))
        .onMessageEquals(Timer.LISTEN_FOR_HEARTBEAT, () -> listen(server, pipe))
        .onMessageEquals(Timer.OLD, () -> recycleIfWorn(server, pipe))
        .onMessageEquals(Timer.REPLACEMENT_DEADLINE, this::killReplacement)
        .onMessageEquals(Timer.RETIRED_OVER, this::killRetired)
        .onMessageEquals(Sample.NOW, () -> onSampleWhileRunning(server, pipe))
        .onAnyMessage(Worker::ignore)
        .build();
  }

  private Behavior<Command> onSampleWhileRunning(ServerProcess server, JobPipe pipe) {
    changed(WorkerState.READY, server);
    return recycleIfWorn(server, pipe);
  }

  private Behavior<Command> run(List<Assignment> jobs, ServerProcess server, JobPipe pipe) {
    List<Frame> frames = pipe.add(jobs, nanoClock.getAsLong());
    armDeadline(pipe);
    armHeartbeat(server, pipe);
    if (!frames.isEmpty()) {
      server.name(frames.get(0).id(), jobs.stream().map(Assignment::job).toList());
    }
    server.send(frames); // last, so that seeing the jobs means the timers are armed
    return Behaviors.same();
  }

  private Behavior<Command> onEvent(ServerEvent event, ServerProcess server, JobPipe pipe) {
    Behavior<Command> next = onEventWhileRunning(event, server, pipe);
    return event instanceof ServerEvent.Received ? recycleIfWorn(server, pipe) : next;
  }

  private Behavior<Command> onEventWhileRunning(
      ServerEvent event, ServerProcess server, JobPipe pipe) {
    if (event instanceof ServerEvent.Received received) {
      return onReceived(received, server, pipe);
    }
    if (event instanceof ServerEvent.Ended ended) {
      return ended(ended, true, server, pipe);
    }
    if (event instanceof ServerEvent.HungUp hungUp) {
      return onHungUp(hungUp, server);
    }
    return Behaviors.same();
  }

  private Behavior<Command> onReceived(
      ServerEvent.Received received, ServerProcess server, JobPipe pipe) {
    List<Outcome> outcomes = new ArrayList<>(received.frames().size());
    List<Assignment> returned = new ArrayList<>(0);
    try {
      pipe.answered(received.frames(), nanoClock.getAsLong(), outcomes, returned);
    } catch (IllegalArgumentException e) {
      return doomed(
          server, new Doom(Cause.Kind.USER, "the process was killed: " + e.getMessage(), true));
    } finally {
      if (!outcomes.isEmpty() || !returned.isEmpty()) { // what came before a bad frame counts
        outcomes.replaceAll(outcome -> withOwnFile(outcome, server));
        supervisor.tell(new WorkerFact.Settled(id, outcomes, returned));
      }
    }
    crashes = outcomes.isEmpty() ? crashes : 0;
    wear.did(outcomes.size());
    endings.keepRunning(pipe);
    armDeadline(pipe);
    interruptIfUnwanted(server, pipe);
    return Behaviors.same();
  }

  /** Files are moved away and sent as results: a job may not name any but its own. */
  private static Outcome withOwnFile(Outcome outcome, ServerProcess server) {
    if (!outcome.type().isBlob() || server.mayHandOver(new String(outcome.body(), UTF_8))) {
      return outcome;
    }
    return outcome.lost(
        Cause.of(Cause.Kind.USER, "its result is said to be where its process wrote no file"));
  }

  private Behavior<Command> onHungUp(ServerEvent.HungUp hungUp, ServerProcess server) {
    if (!hungUp.why().isEmpty()) {
      return doomed(
          server, new Doom(Cause.Kind.USER, "the process was killed: " + hungUp.why(), true));
    }
    timers.startSingleTimer(Timer.HUNG_UP_FOR_LONG, HUNG_UP_GRACE);
    return Behaviors.same();
  }

  private Behavior<Command> onStable() {
    crashes = 0;
    return Behaviors.same();
  }

  // ---- time limits and cancelling

  private void armDeadline(JobPipe pipe) {
    OptionalLong deadline = pipe.nextDeadline();
    if (deadline.isEmpty()) {
      return; // an armed timer finds nothing to do
    }
    boolean armed = timers.isTimerActive(Timer.JOB_DEADLINE);
    if (!armed || deadline.getAsLong() < deadlineArmed) {
      deadlineArmed = deadline.getAsLong();
      long left = Math.max(1, deadlineArmed - nanoClock.getAsLong());
      timers.startSingleTimer(Timer.JOB_DEADLINE, Duration.ofNanos(left));
    }
  }

  private Behavior<Command> onJobDeadline(ServerProcess server, JobPipe pipe) {
    OptionalLong deadline = pipe.nextDeadline();
    long now = nanoClock.getAsLong();
    if (deadline.isEmpty()) {
      return Behaviors.same();
    }
    if (width == 1
        && deadline.getAsLong() <= now
        && server.begun().orElse(pipe.head()) > pipe.head()) {
      pipe.headMoved(now); // its result only waits to be sent
    }
    Behavior<Command> next = Behaviors.same();
    for (JobPipe.Late late : pipe.late(now)) {
      String message = "the job ran longer than its timeout of " + late.timeoutMillis() + " ms";
      next = runOut(late.id(), message, server, pipe);
    }
    armDeadline(pipe);
    return next;
  }

  private Behavior<Command> runOut(long job, String message, ServerProcess server, JobPipe pipe) {
    pipe.giveUp(job, Cause.of(Cause.Kind.TIMEOUT, message));
    return end(job, server, pipe, new Doom(Cause.Kind.TIMEOUT, message, false));
  }

  /** Jobs of this pool have to say again and again that they are alive. */
  private void armHeartbeat(ServerProcess server, JobPipe pipe) {
    Duration limit = spec.upkeep().heartbeat();
    if (!limit.isZero() && !timers.isTimerActive(Timer.LISTEN_FOR_HEARTBEAT)) {
      hear(server, pipe);
      timers.startSingleTimer(Timer.LISTEN_FOR_HEARTBEAT, limit.dividedBy(HEARTBEAT_LOOKS));
    }
  }

  /** The jobs that run, as far as is known, with what was heard of each. */
  private List<Long> hear(ServerProcess server, JobPipe pipe) {
    long now = nanoClock.getAsLong();
    List<Long> running = pipe.undisturbed();
    if (width == 1 && server.begun().orElse(0L) > pipe.head()) {
      running = List.of(); // the result of the one that seems to run only waits to be sent
    }
    heartbeats.keySet().retainAll(running);
    for (long job : running) {
      heartbeats.computeIfAbsent(job, key -> new Heartbeat(now)).heard(server.beats(job), now);
    }
    return running;
  }

  private Behavior<Command> listen(ServerProcess server, JobPipe pipe) {
    if (pipe.isEmpty()) {
      return Behaviors.same(); // the next job arms it again
    }
    Duration limit = spec.upkeep().heartbeat();
    timers.startSingleTimer(Timer.LISTEN_FOR_HEARTBEAT, limit.dividedBy(HEARTBEAT_LOOKS));
    Behavior<Command> next = Behaviors.same();
    for (long job : hear(server, pipe)) {
      Heartbeat heartbeat = Objects.requireNonNull(heartbeats.get(job));
      if (heartbeat.silence(nanoClock.getAsLong()).compareTo(limit) >= 0) {
        String message = "the job gave no sign of life for " + limit.toMillis() + " ms";
        next = runOut(job, message, server, pipe);
      }
    }
    return next;
  }

  /**
   * When the process has begun a job later than the first unanswered one, it keeps results back.
   */
  private Behavior<Command> nudge(ServerProcess server, JobPipe pipe) {
    long begun = server.begun().orElse(0L);
    if (pipe.head() > 0 && begun > pipe.head() && begun == nudgeNext) {
      server.nudge(begun);
    }
    nudgeNext = begun;
    return Behaviors.same();
  }

  private Behavior<Command> recall(Recall recall, ServerProcess server, JobPipe pipe) {
    long begun = server.begun().orElse(0L);
    OptionalLong last = pipe.recall(begun);
    if (last.isPresent()) {
      server.recall(begun, last.getAsLong());
    } else if (recall == Recall.NOW && begun < pipe.head()) {
      timers.startSingleTimer(Recall.AGAIN, RECALL_AGAIN_AFTER);
    }
    return Behaviors.same();
  }

  private Behavior<Command> cancel(List<AttemptRef> attempts, ServerProcess server, JobPipe pipe) {
    pipe.cancel(attempts);
    interruptIfUnwanted(server, pipe);
    return Behaviors.same();
  }

  private static Behavior<Command> readParts(ReadParts read, ServerProcess server, JobPipe pipe) {
    pipe.idOf(read.attempt())
        .ifPresentOrElse(
            job -> server.readParts(job, read.place(), read.replyTo()::tell),
            () -> read.replyTo().tell(Parts.noneSince(read.place())));
    return Behaviors.same();
  }

  /** A cancelled job that has begun is interrupted. */
  private void interruptIfUnwanted(ServerProcess server, JobPipe pipe) {
    for (long job : pipe.unwanted()) {
      end(job, server, pipe, new Doom(Cause.Kind.KILLED, "the job was cancelled", false));
    }
  }

  // ---- the ladder to SIGKILL

  /**
   * Interrupts a running job; its process goes down step by step if the job does not end. A server
   * that speaks HTTP does not hear of the interrupt, so a job that hangs there would hang on behind
   * the next ones: only when it is cancelled it is left at that.
   */
  private Behavior<Command> end(long job, ServerProcess server, JobPipe pipe, Doom why) {
    if (!pipe.tellToEnd(job)) {
      return Behaviors.same();
    }
    ladder = Ladder.ending(settings.cancelGrace());
    if (spec.protocol() == WorkerProtocol.HTTP && why.kind() == Cause.Kind.TIMEOUT) {
      return terminate(server, why, ladder.interrupt().plus(ladder.terminate()));
    }
    endings.add(job, why, nanoClock.getAsLong(), ladder.interrupt());
    if (!timers.isTimerActive(Timer.INTERRUPT_OVER)) {
      timers.startSingleTimer(Timer.INTERRUPT_OVER, ladder.interrupt());
    }
    server.interrupt(job);
    return Behaviors.same();
  }

  private Behavior<Command> onInterruptOver(ServerProcess server, JobPipe pipe) {
    endings.keepRunning(pipe);
    long now = nanoClock.getAsLong();
    Optional<Doom> why = endings.overdue(now);
    if (why.isPresent()) {
      return terminate(server, why.get(), ladder.terminate());
    }
    endings
        .next()
        .ifPresent(
            next -> timers.startSingleTimer(Timer.INTERRUPT_OVER, Duration.ofNanos(next - now)));
    return Behaviors.same();
  }

  private Behavior<Command> terminate(ServerProcess server, Doom why, Duration patience) {
    if (doom == null) {
      doom = why;
    }
    timers.startSingleTimer(Timer.TERMINATE_OVER, patience);
    server.recordStacks();
    server.terminate();
    return Behaviors.same();
  }

  private Behavior<Command> onTerminateOver(ServerProcess server) {
    timers.startSingleTimer(Timer.LOOK_OVER, ladder.look());
    server.recordStacks();
    return Behaviors.same();
  }

  private static Behavior<Command> kill(ServerProcess server) {
    server.kill();
    return Behaviors.same();
  }

  /** For a process that hangs and cannot be spoken to. */
  private Behavior<Command> lookAndKill(ServerProcess server, Doom why) {
    if (doom == null) {
      doom = why;
    }
    return onTerminateOver(server);
  }

  /** For a process that is not to be trusted for another moment. */
  private Behavior<Command> doomed(ServerProcess server, Doom why) {
    if (doom == null) {
      doom = why;
    }
    server.kill();
    return Behaviors.same();
  }

  // ---- a worn process is replaced

  /** One that speaks frames works until its replacement is ready; a port cannot be had twice. */
  private Behavior<Command> recycleIfWorn(ServerProcess server, JobPipe pipe) {
    if (replacement != null || doom != null || !wear.isWorn(rss, nanoClock.getAsLong())) {
      return Behaviors.same();
    }
    context.getLog().info("Worker {} gets a new process: {}", id, wear.why(rss));
    if (spec.protocol() != WorkerProtocol.FRAMES) {
      return retire(server, pipe);
    }
    killRetired();
    timers.startSingleTimer(
        Timer.REPLACEMENT_DEADLINE, spec.startTimeout().plus(spec.preparation()));
    replacement = startProcess();
    return Behaviors.same();
  }

  private boolean isReplacement(FromServer message) {
    return replacement != null && message.start() == starts;
  }

  private Behavior<Command> onReplacement(ServerEvent event, ServerProcess server, JobPipe pipe) {
    if (event instanceof ServerEvent.Answered) {
      timers.cancel(Timer.REPLACEMENT_DEADLINE);
      return retire(server, pipe);
    }
    if (event instanceof ServerEvent.Ended ended) {
      timers.cancel(Timer.REPLACEMENT_DEADLINE);
      replacement = null;
      lastCause = Ends.cause(ended, false);
      wear.anew(nanoClock.getAsLong(), 0); // the old one is better than none: again when worn again
      wear.age().ifPresent(age -> timers.startSingleTimer(Timer.OLD, age));
    }
    return Behaviors.same();
  }

  private Behavior<Command> killReplacement() {
    if (replacement != null) {
      replacement.kill();
    }
    return Behaviors.same();
  }

  /** The old process gets no more jobs; when it has none left it is told to end. */
  private Behavior<Command> retire(ServerProcess server, JobPipe pipe) {
    if (pipe.isEmpty()) {
      return retired(server, pipe);
    }
    changed(WorkerState.DRAINING, server);
    return retiring(server, pipe);
  }

  private Behavior<Command> retiring(ServerProcess server, JobPipe pipe) {
    return receive()
        .onMessage(
            FromServer.class, this::current, m -> onEventWhileRetiring(m.event(), server, pipe))
        .onMessage(
            FromServer.class, this::isReplacement, m -> onReplacementWhileRetiring(m.event()))
        .onMessage(Run.class, run -> refuse(run.jobs()))
        .onMessage(Cancel.class, cancel -> cancel(cancel.attempts(), server, pipe))
        .onMessage(ReadParts.class, read -> readParts(read, server, pipe))
        .onMessage(Stop.class, stop -> drain(server, pipe, stop.grace()))
        .onMessageEquals(Timer.JOB_DEADLINE, () -> onJobDeadline(server, pipe))
        .onMessageEquals(Timer.INTERRUPT_OVER, () -> onInterruptOver(server, pipe))
        .onMessageEquals(Timer.TERMINATE_OVER, () -> onTerminateOver(server))
        .onMessageEquals(Timer.LOOK_OVER, () -> kill(server))
        .onMessageEquals(Nudge.NOW, () -> nudge(server, pipe))
        .onMessageEquals(Timer.LISTEN_FOR_HEARTBEAT, () -> listen(server, pipe))
        .onMessageEquals(Sample.NOW, () -> changed(WorkerState.DRAINING, server))
        .onAnyMessage(Worker::ignore)
        .build();
  }

  private Behavior<Command> onReplacementWhileRetiring(ServerEvent event) {
    if (event instanceof ServerEvent.Ended) {
      replacement = null; // the next start comes when the old one has ended
    }
    return Behaviors.same();
  }

  private Behavior<Command> onEventWhileRetiring(
      ServerEvent event, ServerProcess server, JobPipe pipe) {
    if (event instanceof ServerEvent.Ended && pipe.isEmpty()) {
      cancelTimers();
      return replacement == null ? launch() : takeOver();
    }
    Behavior<Command> next = onEventWhileRunning(event, server, pipe);
    return event instanceof ServerEvent.Received && pipe.isEmpty() && doom == null
        ? retired(server, pipe)
        : next;
  }

  private Behavior<Command> retired(ServerProcess server, JobPipe pipe) {
    cancelTimers();
    if (replacement == null) {
      ladder = Ladder.stopping(settings.stopGrace());
      timers.startSingleTimer(Timer.TERMINATE_OVER, ladder.terminate());
      changed(WorkerState.DRAINING, server);
      server.terminate();
      return retiring(server, pipe);
    }
    timers.startSingleTimer(Timer.RETIRED_OVER, settings.stopGrace());
    server.terminate();
    retired = server;
    return takeOver();
  }

  private Behavior<Command> takeOver() {
    ServerProcess next = Objects.requireNonNull(replacement);
    replacement = null;
    current = starts;
    return ready(next);
  }

  private Behavior<Command> killRetired() {
    if (retired != null) {
      retired.kill(); // without effect on one that has ended
      retired = null;
    }
    return Behaviors.same();
  }

  /** For when the current process goes: neither the one before nor the one after it stays. */
  private void killOthers() {
    killReplacement();
    replacement = null;
    killRetired();
  }

  // ---- after the end of a process

  private Behavior<Command> ended(
      ServerEvent.Ended end, boolean ready, ServerProcess server, JobPipe pipe) {
    killOthers();
    Cause cause = causeOf(end, ready);
    lastCause = cause;
    cancelTimers();
    boolean counts = doom == null || doom.counts();
    crashes = counts ? crashes + 1 : 0;
    boolean budgetUsed = crashes >= settings.crashBudget();
    if (Ends.curable(end) && !budgetUsed) {
      return backOff(server, pipe, cause);
    }
    return giveUp(server, pipe, budgetUsed && crashes > 1 ? afterCrashes(cause) : cause);
  }

  private Cause causeOf(ServerEvent.Ended end, boolean ready) {
    return doom == null ? Ends.cause(end, ready) : Ends.because(doom.kind(), doom.message(), end);
  }

  private Cause afterCrashes(Cause last) {
    return new Cause(
        last.kind(),
        "gave up after " + crashes + " crashes in a row: " + last.message(),
        last.exitCode(),
        last.signal(),
        last.lastOutput());
  }

  /** The change is told before the lost jobs, so that no new ones come in their place. */
  private Behavior<Command> backOff(ServerProcess server, JobPipe pipe, Cause cause) {
    double random = ThreadLocalRandom.current().nextDouble();
    Duration pause = settings.backoff().after(Math.max(1, crashes), random);
    timers.startSingleTimer(Timer.RELAUNCH, pause);
    changed(WorkerState.BACKING_OFF, null);
    settleBroken(server, pipe, cause);
    return backingOff();
  }

  private Behavior<Command> backingOff() {
    return receive()
        .onMessageEquals(Timer.RELAUNCH, this::launch)
        .onMessage(Run.class, run -> refuse(run.jobs()))
        .onMessage(Stop.class, stop -> stopped("stopped while it waited to be started again"))
        .onMessageEquals(Sample.NOW, () -> changed(WorkerState.BACKING_OFF, null))
        .onAnyMessage(Worker::ignore)
        .build();
  }

  private Behavior<Command> giveUp(ServerProcess server, JobPipe pipe, Cause cause) {
    lastCause = cause;
    changed(WorkerState.FAILED, null);
    settleBroken(server, pipe, cause);
    life.to(null);
    supervisor.tell(new WorkerFact.Ended(id, false, cause));
    return over();
  }

  private Behavior<Command> stopped(String message) {
    life.to(null);
    supervisor.tell(new WorkerFact.Ended(id, true, Cause.of(Cause.Kind.DRAINED, message)));
    return over();
  }

  /** Stays to refuse what was on its way; its parent stops it. */
  private Behavior<Command> over() {
    cancelTimers();
    return receive()
        .onMessage(Run.class, run -> refuse(run.jobs()))
        .onAnyMessage(Worker::ignore)
        .build();
  }

  // ---- stopping

  private Behavior<Command> drain(ServerProcess server, JobPipe pipe, Duration grace) {
    killOthers();
    Duration forJobs = Ladder.stopping(grace).finish();
    if (pipe.isEmpty() || forJobs.isZero()) {
      return stopping(server, pipe, grace);
    }
    timers.startSingleTimer(Timer.DRAIN_OVER, forJobs);
    changed(WorkerState.DRAINING, server);
    return draining(server, pipe, grace);
  }

  private Behavior<Command> draining(ServerProcess server, JobPipe pipe, Duration grace) {
    return receive()
        .onMessage(
            FromServer.class,
            this::current,
            m -> onEventWhileDraining(m.event(), server, pipe, grace))
        .onMessage(Run.class, run -> refuse(run.jobs()))
        .onMessage(Cancel.class, cancel -> cancel(cancel.attempts(), server, pipe))
        .onMessage(ReadParts.class, read -> readParts(read, server, pipe))
        .onMessage(Stop.class, stop -> drain(server, pipe, stop.grace()))
        .onMessageEquals(Timer.JOB_DEADLINE, () -> onJobDeadline(server, pipe))
        .onMessageEquals(Timer.INTERRUPT_OVER, () -> onInterruptOver(server, pipe))
        .onMessageEquals(Timer.TERMINATE_OVER, () -> onTerminateOver(server))
        .onMessageEquals(Timer.LOOK_OVER, () -> kill(server))
        .onMessageEquals(Nudge.NOW, () -> nudge(server, pipe))
        .onMessageEquals(Timer.HUNG_UP_FOR_LONG, () -> lookAndKill(server, DEAF))
        .onMessageEquals(Timer.DRAIN_OVER, () -> stopping(server, pipe, grace))
        .onMessageEquals(Sample.NOW, () -> changed(WorkerState.DRAINING, server))
        .onAnyMessage(Worker::ignore)
        .build();
  }

  private Behavior<Command> onEventWhileDraining(
      ServerEvent event, ServerProcess server, JobPipe pipe, Duration grace) {
    if (event instanceof ServerEvent.Ended ended) {
      settleBroken(server, pipe, causeOf(ended, true));
      return stopped("stopped as told");
    }
    Behavior<Command> next = onEventWhileRunning(event, server, pipe);
    return pipe.isEmpty() && doom == null ? stopping(server, pipe, grace) : next;
  }

  private Behavior<Command> stopping(ServerProcess server, JobPipe pipe, Duration grace) {
    cancelTimers();
    ladder = Ladder.stopping(grace);
    changed(WorkerState.STOPPING, server);
    if (grace.isZero()) {
      server.kill();
    } else if (pipe.undisturbed().isEmpty()) {
      terminateWhileStopping(server, pipe, ladder.interrupt().plus(ladder.terminate()));
    } else {
      timers.startSingleTimer(Timer.INTERRUPT_OVER, ladder.interrupt());
      for (long job : pipe.undisturbed()) {
        pipe.giveUp(job, STOPPED);
        pipe.tellToEnd(job);
        server.interrupt(job);
      }
    }
    return receive()
        .onMessage(
            FromServer.class, this::current, m -> onEventWhileStopping(m.event(), server, pipe))
        .onMessage(Run.class, run -> refuse(run.jobs()))
        .onMessage(Stop.class, stop -> onStopAgain(stop, server))
        .onMessageEquals(
            Timer.INTERRUPT_OVER, () -> terminateWhileStopping(server, pipe, ladder.terminate()))
        .onMessageEquals(Timer.TERMINATE_OVER, () -> onTerminateOver(server))
        .onMessageEquals(Timer.LOOK_OVER, () -> doomed(server, STOPPED_BY_FORCE))
        .onMessageEquals(Sample.NOW, () -> changed(WorkerState.STOPPING, server))
        .onAnyMessage(Worker::ignore)
        .build();
  }

  private static final Doom DEAF =
      new Doom(Cause.Kind.USER, "the process closed its socket and did not exit", true);

  private static final Cause STOPPED = Cause.of(Cause.Kind.DRAINED, "its worker was stopped");

  private static final Doom STOPPED_BY_FORCE =
      new Doom(Cause.Kind.DRAINED, "killed as it did not end within its grace", false);

  private Behavior<Command> terminateWhileStopping(
      ServerProcess server, JobPipe pipe, Duration patience) {
    timers.startSingleTimer(Timer.TERMINATE_OVER, patience);
    if (!pipe.isEmpty()) {
      server.recordStacks();
    }
    server.terminate();
    return Behaviors.same();
  }

  private Behavior<Command> onEventWhileStopping(
      ServerEvent event, ServerProcess server, JobPipe pipe) {
    if (event instanceof ServerEvent.Started) {
      server.terminate(); // the order came before there was a process
    } else if (event instanceof ServerEvent.Received received && !pipe.isEmpty()) {
      onReceived(received, server, pipe);
      if (timers.isTimerActive(Timer.INTERRUPT_OVER) && !pipe.isEnding()) {
        timers.cancel(Timer.INTERRUPT_OVER);
        terminateWhileStopping(server, pipe, ladder.terminate());
      }
    } else if (event instanceof ServerEvent.Ended ended) {
      settleBroken(server, pipe, Ends.because(STOPPED.kind(), STOPPED.message(), ended));
      return stopped(doom == null ? "stopped as told" : doom.message());
    }
    return Behaviors.same();
  }

  private Behavior<Command> onStopAgain(Stop stop, ServerProcess server) {
    if (stop.grace().isZero()) {
      server.kill();
    } else {
      ladder = Ladder.stopping(stop.grace());
      timers.startSingleTimer(Timer.TERMINATE_OVER, stop.grace().minus(ladder.look()));
    }
    return Behaviors.same();
  }

  // ---- common

  private static BehaviorBuilder<Command> receive() {
    return Behaviors.receive(Command.class);
  }

  /** Timers that came too late, events of an earlier process, cancels of jobs it does not have. */
  private static Behavior<Command> ignore(Command late) {
    return Behaviors.same();
  }

  private boolean current(FromServer message) {
    return message.start() == current;
  }

  private Behavior<Command> refuse(List<Assignment> jobs) {
    Cause cause = Cause.of(Cause.Kind.DRAINED, "the worker was not ready");
    supervisor.tell(
        new WorkerFact.Settled(id, jobs.stream().map(job -> notStarted(job, cause)).toList()));
    return Behaviors.same();
  }

  private Outcome notStarted(Assignment job, Cause cause) {
    return Outcome.withoutRun(job, Outcome.Kind.NOT_STARTED, cause, id);
  }

  private void settleBroken(ServerProcess server, JobPipe pipe, Cause cause) {
    if (!pipe.isEmpty()) {
      List<Outcome> outcomes = pipe.broken(server.begun(), cause, nanoClock.getAsLong());
      supervisor.tell(new WorkerFact.Settled(id, outcomes));
    }
  }

  private void cancelTimers() {
    for (Timer timer : Timer.values()) {
      timers.cancel(timer);
    }
  }

  private Behavior<Command> changed(WorkerState state, @Nullable ServerProcess server) {
    life.to(state);
    ProcessStatus sample = server == null ? null : server.sample().orElse(null);
    rss = sample == null ? 0 : sample.rss();
    supervisor.tell(
        new WorkerFact.Changed(id, state, Math.max(0, starts - 1), lastCause, sample, server));
    return Behaviors.same();
  }
}
