package io.troupe.executor.supervision;

import static java.nio.charset.StandardCharsets.UTF_8;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import io.troupe.executor.supervision.TaskReports.State;
import io.troupe.model.BlobRef;
import io.troupe.model.Cause;
import io.troupe.model.WorkerState;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.Parts;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.WireMessage;
import io.troupe.protocol.WorkerStatus;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Makes the tasks that the agent launches into workers, and gives them the jobs that it pulls from
 * the scheduler's queue. It outlives every node of the cluster: {@link ClusterLinks} makes a new
 * one when one is lost or another scheduler calls. Stops when the executor should exit.
 */
public final class Supervisor {
  /** What a supervisor is told. */
  public sealed interface Command {}

  // from the agent

  /** The agent has answered; said again after each reconnection. */
  public record Subscribed(Executor executor) implements Command {}

  /** A worker is to be started. */
  public record Launch(String task, TaskData data) implements Command {}

  /**
   * A worker is to be ended.
   *
   * @param grace until SIGKILL; empty for the setting's
   */
  public record Kill(String task, Optional<Duration> grace) implements Command {}

  /** A scheduler says where its cluster is. */
  public record ClusterCalls(ClusterInfo info) implements Command {}

  /** All workers are to be ended, and the executor with them, within the grace. */
  public record ShutDown(String why, Duration grace) implements Command {}

  // from the node in the cluster

  /** What a node of the cluster tells; of an earlier generation it is ignored. */
  public sealed interface LinkFact extends Command {
    /** Which node. */
    int generation();
  }

  /** A scheduler is there. */
  public record SchedulerSeen(
      int generation,
      ActorRef<SupervisorToScheduler> scheduler,
      ActorRef<SchedulerToSupervisor> replyTo,
      String address)
      implements LinkFact {}

  /** No scheduler is there any more. */
  public record SchedulerGone(int generation) implements LinkFact {}

  /** The scheduler, or its queue, says something. */
  public record FromScheduler(int generation, SchedulerToSupervisor message) implements LinkFact {}

  /** The node is no member of the cluster any more. */
  public record LinkEnded(int generation) implements LinkFact {}

  // from below, and from itself

  private record FromWorker(WorkerFact fact) implements Command {}

  /** The payload of a job is here, in a file, or does not come. */
  private record PayloadCame(Assignment job, @Nullable Path file, @Nullable Throwable failure)
      implements Command {}

  /** The result of a job is with the scheduler, or nowhere. */
  private record ResultWent(Outcome outcome, @Nullable BlobRef ref, @Nullable Throwable failure)
      implements Command {}

  private enum Timer implements Command {
    REGISTER,
    RENEW,
    SAMPLE,
    REPORT,
    REPORT_JOBS,
    IDLE,
    ORPHANED,
    REJOIN,
    LINK_PATIENCE,
    COMPANY,
    LOOK,
    GRACE_OVER
  }

  /**
   * The share of Mesos' grace that workers get, so that the last updates are acknowledged in time.
   */
  private static final double WORKERS_SHARE = 0.8;

  private static final Duration REJOIN_PAUSE = Duration.ofSeconds(1);

  /** When workers have said how they are: before this thread sleeps, or soon after. */
  private static final Duration SAMPLED_AFTER = Duration.ofMillis(5);

  /** How long an outcome may wait for company. */
  private static final Duration COMPANY_AFTER = Duration.ofMillis(30);

  /**
   * News can wait for so long where all workers have enough to do: for a little longer at least.
   * What is sent ahead is more than twice that, so that new jobs can wait as well as results do.
   */
  private static final Duration REST = Duration.ofMillis(80);

  private static final Duration ENOUGH = Duration.ofMillis(100);

  private static final Duration WORTH_A_REST = Duration.ofMillis(20);

