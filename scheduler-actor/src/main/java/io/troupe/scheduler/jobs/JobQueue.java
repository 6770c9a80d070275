package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the jobs of one pool: takes them in, hands them to supervisors that have room, and tells
 * their submitters how they ended. All decisions are {@link QueueState}'s; this actor brings it
 * messages and time and carries its decisions out in batches: whatever lies in the mailbox is
 * handled first, then each supervisor and each submitter gets one message.
 */
public final class JobQueue {

  /** What it can be told. */
  public sealed interface Command {}

  /**
   * Runs a job. Answered by {@link Ended} if it ends before the wait is over, else by {@link
   * Accepted}; or at once by {@link Full} or {@link Refused}.
   *
   * @param patience how long the answer may take; zero for an answer as soon as it is accepted
   */
  public record Submit(NewJob job, Duration patience, ActorRef<Answer> replyTo)
      implements Command {}

  /**
   * Runs jobs and tells the submitter the end of each, in the order in which they end. When he
   * terminates, or says {@link Leave}, those that have not ended are cancelled.
   */
  public record SubmitMany(List<NewJob> jobs, ActorRef<Told> submitter) implements Command {}

  /** The submitter wants nothing more. */
  public record Leave(ActorRef<Told> submitter) implements Command {}

  /** Asks for a job: {@link Accepted} while it has not ended, {@link Ended}, or {@link Unknown}. */
  public record Find(String id, Duration patience, ActorRef<Answer> replyTo) implements Command {}

  /** Cancels a job; answered as {@link Find}. One that has ended stays as it is. */
  public record Cancel(String id, ActorRef<Answer> replyTo) implements Command {}

  /** Queues a job that failed, died or was cancelled again; answered as {@link Find}. */
  public record Retry(String id, ActorRef<Answer> replyTo) implements Command {}

  /** Asks for the newest jobs, the newest first. */
  public record ListJobs(Optional<JobState> state, int limit, ActorRef<List<JobView>> replyTo)
      implements Command {}

  /** A supervisor of this pool has registered; it gets {@link SchedulerToSupervisor.Registered}. */
  public record SupervisorJoined(SupervisorToScheduler.Register registration) implements Command {}

  /** A supervisor is no longer in the cluster; what it holds stays its own until the lease ends. */
  public record SupervisorAway(String supervisor) implements Command {}

  /** A supervisor is gone with all that it held. */
  public record SupervisorLost(String supervisor, Cause cause) implements Command {}

  /** An agent is gone with all that its supervisors held. */
  public record AgentLost(String agentId, Cause cause) implements Command {}

  /** Tells the listener each change of each job from now on. */
  public record WatchJobs(ActorRef<List<JobFact>> listener) implements Command {}

  /** Tells nobody any more. */
  public record StopWatching() implements Command {}

  /** Cancels all jobs, tells who waits for them, and ends the queue. */
  public record Close(Cause cause) implements Command {}

  private record FromSupervisor(SupervisorToQueue message) implements Command {}

  private record WaitOver(Waiter waiter) implements Command {}

  private enum Flush implements Command {
    NOW
  }

  private enum Thank implements Command {
    NOW
  }

  private enum Tick implements Command {
    NOW
  }

  /** What it answers. */
  public sealed interface Answer {}

  /** The job is known and has not ended. */
  public record Accepted(JobView job) implements Answer {}

  /** The job has ended; the body is its result if it succeeded. The array must not be changed. */
  @SuppressWarnings("ArrayRecordComponent") // the result itself, not a copy
  public record Ended(JobView job, ContentType type, byte[] body) implements Answer {}

  /** No such job is remembered. */
  public record Unknown(String id) implements Answer {}

  /** The queue is full: try again after a while. */
  public record Full(String message, Duration retryAfter) implements Answer {}

  /** The job's state does not allow it. */
  public record Refused(String message) implements Answer {}

  /** What a submitter of many jobs is told. */
  public sealed interface Told {}