  /**
   * How often it looks for workers that run long jobs, and for results that wait behind such a job,
   * while there are jobs to be sent ahead.
   */
  private static final Duration LOOK_EVERY = Duration.ofMillis(100);

  private static final class Seat {
    final String task;
    final ActorRef<Worker.Command> actor;
    final int width;
    WorkerFact.Changed last;
    boolean running;
    long jobs;

    Seat(String task, ActorRef<Worker.Command> actor, int width) {
      this.task = task;
      this.actor = actor;
      this.width = width;
      this.last = new WorkerFact.Changed(task, WorkerState.STARTING, 0, null, null, null);
    }

    boolean isOnItsWay() {
      return last.state() == WorkerState.STARTING || last.state() == WorkerState.BACKING_OFF;
    }
  }

  private final SupervisorSettings settings;
  private final ServerLauncher launcher;
  private final TaskReports reports;
  private final ClusterLinks links;
  private final Blobs blobs;
  private final LongSupplier nanoClock;
  private final Consumer<Duration> rest;
  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final ActorRef<WorkerFact> facts;

  private final Map<String, Seat> workers = new LinkedHashMap<>();
  private final JobDesk desk = new JobDesk();
  private final Settlements settlements = new Settlements();
  private final List<Outcome> inCompany = new ArrayList<>();
  private @Nullable Executor executor;
  private String pool = "";
  private @Nullable ClusterInfo cluster;
  private ClusterLinks.@Nullable Link link;
  private int generation;
  private @Nullable SchedulerSeen scheduler;
  private @Nullable ActorRef<SupervisorToQueue> queue;

  /** Payloads of held attempts that are in files. */
  private final Map<AttemptRef, Path> files = new HashMap<>();

  private long reportSequence;
  private long reportedNanos;
  private int announcedCapacity;
  private boolean shuttingDown;

  /** So much of what a worker has printed goes with each report of it. */
  private static final int REPORTED_LINES = 10;

  private static final int REPORTED_CHARS = 200;

  /**
   * A supervisor, which starts by waiting for the agent.
   *
   * @param rest puts off for so long what comes next, where it can wait
   */
  public static Behavior<Command> create(
      SupervisorSettings settings,
      ServerLauncher launcher,
      TaskReports reports,
      ClusterLinks links,
      Blobs blobs,
      LongSupplier nanoClock,
      Consumer<Duration> rest) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers ->
                    new Supervisor(
                            settings, launcher, reports, links, blobs, nanoClock, rest, context,
                            timers)
                        .supervising()));
  }

  private Supervisor(
      SupervisorSettings settings,
      ServerLauncher launcher,
      TaskReports reports,
      ClusterLinks links,
      Blobs blobs,
      LongSupplier nanoClock,
      Consumer<Duration> rest,
      ActorContext<Command> context,
      TimerScheduler<Command> timers) {
    this.settings = settings;
    this.launcher = launcher;
    this.reports = reports;
    this.links = links;
    this.blobs = blobs;
    this.nanoClock = nanoClock;
    this.rest = rest;
    this.context = context;
    this.timers = timers;
    this.facts = context.messageAdapter(WorkerFact.class, FromWorker::new);
    this.reportedNanos = nanoClock.getAsLong() - settings.reportJobsEvery().toNanos();
  }

  private Behavior<Command> supervising() {
    timers.startTimerWithFixedDelay(Timer.SAMPLE, settings.sampleEvery());
    timers.startSingleTimer(Timer.IDLE, settings.idleTimeout());
    timers.startSingleTimer(Timer.ORPHANED, settings.orphanTimeout());
    return Behaviors.receive(Command.class)
        .onMessage(Subscribed.class, this::onSubscribed)
        .onMessage(Launch.class, this::onLaunch)
        .onMessage(Kill.class, this::onKill)
        .onMessage(ClusterCalls.class, calls -> onClusterCalls(calls.info()))
        .onMessage(ShutDown.class, this::onShutDown)
        .onMessage(FromWorker.class, message -> onFact(message.fact()))
        .onMessage(PayloadCame.class, this::onPayloadCame)
        .onMessage(ResultWent.class, this::onResultWent)
        .onMessage(LinkFact.class, fact -> fact.generation() != generation, old -> Behaviors.same())
        .onMessage(FromScheduler.class, message -> onScheduler(message.message()))
        .onMessage(SchedulerSeen.class, this::onSchedulerSeen)
        .onMessage(SchedulerGone.class, gone -> onSchedulerGone())
        .onMessage(LinkEnded.class, ended -> onLinkEnded())
        .onMessageEquals(Timer.REGISTER, this::register)
        .onMessageEquals(Timer.RENEW, this::renew)
        .onMessageEquals(Timer.COMPANY, this::settleAll)
        .onMessageEquals(Timer.LOOK, this::look)
        .onMessageEquals(Timer.SAMPLE, this::sample)
        .onMessageEquals(Timer.REPORT, this::report)
        .onMessageEquals(Timer.REPORT_JOBS, this::report)
        .onMessageEquals(Timer.REJOIN, this::join)
        .onMessageEquals(Timer.LINK_PATIENCE, this::join)
        .onMessageEquals(Timer.IDLE, this::onIdle)
        .onMessageEquals(
            Timer.ORPHANED,
            () -> onShutDown(new ShutDown("no scheduler was found", settings.worker().stopGrace())))
        .onMessageEquals(Timer.GRACE_OVER, Behaviors::stopped)
        .build();
  }

  // ---- the agent

  private Behavior<Command> onSubscribed(Subscribed subscribed) {
    executor = subscribed.executor();
    return Behaviors.same();
  }

  private Behavior<Command> onLaunch(Launch launch) {
    String task = launch.task();
    timers.cancel(Timer.IDLE);
    if (shuttingDown) {
      reports.report(task, State.KILLED, "the executor is shutting down");
      return Behaviors.same();
    }
    if (workers.containsKey(task)) {
      return Behaviors.same();
    }
    context.getLog().info("Launching worker {}", task);
    pool = launch.data().pool();
    reports.report(task, State.STARTING, "starting: " + launch.data().worker().command());
    workers.put(
        task,
        new Seat(
            task,
            context.spawnAnonymous(
                Worker.create(
                    task, launch.data().worker(), settings.worker(), launcher, nanoClock, facts)),
            launch.data().worker().serving().concurrency()));
    return onClusterCalls(launch.data().cluster());
  }

  private Behavior<Command> onKill(Kill kill) {
    Seat seat = workers.get(kill.task());
    if (seat == null) {
      context.getLog().warn("Told to kill {}, which is not here", kill.task());
      return Behaviors.same();
    }
    reports.report(kill.task(), State.KILLING, "told to end");
    desk.unready(kill.task());
    seat.actor.tell(new Worker.Stop(kill.grace().orElse(settings.worker().stopGrace())));
    announce();
    return Behaviors.same();
  }

  private Behavior<Command> onShutDown(ShutDown order) {
    context.getLog().info("Shutting down: {}", order.why());
    shuttingDown = true;
    settle(giveBack(desk.withdrawAll(), "no worker of its supervisor is ready"));
    if (workers.isEmpty()) {
      return Behaviors.stopped();
    }
    Duration grace = Duration.ofMillis(Math.round(order.grace().toMillis() * WORKERS_SHARE));
    for (String task : List.copyOf(workers.keySet())) {
      onKill(new Kill(task, Optional.of(grace)));
    }
    timers.startSingleTimer(Timer.GRACE_OVER, order.grace());
    return Behaviors.same();
  }

  private Behavior<Command> onIdle() {
    if (!workers.isEmpty()) {
      return Behaviors.same();
    }
    context.getLog().info("No tasks for {}: exiting", settings.idleTimeout());
    return Behaviors.stopped();
  }

  // ---- workers

  private Behavior<Command> onFact(WorkerFact fact) {
    if (fact instanceof WorkerFact.Settled settled) {
      return onSettled(settled);
    }
    Seat seat = workers.get(fact.worker());
    if (seat == null) {
      return Behaviors.same();
    }
    if (fact instanceof WorkerFact.Changed changed) {
      return onChanged(seat, changed);
    }
    return onEnded(seat, (WorkerFact.Ended) fact);
  }

  private Behavior<Command> onChanged(Seat seat, WorkerFact.Changed changed) {
    boolean sameState = seat.last.state() == changed.state();
    boolean samePid = pid(seat.last) == pid(changed);
    seat.last = changed;
    if (sameState && samePid) {
      return Behaviors.same();
    }
    if (changed.state() == WorkerState.READY && !shuttingDown) {
      desk.ready(seat.task, seat.width);
      if (!seat.running) {
        seat.running = true;
        reports.report(seat.task, State.RUNNING, "ready");
      }
      place();
    } else {
      desk.unready(seat.task);
    }
    announce();
    changedSomething();
    return Behaviors.same();
  }

  private static long pid(WorkerFact.Changed changed) {
    return changed.process() == null ? 0 : changed.process().pid();
  }

  private Behavior<Command> onEnded(Seat seat, WorkerFact.Ended ended) {
    workers.remove(seat.task);
    desk.unready(seat.task);
    context.stop(seat.actor);
    context.getLog().info("Worker {} ended: {}", seat.task, ended.cause().message());
    reports.report(seat.task, ended.asked() ? State.KILLED : State.FAILED, text(ended.cause()));
    announce();
    changedSomething();
    if (workers.isEmpty()) {
      if (shuttingDown) {
        return Behaviors.stopped();
      }
      timers.startSingleTimer(Timer.IDLE, settings.idleTimeout());
    }
    return Behaviors.same();
  }

  /** A cause as the message of a task status: one line, then the last output. */
  private static String text(Cause cause) {
    String head = cause.kind() + ": " + cause.message();
    return cause.lastOutput().isEmpty()
        ? head
        : head + "\n" + String.join("\n", cause.lastOutput());
  }

  private Behavior<Command> onSettled(WorkerFact.Settled settled) {
    Seat seat = workers.get(settled.worker());
    if (seat != null) {
      seat.jobs +=
          settled.outcomes().stream()
              .filter(
                  outcome ->
                      outcome.kind() == Outcome.Kind.SUCCEEDED
                          || outcome.kind() == Outcome.Kind.FAILED)
              .count();
    }
    changedJobs();
    if (!settled.returned().isEmpty()) {
      return onReturned(settled);
    }
    desk.settled(settled.worker(), settled.outcomes());
    boolean rests = place();
    settleSoon(settled.worker(), withoutBlobs(settled.outcomes()), rests);
    return Behaviors.same();
  }

  private Behavior<Command> onReturned(WorkerFact.Settled settled) {
    settleCancelled(desk.returned(settled.worker(), settled.returned(), settled.outcomes()));
    place();
    settle(withoutBlobs(settled.outcomes()));
    announce();
    giveBackStranded(desk.stranded());
    return Behaviors.same();
  }

  /**
   * Settles, but lets successes wait for company as long as their process has plenty to do: each
   * message takes the processors that jobs compute on some hundred microseconds, on both sides.
   */
  private void settleSoon(String worker, List<Outcome> outcomes, boolean rests) {
    if (!desk.hasMore(worker)
        || outcomes.stream().anyMatch(each -> each.kind() != Outcome.Kind.SUCCEEDED)) {
      settle(outcomes);
      return;
    }
    if (!desk.hasPlenty(worker) || rests) {
      context.getSelf().tell(Timer.COMPANY); // after what has come together with these
    } else if (inCompany.isEmpty()) {
      timers.startSingleTimer(Timer.COMPANY, COMPANY_AFTER);
    }
    inCompany.addAll(outcomes);
  }

  // ---- payloads and results in files

  private void fetch(Assignment job) {
    if (desk.expect(job)) {
      context.pipeToSelf(
          blobs.fetch(job.job(), BlobRef.of(job.payload())),
          (file, failure) -> new PayloadCame(job, file, failure));
    }
  }

  private Behavior<Command> onPayloadCame(PayloadCame came) {
    Assignment job = came.job();
    Path file = came.file();
    if (file != null) {
      if (desk.arrived(job.withPayload(file.toString().getBytes(UTF_8)))) {
        files.put(job.ref(), file);
        place();
      } else {
        blobs.remove(file);
      }
    } else if (desk.missed(job.ref())) {
      String why = "its payload could not be fetched: " + text(came.failure());
      context.getLog().warn("Job {}: {}", job.job(), why);
      settle(List.of(outcome(job, Outcome.Kind.NOT_STARTED, Cause.of(Cause.Kind.INTERNAL, why))));
    }
    announce();
    return Behaviors.same();
  }

  /** Settles what needs no more than a message, and begins to bring results that are in files. */
  private List<Outcome> withoutBlobs(List<Outcome> outcomes) {
    if (files.isEmpty() && outcomes.stream().noneMatch(outcome -> outcome.type().isBlob())) {
      return outcomes;
    }
    List<Outcome> small = new ArrayList<>(outcomes.size());
    for (Outcome outcome : outcomes) {
      forgetPayload(outcome.ref());
      if (outcome.type().isBlob()) {
        desk.keepUntilGone(outcome.ref());
        context.pipeToSelf(
            blobs.bring(outcome.job(), Path.of(new String(outcome.body(), UTF_8))),
            (ref, failure) -> new ResultWent(outcome, ref, failure));
      } else {
        small.add(outcome);
      }
    }
    return small;
  }

  private Behavior<Command> onResultWent(ResultWent went) {
    Outcome outcome = went.outcome();
    desk.gone(outcome.ref());
    if (went.ref() != null) {
      settle(List.of(outcome.withBody(went.ref().bytes())));
    } else {
      String why = "its result could not be brought: " + text(went.failure());
      context.getLog().warn("Job {}: {}", outcome.job(), why);
      settle(List.of(outcome.lost(Cause.of(Cause.Kind.INTERNAL, why))));
    }
    return Behaviors.same();
  }

  private void forgetPayload(AttemptRef attempt) {
    Path file = files.remove(attempt);
    if (file != null) {
      blobs.remove(file);
    }
  }

  private static String text(@Nullable Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return String.valueOf(cause);
  }

  /** Hands out what can be handed out; whether news can wait now. */
  private boolean place() {
    Map<String, List<Assignment>> batches = desk.place();
    if (!timers.isTimerActive(Timer.LOOK) && desk.isWorthALook()) {
      timers.startTimerWithFixedDelay(Timer.LOOK, LOOK_EVERY);
    }
    batches.forEach((worker, jobs) -> tell(worker, new Worker.Run(jobs)));
    desk.share().ifPresent(worker -> tell(worker, Worker.Recall.NOW));
    Duration pause = pause();
    rest.accept(pause);
    return !pause.isZero();
  }

  /**
   * For how long news can wait now: where workers have less to do, until half of it is done. A
   * worker that gets a new process is idle until that has been heard.
   */
  private Duration pause() {
    if (workers.values().stream().anyMatch(Seat::isOnItsWay)) {
      return Duration.ZERO;
    }
    Duration slack = desk.slack();
    if (slack.compareTo(ENOUGH) > 0) {
      return REST;
    }
    Duration half = slack.dividedBy(2);
    return half.compareTo(WORTH_A_REST) < 0 ? Duration.ZERO : half;
  }

  /** What would wait behind a long job is for others to do, and what has ended is to be known. */
  private Behavior<Command> look() {
    giveBackStranded(desk.look());
    announce();
    desk.withJobsBehind().forEach(worker -> tell(worker, Worker.Nudge.NOW));
    desk.recall().forEach(worker -> tell(worker, Worker.Recall.NOW));
    if (!desk.isWorthALook()) {
      timers.cancel(Timer.LOOK);
    }
    return Behaviors.same();
  }

  private void tell(String worker, Worker.Command message) {
    Seat seat = workers.get(worker);
    if (seat != null) {
      seat.actor.tell(message);
    }
  }

  private void giveBackStranded(List<Assignment> stranded) {
    if (!stranded.isEmpty()) {
      settle(giveBack(stranded, "its supervisor's workers run long jobs"));
    }
  }

  // ---- the queue

  private int capacity() {
    return shuttingDown ? 0 : desk.capacity();
  }

  private Behavior<Command> settleAll() {
    settle(List.of());
    return Behaviors.same();
  }

  /** Settles these, after those that have waited for company. */
  private void settle(List<Outcome> outcomes) {
    List<Outcome> all = outcomes;
    if (!inCompany.isEmpty()) {
      timers.cancel(Timer.COMPANY);
      inCompany.addAll(outcomes);
      all = List.copyOf(inCompany);
      inCompany.clear();
    }
    int capacity = capacity();
    for (Settlements.Batch batch : settlements.add(all)) {
      toQueue(new SupervisorToQueue.Settle(name(), batch.sequence(), batch.outcomes(), capacity));
      announcedCapacity = capacity;
    }
  }

  /** Says how much it can take, if that is news; gives back what nobody here can take. */
  private void announce() {
    int capacity = capacity();
    if (!desk.anyReady()) {
      settle(giveBack(desk.withdrawAll(), "no worker of its supervisor is ready"));
    }
    if (capacity != announcedCapacity) {
      announcedCapacity = capacity;
      toQueue(new SupervisorToQueue.Pull(name(), capacity));
    }
  }

  private Behavior<Command> renew() {
    settleAll();
    announcedCapacity = capacity();
    toQueue(new SupervisorToQueue.Renew(name(), desk.held(), desk.running(), announcedCapacity));
    return Behaviors.same();
  }

  /** Over a new line: what was sent over the one before may be lost with it. */
  private void resend() {
    for (Settlements.Batch batch : settlements.unacknowledged()) {
      toQueue(new SupervisorToQueue.Settle(name(), batch.sequence(), batch.outcomes(), capacity()));
    }
  }

  private void toQueue(SupervisorToQueue message) {
    if (queue != null) {
      queue.tell(message);
    }
  }

  private Behavior<Command> onScheduler(SchedulerToSupervisor message) {
    if (message instanceof SchedulerToSupervisor.Assign assign) {
      settlements.acknowledged(assign.settledUpTo());
      if (assign.assignments().stream().anyMatch(job -> job.type().isBlob())) {
        assign.assignments().stream().filter(job -> job.type().isBlob()).forEach(this::fetch);
        desk.take(assign.assignments().stream().filter(job -> !job.type().isBlob()).toList());
      } else {
        desk.take(assign.assignments());
      }
      if (!assign.assignments().isEmpty()) {
        changedJobs();
      }
      place();
      if (!assign.assignments().isEmpty()) {
        announce();
      }
    } else if (message instanceof SchedulerToSupervisor.ReadParts read) {
      readParts(read);
    } else if (message instanceof SchedulerToSupervisor.Cancel cancel) {
      onCancel(cancel.attempts());
    } else if (message instanceof SchedulerToSupervisor.Registered registered) {
      onRegistered(registered);
    } else if (message instanceof SchedulerToSupervisor.SecretsAt place) {
      launcher.secretsAt(place);
    } else if (message instanceof SchedulerToSupervisor.Refused refused) {
      context.getLog().warn("The scheduler refuses this supervisor: {}", refused.reason());
      timers.cancel(Timer.LINK_PATIENCE); // the node has found its scheduler
    }
    return Behaviors.same();
  }

  private void readParts(SchedulerToSupervisor.ReadParts read) {
    Seat seat = desk.workerOf(read.attempt()).map(workers::get).orElse(null);
    if (seat == null) {
      read.replyTo().tell(Parts.noneSince(read.place()));
    } else {
      seat.actor.tell(new Worker.ReadParts(read.attempt(), read.place(), read.replyTo()));
    }
  }

  private void onCancel(List<AttemptRef> attempts) {
    settleCancelled(desk.withdraw(attempts));
    workers.values().forEach(seat -> seat.actor.tell(new Worker.Cancel(attempts)));
  }

  private void settleCancelled(List<Assignment> jobs) {
    Cause cause = Cause.of(Cause.Kind.KILLED, "the job was cancelled");
    settle(jobs.stream().map(job -> outcome(job, Outcome.Kind.CANCELLED, cause)).toList());
  }

  private List<Outcome> giveBack(List<Assignment> jobs, String why) {
    Cause cause = Cause.of(Cause.Kind.DRAINED, why);
    return jobs.stream().map(job -> outcome(job, Outcome.Kind.NOT_STARTED, cause)).toList();
  }

  private Outcome outcome(Assignment job, Outcome.Kind kind, Cause cause) {
    forgetPayload(job.ref());
    return Outcome.withoutRun(job, kind, cause, "");
  }

  // ---- the cluster

  private Behavior<Command> onClusterCalls(ClusterInfo info) {
    if (shuttingDown || (cluster != null && info.epoch() <= cluster.epoch())) {
      return Behaviors.same();
    }
    context.getLog().info("Joining {} of epoch {}", info.seeds(), info.epoch());
    cluster = info;
    return join();
  }

  private Behavior<Command> join() {
    if (cluster == null) {
      return Behaviors.same();
    }
    if (link != null) {
      link.close();
    }
    forgetScheduler();
    generation++;
    link = links.open(cluster, generation, context.getSelf());
    timers.startSingleTimer(Timer.LINK_PATIENCE, settings.linkPatience());
    return Behaviors.same();
  }

  private Behavior<Command> onLinkEnded() {
    context.getLog().info("No member of the cluster any more: joining again");
    link = null;
    forgetScheduler();
    timers.startSingleTimer(Timer.REJOIN, REJOIN_PAUSE);
    return Behaviors.same();
  }

  private Behavior<Command> onSchedulerSeen(SchedulerSeen seen) {
    scheduler = seen;
    queue = null;
    if (!timers.isTimerActive(Timer.LINK_PATIENCE)) {
      timers.startSingleTimer(Timer.LINK_PATIENCE, settings.linkPatience());
    }
    return register();
  }

  private Behavior<Command> onSchedulerGone() {
    forgetScheduler();
    timers.startSingleTimer(Timer.LINK_PATIENCE, settings.linkPatience());
    return Behaviors.same();
  }

  private void forgetScheduler() {
    scheduler = null;
    queue = null;
    timers.cancel(Timer.RENEW);
    timers.cancel(Timer.REGISTER);
    if (!timers.isTimerActive(Timer.ORPHANED)) {
      timers.startSingleTimer(Timer.ORPHANED, settings.orphanTimeout());
    }
  }

  private Behavior<Command> register() {
    if (scheduler == null || executor == null || cluster == null || queue != null) {
      return Behaviors.same();
    }
    settleAll();
    List<AttemptRef> held = new ArrayList<>(desk.held());
    held.addAll(settlements.attempts());
    scheduler
        .scheduler()
        .tell(
            new SupervisorToScheduler.Register(
                name(),
                WireMessage.VERSION,
                cluster.epoch(),
                pool,
                executor.frameworkId(),
                executor.agentId(),
                executor.executorId(),
                executor.host(),
                scheduler.address(),
                held,
                statuses(),
                scheduler.replyTo()));
    timers.startSingleTimer(Timer.REGISTER, settings.registerEvery());
    return Behaviors.same();
  }

  private void onRegistered(SchedulerToSupervisor.Registered registered) {
    context.getLog().info("Registered with the scheduler");
    queue = registered.queue();
    blobs.at(registered.blobs());
    timers.cancel(Timer.REGISTER);
    timers.cancel(Timer.ORPHANED);
    timers.cancel(Timer.LINK_PATIENCE);
    timers.startTimerWithFixedDelay(Timer.RENEW, registered.lease().dividedBy(3));
    resend();
    announcedCapacity = capacity();
    toQueue(new SupervisorToQueue.Pull(name(), announcedCapacity));
    report();
  }

  // ---- watching

  private Behavior<Command> sample() {
    workers.values().forEach(seat -> seat.actor.tell(Worker.Sample.NOW));
    reportIn(SAMPLED_AFTER);
    return Behaviors.same();
  }

  private void changedSomething() {
    reportIn(settings.reportAfter());
  }

  private void reportIn(Duration time) {
    if (!timers.isTimerActive(Timer.REPORT)) {
      timers.startSingleTimer(Timer.REPORT, time);
    }
  }

  /** What runs changes all the time where jobs are quick, and each report takes their time. */
  private void changedJobs() {
    if (!timers.isTimerActive(Timer.REPORT) && !timers.isTimerActive(Timer.REPORT_JOBS)) {
      long due = reportedNanos + settings.reportJobsEvery().toNanos() - nanoClock.getAsLong();
      timers.startSingleTimer(
          Timer.REPORT_JOBS, Duration.ofNanos(Math.max(due, settings.reportAfter().toNanos())));
    }
  }

  private Behavior<Command> report() {
    timers.cancel(Timer.REPORT_JOBS);
    reportedNanos = nanoClock.getAsLong();
    if (scheduler != null && queue != null) {
      reportSequence++;
      scheduler
          .scheduler()
          .tell(new SupervisorToScheduler.Report(name(), reportSequence, statuses()));
    }
    return Behaviors.same();
  }

  private List<WorkerStatus> statuses() {
    return workers.values().stream().map(this::status).toList();
  }

  private WorkerStatus status(Seat seat) {
    List<String> jobs = desk.runningOn(seat.task);
    String job = jobs.isEmpty() ? null : jobs.get(0);
    WorkerState state =
        seat.last.state() == WorkerState.READY && job != null
            ? WorkerState.BUSY
            : seat.last.state();
    ServerProcess server = seat.last.server();
    return new WorkerStatus(
        seat.task,
        seat.task,
        state,
        seat.last.restarts(),
        job,
        progress(state, server, job),
        seat.jobs,
        seat.last.cause(),
        seat.last.process(),
        server == null ? List.of() : lastOf(server.lastOutput()),
        jobs.stream()
            .map(each -> new WorkerStatus.Running(each, progress(state, server, each)))
            .toList());
  }

  private static WorkerStatus.@Nullable Progress progress(
      WorkerState state, @Nullable ServerProcess server, @Nullable String job) {
    if (server == null) {
      return null;
    }
    if (state == WorkerState.PREPARING) {
      return server.preparation().orElse(null);
    }
    return job == null ? null : server.progress(job).orElse(null);
  }

  private static List<String> lastOf(List<String> output) {
    return output.stream()
        .skip(Math.max(0, output.size() - REPORTED_LINES))
        .map(line -> line.length() <= REPORTED_CHARS ? line : line.substring(0, REPORTED_CHARS))
        .toList();
  }

  private String name() {
    return executor == null ? "" : executor.supervisor();
  }
}