  /** These jobs of his have ended. */
  public record Ends(List<JobEnd> ends) implements Told {}

  /** There was no room for these; he may submit them again after a while. */
  public record NotTaken(List<NewJob> jobs, Duration retryAfter) implements Told {}

  private static final Duration RETRY_AFTER = Duration.ofSeconds(1);
  private static final Duration TICK = Duration.ofSeconds(1);

  /**
   * Thanks wait so long for jobs to go with, as a message of their own costs as much as one more.
   */
  private static final Duration THANK_AFTER = Duration.ofMillis(100);

  /** So many batches are thanked for without waiting: the supervisor keeps them until then. */
  private static final int THANK_AT_ONCE = 32;

  /**
   * The queue of one pool.
   *
   * @param entry where it publishes its numbers
   * @param time must not go back
   * @param times what takes note of each end
   */
  static Behavior<Command> create(
      String pool,
      JobSettings settings,
      JobIds ids,
      InstantSource time,
      Consumer<QueueCounts> entry,
      JobTimes times) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers ->
                    new JobQueue(pool, settings, ids, time, entry, times, context, timers)
                        .running()));
  }

  /** A submitter of many jobs and the ends he has yet to be told. */
  private static final class ManySubmitter implements Submitter {
    final ActorRef<Told> ref;
    List<JobEnd> ends = new ArrayList<>();

    ManySubmitter(ActorRef<Told> ref) {
      this.ref = ref;
    }
  }

  /** A supervisor's address and what it has yet to be told. */
  private static final class Link {
    final ActorRef<SchedulerToSupervisor> ref;
    List<Assignment> assignments = new ArrayList<>();
    List<AttemptRef> withdrawn = new ArrayList<>();
    long settledUpTo;
    boolean fresh = true;
    int thanks;

    Link(ActorRef<SchedulerToSupervisor> ref) {
      this.ref = ref;
    }
  }

  private record Waiter(String id, ActorRef<Answer> replyTo) {}

  private final String pool;
  private final JobSettings settings;
  private final InstantSource time;
  private final Consumer<QueueCounts> published;
  private final JobTimes times;
  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final QueueState state;
  private final ActorRef<SupervisorToQueue> inbox;

  private final Map<String, Link> links = new HashMap<>();
  private final Map<ActorRef<Told>, ManySubmitter> submitters = new HashMap<>();
  private final Set<ManySubmitter> toTell = new HashSet<>();
  private final Map<String, List<Waiter>> waiters = new HashMap<>();
  private @Nullable ActorRef<List<JobFact>> listener;
  private List<JobFact> facts = new ArrayList<>();
  private boolean flushing;

  private JobQueue(
      String pool,
      JobSettings settings,
      JobIds ids,
      InstantSource time,
      Consumer<QueueCounts> published,
      JobTimes times,
      ActorContext<Command> context,
      TimerScheduler<Command> timers) {
    this.pool = pool;
    this.settings = settings;
    this.time = time;
    this.published = published;
    this.times = times;
    this.context = context;
    this.timers = timers;
    this.state =
        new QueueState(
            pool,
            settings.limits(),
            settings.supervisorBytes(),
            settings.lease(),
            ids,
            new BatchingOutbox());
    this.inbox = context.messageAdapter(SupervisorToQueue.class, FromSupervisor::new);
    timers.startTimerWithFixedDelay(Tick.NOW, TICK);
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(FromSupervisor.class, message -> onFromSupervisor(message.message()))
        .onMessage(SubmitMany.class, this::onSubmitMany)
        .onMessage(Submit.class, this::onSubmit)
        .onMessageEquals(Flush.NOW, this::onFlush)
        .onMessage(Find.class, this::onFind)
        .onMessage(WaitOver.class, this::onWaitOver)
        .onMessage(Cancel.class, this::onCancel)
        .onMessage(Retry.class, this::onRetry)
        .onMessage(ListJobs.class, this::onListJobs)
        .onMessage(Leave.class, leave -> onLeave(leave.submitter()))
        .onMessage(SupervisorJoined.class, this::onSupervisorJoined)
        .onMessage(SupervisorAway.class, this::onSupervisorAway)
        .onMessage(SupervisorLost.class, this::onSupervisorLost)
        .onMessage(AgentLost.class, this::onAgentLost)
        .onMessage(WatchJobs.class, this::onWatchJobs)
        .onMessage(StopWatching.class, stop -> onStopWatching())
        .onMessageEquals(Thank.NOW, this::onThank)
        .onMessageEquals(Tick.NOW, this::onTick)
        .onMessage(Close.class, this::onClose)
        .build();
  }

  // ---- clients

  private Behavior<Command> onSubmit(Submit submit) {
    NewJob wanted = submit.job();
    Optional<Job> known = wanted.key() == null ? Optional.empty() : state.withKey(wanted.key());
    if (known.isPresent()) {
      answer(known.get(), submit.patience(), submit.replyTo());
    } else if (state.hasRoomFor(wanted.payload().length)) {
      answer(state.submit(wanted, null, now()), submit.patience(), submit.replyTo());
    } else {
      submit.replyTo().tell(full());
    }
    return flushSoon();
  }

  private Full full() {
    QueueCounts counts = state.counts();
    return new Full(
        "Pool "
            + pool
            + " has "
            + (counts.queued() + counts.running())
            + " jobs of "
            + counts.bytes()
            + " bytes queued or running and takes no more for now (troupe.jobs.max-queued,"
            + " max-queued-bytes)",
        RETRY_AFTER);
  }

  private Behavior<Command> onSubmitMany(SubmitMany many) {
    ManySubmitter submitter = submitters.get(many.submitter());
    if (submitter == null) {
      submitter = new ManySubmitter(many.submitter());
      submitters.put(many.submitter(), submitter);
      context.watchWith(many.submitter(), new Leave(many.submitter()));
    }
    long now = now();
    List<NewJob> jobs = many.jobs();
    for (int i = 0; i < jobs.size(); i++) {
      NewJob job = jobs.get(i);
      if (!state.hasRoomFor(job.payload().length)) {
        many.submitter().tell(new NotTaken(List.copyOf(jobs.subList(i, jobs.size())), RETRY_AFTER));
        break;
      }
      state.submit(job, submitter, now);
    }
    return flushSoon();
  }

  private Behavior<Command> onLeave(ActorRef<Told> ref) {
    ManySubmitter submitter = submitters.remove(ref);
    if (submitter != null) {
      context.unwatch(ref);
      toTell.remove(submitter);
      Cause cause = Cause.of(Cause.Kind.KILLED, "Its submitter went away");
      state.leave(submitter, cause, now());
    }
    return flushSoon();
  }

  private Behavior<Command> onFind(Find find) {
    state
        .find(find.id())
        .ifPresentOrElse(
            job -> answer(job, find.patience(), find.replyTo()),
            () -> find.replyTo().tell(new Unknown(find.id())));
    return Behaviors.same();
  }

  private Behavior<Command> onCancel(Cancel cancel) {
    Cause cause = Cause.of(Cause.Kind.KILLED, "Cancelled through the API");
    state
        .find(cancel.id())
        .ifPresentOrElse(
            job -> {
              state.cancel(job, cause, now());
              cancel.replyTo().tell(answer(job));
            },
            () -> cancel.replyTo().tell(new Unknown(cancel.id())));
    return flushSoon();
  }

  private Behavior<Command> onRetry(Retry retry) {
    state
        .find(retry.id())
        .ifPresentOrElse(
            job -> retry.replyTo().tell(retry(job)),
            () -> retry.replyTo().tell(new Unknown(retry.id())));
    return flushSoon();
  }

  private Answer retry(Job job) {
    JobState before = job.state;
    if (state.retry(job)) {
      return answer(job);
    }
    boolean ended = before.ended() && before != JobState.SUCCEEDED;
    return ended
        ? full()
        : new Refused(
            "Job "
                + job.id
                + " is "
                + before
                + "; only a FAILED, CANCELLED or DEAD job can be retried");
  }

  private Behavior<Command> onListJobs(ListJobs list) {
    Optional<JobState> wanted = list.state();
    List<Job> newest =
        state.newest(job -> wanted.isEmpty() || job.state == wanted.get(), list.limit());
    list.replyTo().tell(newest.stream().map(Job::view).toList());
    return Behaviors.same();
  }

  private void answer(Job job, Duration patience, ActorRef<Answer> replyTo) {
    if (job.state.ended() || patience.isZero()) {
      replyTo.tell(answer(job));
      return;
    }
    Waiter waiter = new Waiter(job.id, replyTo);
    job.awaited = true;
    waiters.computeIfAbsent(job.id, id -> new ArrayList<>(1)).add(waiter);
    timers.startSingleTimer(waiter, new WaitOver(waiter), patience);
  }

  private static Answer answer(Job job) {
    return job.state.ended()
        ? new Ended(job.view(), job.resultType, job.result)
        : new Accepted(job.view());
  }

  private Behavior<Command> onWaitOver(WaitOver over) {
    Waiter waiter = over.waiter();
    List<Waiter> waiting = waiters.get(waiter.id());
    if (waiting != null && waiting.remove(waiter)) {
      if (waiting.isEmpty()) {
        waiters.remove(waiter.id());
      }
      state.find(waiter.id()).ifPresent(job -> waiter.replyTo().tell(answer(job)));
    }
    return Behaviors.same();
  }

  // ---- supervisors

  private Behavior<Command> onSupervisorJoined(SupervisorJoined joined) {
    SupervisorToScheduler.Register registration = joined.registration();
    Link before = links.get(registration.supervisor());
    if (before == null || !before.ref.equals(registration.replyTo())) {
      links.put(registration.supervisor(), new Link(registration.replyTo()));
    }
    state.join(registration.supervisor(), registration.held(), now());
    registration
        .replyTo()
        .tell(
            new SchedulerToSupervisor.Registered(inbox, settings.lease(), settings.blobs().url()));
    return flushSoon();
  }

  private Behavior<Command> onSupervisorAway(SupervisorAway away) {
    links.remove(away.supervisor());
    state.away(away.supervisor());
    return flushSoon();
  }

  private Behavior<Command> onSupervisorLost(SupervisorLost lost) {
    links.remove(lost.supervisor());
    state.lost(lost.supervisor(), lost.cause(), now());
    return flushSoon();
  }

  private Behavior<Command> onAgentLost(AgentLost lost) {
    for (String supervisor : state.on(lost.agentId())) {
      links.remove(supervisor);
      state.lost(supervisor, lost.cause(), now());
    }
    return flushSoon();
  }

  private Behavior<Command> onFromSupervisor(SupervisorToQueue message) {
    Link link = links.get(message.supervisor());
    if (link == null) {
      // It will notice that nobody answers and register again; its outcomes are kept until then.
      return Behaviors.same();
    }
    long now = now();
    if (message instanceof SupervisorToQueue.Settle settle) {
      for (Outcome outcome : settle.outcomes()) {
        state.settle(settle.supervisor(), outcome, now);
      }
      // A batch after a gap is taken, and thanked for when the one before it has come too.
      if (link.fresh || settle.sequence() == link.settledUpTo + 1) {
        link.settledUpTo = settle.sequence();
        link.fresh = false;
      }
      link.thanks++;
    } else if (message instanceof SupervisorToQueue.Renew renew) {
      state.renew(renew.supervisor(), renew.held(), renew.running(), now);
    }
    state.capacity(message.supervisor(), message.capacity());
    return flushSoon();
  }

  // ---- watching and time

  private Behavior<Command> onWatchJobs(WatchJobs watch) {
    listener = watch.listener();
    return Behaviors.same();
  }

  private Behavior<Command> onStopWatching() {
    listener = null;
    facts.clear();
    return Behaviors.same();
  }

  private Behavior<Command> onTick() {
    state.expire(now());
    return flushSoon();
  }

  private Behavior<Command> onClose(Close close) {
    state.close(close.cause(), now());
    onFlush();
    return Behaviors.stopped();
  }

  private long now() {
    return time.millis();
  }

  // ---- batches out

  private Behavior<Command> flushSoon() {
    if (!flushing) {
      flushing = true;
      context.getSelf().tell(Flush.NOW);
    }
    return Behaviors.same();
  }

  private Behavior<Command> onFlush() {
    flushing = false;
    state.assign(now());
    published.accept(state.counts());
    links.values().forEach(this::send);
    for (ManySubmitter submitter : toTell) {
      submitter.ref.tell(new Ends(submitter.ends));
      submitter.ends = new ArrayList<>();
    }
    toTell.clear();
    if (listener != null && !facts.isEmpty()) {
      listener.tell(facts);
      facts = new ArrayList<>();
    }
    return Behaviors.same();
  }

  private void send(Link link) {
    if (!link.withdrawn.isEmpty()) {
      link.ref.tell(new SchedulerToSupervisor.Cancel(link.withdrawn));
      link.withdrawn = new ArrayList<>();
    }
    if (!link.assignments.isEmpty()) {
      for (List<Assignment> batch : cut(link.assignments)) {
        link.ref.tell(new SchedulerToSupervisor.Assign(batch, link.settledUpTo));
      }
      link.assignments = new ArrayList<>();
      link.thanks = 0;
    } else if (link.thanks >= THANK_AT_ONCE) {
      thank(link);
    } else if (link.thanks > 0 && !timers.isTimerActive(Thank.NOW)) {
      timers.startSingleTimer(Thank.NOW, THANK_AFTER);
    }
  }

  private Behavior<Command> onThank() {
    links.values().stream().filter(link -> link.thanks > 0).forEach(JobQueue::thank);
    return Behaviors.same();
  }

  private static void thank(Link link) {
    link.ref.tell(new SchedulerToSupervisor.Assign(List.of(), link.settledUpTo));
    link.thanks = 0;
  }

  private List<List<Assignment>> cut(List<Assignment> assignments) {
    List<List<Assignment>> batches = new ArrayList<>(1);
    int from = 0;
    long bytes = 0;
    for (int i = 0; i < assignments.size(); i++) {
      long more = assignments.get(i).payload().length;
      if (i > from && (i - from >= settings.batchJobs() || bytes + more > settings.batchBytes())) {
        batches.add(assignments.subList(from, i));
        from = i;
        bytes = 0;
      }
      bytes += more;
    }
    batches.add(assignments.subList(from, assignments.size()));
    return batches;
  }

  /** Gathers what the state decides until the next flush. */
  private final class BatchingOutbox implements QueueState.Outbox {
    @Override
    public void assign(String supervisor, Assignment assignment) {
      Link link = links.get(supervisor);
      if (link != null) {
        link.assignments.add(assignment);
      }
    }

    @Override
    public void withdraw(String supervisor, AttemptRef attempt) {
      Link link = links.get(supervisor);
      if (link != null) {
        link.withdrawn.add(attempt);
      }
    }

    @Override
    public void changed(Job job) {
      if (listener != null) {
        facts.add(new JobFact(job.view()));
      }
      if (!job.state.ended()) {
        return;
      }
      times.ended(job.state, job.endedAt - job.submittedAt);
      if (job.submitter instanceof ManySubmitter submitter) {
        submitter.ends.add(job.end());
        toTell.add(submitter);
      }
      if (job.awaited) {
        tellWaiters(job);
      }
    }

    private void tellWaiters(Job job) {
      job.awaited = false;
      List<Waiter> waiting = waiters.remove(job.id);
      if (waiting != null) {
        published.accept(state.counts());
        for (Waiter waiter : waiting) {
          timers.cancel(waiter);
          waiter.replyTo().tell(answer(job));
        }
      }
    }
  }
}
