package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.StashBuffer;
import akka.actor.typed.javadsl.TimerScheduler;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.model.JobPolicy;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the jobs of one pool: takes them in, hands them to supervisors that have room, and tells
 * their submitters how they ended. All decisions are {@link QueueState}'s; this actor brings it
 * messages and time and carries its decisions out in batches: whatever lies in the mailbox is
 * handled first, then each supervisor and each submitter gets one message.
 *
 * <p>Of a durable job nobody is told anything before it is in the store ({@link Effects} wait for
 * their write), be it that it was accepted or how it ended. One write is under way at a time, and
 * what comes up meanwhile goes into the next (group commit). Hand-outs do not wait, except those of
 * jobs that may run only once.
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

  /** Asks where a job runs: {@link Runs}, or as {@link Find} answers at once. */
  public record Locate(String id, ActorRef<Answer> replyTo) implements Command {}

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

  /** From now on this holds for the pool's jobs. */
  public record Apply(JobPolicy policy) implements Command {}

  /** Cancels all jobs, tells who waits for them, and ends the queue. */
  public record Close(Cause cause) implements Command {}

  private record FromSupervisor(SupervisorToQueue message) implements Command {}

  /** He has waited long enough. */
  record WaitOver(Waiters.Waiter waiter) implements Command {}

  private record Opened(JobStore.Opened opened) implements Command {}

  private record Written(Optional<String> trouble) implements Command {}

  private record LaneRead(Lane lane, int wanted, List<StoredJob> rows) implements Command {}

  private record LaneNotRead(Lane lane, int wanted, String trouble) implements Command {}

  private record ReadAgain(Lane lane, int wanted) implements Command {}

  private record KeyLooked(String key, Optional<StoredJob> row) implements Command {}

  private record KeyNotLooked(String key, String trouble) implements Command {}

  /** A job that is not in memory was looked for, for this question. */
  private record Looked(Command question, Optional<StoredJob> row) implements Command {}

  private record NotOpened(String trouble) implements Command {}

  private enum OpenAgain implements Command {
    NOW
  }

  private enum WriteAgain implements Command {
    NOW
  }

  private enum Due implements Command {
    NOW
  }

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

  /** The job is with this supervisor as this attempt. */
  public record Runs(JobView job, AttemptRef attempt, ActorRef<SchedulerToSupervisor> supervisor)
      implements Answer {}

  /** The job has ended; the body is its result if it succeeded. The array must not be changed. */
  @SuppressWarnings("ArrayRecordComponent") // the result itself, not a copy
  public record Ended(JobView job, ContentType type, byte[] body) implements Answer {}

  /** No such job is remembered. */
  public record Unknown(String id) implements Answer {}

  /** The queue is full: try again after a while. */
  public record Full(String message, Duration retryAfter) implements Answer {}

  /** The store does not work: nothing was done; try again after a while. */
  public record Unavailable(String message, Duration retryAfter) implements Answer {}

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
  private static final int TICKS_PER_SWEEP = 10;
  private static final int STASHED_AT_MOST = 1_000_000;
  private static final long READ_BYTES = 8 << 20;

  /**
   * Thanks wait so long for jobs to go with, as a message of their own costs as much as one more.
   */
  private static final Duration THANK_AFTER = Duration.ofMillis(100);

  /** What a queue is given. */
  record Parts(
      JobSettings settings,
      JobStore store,
      JobIds ids,
      InstantSource time,
      RandomGenerator random,
      Listeners listeners) {}

  /** Whom a queue tells what others read without asking; called on the queue's thread. */
  interface Listeners {
    /** The queue has been opened, and these are the prefixes of its jobs' ids. */
    void opened(List<Long> prefixes);

    /** Its numbers are these. */
    void counted(QueueCounts counts);

    /** A job has ended so many milliseconds after its submission. */
    void ended(JobState state, long millis);
  }

  /** The queue of one pool. */
  static Behavior<Command> create(String pool, JobPolicy policy, Parts parts) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers ->
                    Behaviors.withStash(
                        STASHED_AT_MOST,
                        stash -> new JobQueue(pool, policy, parts, context, timers).open(stash))));
  }

  /** A submitter of many jobs and the ends he has yet to be told. */
  private static final class ManySubmitter extends Submitter {
    final ActorRef<Told> ref;
    List<JobEnd> ends = new ArrayList<>();

    ManySubmitter(ActorRef<Told> ref) {
      this.ref = ref;
    }
  }

  private final String pool;
  private final JobSettings settings;
  private final InstantSource time;
  private final JobStore store;
  private final JobIds ids;
  private final Listeners listeners;
  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final QueueState state;
  private final GroupCommit commit;
  private final ActorRef<SupervisorToQueue> inbox;

  private final Map<String, SupervisorLink> links = new HashMap<>();
  private final Map<ActorRef<Told>, ManySubmitter> submitters = new HashMap<>();
  private final Set<ManySubmitter> toTell = new HashSet<>();
  private final Waiters waiters;
  private final Map<String, List<Submit>> lookedFor = new HashMap<>();
  private final List<Job> unacknowledged = new ArrayList<>();
  private Optional<String> trouble = Optional.empty();
  private JobPolicy policy;
  private @Nullable ActorRef<List<JobFact>> listener;
  private List<JobFact> facts = new ArrayList<>();
  private boolean flushing;
  private int ticks;

  private JobQueue(
      String pool,
      JobPolicy policy,
      Parts parts,
      ActorContext<Command> context,
      TimerScheduler<Command> timers) {
    this.pool = pool;
    this.policy = policy;
    this.settings = parts.settings();
    this.time = parts.time();
    this.store = parts.store();
    this.ids = parts.ids();
    this.listeners = parts.listeners();
    this.context = context;
    this.timers = timers;
    this.waiters = new Waiters(timers);
    this.commit = new GroupCommit(settings.rememberStored().toMillis(), this::write);
    this.state =
        new QueueState(
            pool,
            settings.limits(),
            settings.supervisorBytes(),
            settings.lease(),
            ids,
            policy,
            parts.random(),
            new BatchingOutbox());
    this.inbox = context.messageAdapter(SupervisorToQueue.class, FromSupervisor::new);
  }

  // ---- states

  private Behavior<Command> open(StashBuffer<Command> stash) {
    context.pipeToSelf(
        store.open(pool, ids.prefix()),
        (opened, failure) ->
            failure == null ? new Opened(opened) : new NotOpened(message(failure)));
    return Behaviors.receive(Command.class)
        .onMessage(Opened.class, opened -> onOpened(opened.opened(), stash))
        .onMessage(NotOpened.class, this::onNotOpened)
        .onMessageEquals(OpenAgain.NOW, () -> open(stash))
        .onMessage(Close.class, this::onClose)
        .onAnyMessage(message -> later(message, stash))
        .build();
  }

  private static Behavior<Command> later(Command message, StashBuffer<Command> stash) {
    stash.stash(message);
    return Behaviors.same();
  }

  private Behavior<Command> onNotOpened(NotOpened not) {
    timers.startSingleTimer(OpenAgain.NOW, RETRY_AFTER);
    return unreadable(not.trouble());
  }

  private Behavior<Command> unreadable(String why) {
    if (trouble.isEmpty()) {
      context.getLog().error("The jobs of pool {} cannot be read. {}", pool, why);
    }
    trouble = Optional.of(why);
    return Behaviors.same();
  }

  private Behavior<Command> onOpened(JobStore.Opened opened, StashBuffer<Command> stash) {
    state.restore(opened, now());
    commit.opened(opened.ended());
    listeners.opened(opened.prefixes());
    listeners.counted(state.counts());
    return filling(readMore(settings.limits().window() / 2), stash);
  }

  /**
   * Waits for the first jobs of each lane, however often they have to be asked for: those are what
   * supervisors come back with, and no outcome of a job that is not known could be taken.
   */
  private Behavior<Command> filling(int lanes, StashBuffer<Command> stash) {
    if (lanes == 0) {
      return filled(stash);
    }
    return Behaviors.receive(Command.class)
        .onMessage(
            LaneRead.class,
            read -> {
              onLaneRead(read);
              return filling(lanes - 1, stash);
            })
        .onMessage(
            LaneNotRead.class,
            not -> {
              timers.startSingleTimer(new ReadAgain(not.lane(), not.wanted()), RETRY_AFTER);
              return unreadable(not.trouble());
            })
        .onMessage(
            ReadAgain.class,
            again -> {
              read(again.lane(), again.wanted());
              return Behaviors.same();
            })
        .onMessage(Close.class, this::onClose)
        .onAnyMessage(message -> later(message, stash))
        .build();
  }

  private Behavior<Command> filled(StashBuffer<Command> stash) {
    if (trouble.isPresent()) {
      context.getLog().info("The jobs of pool {} have been read", pool);
      trouble = Optional.empty();
    }
    timers.startTimerWithFixedDelay(Tick.NOW, TICK);
    flushSoon();
    return stash.unstashAll(running());
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(FromSupervisor.class, message -> onFromSupervisor(message.message()))
        .onMessage(SubmitMany.class, this::onSubmitMany)
        .onMessage(Submit.class, this::onSubmit)
        .onMessageEquals(Flush.NOW, this::onFlush)
        .onMessage(Written.class, this::onWritten)
        .onMessage(LaneRead.class, this::onLaneRead)
        .onMessage(LaneNotRead.class, this::onLaneNotRead)
        .onMessage(KeyLooked.class, this::onKeyLooked)
        .onMessage(KeyNotLooked.class, this::onKeyNotLooked)
        .onMessage(Looked.class, this::onLooked)
        .onMessage(Find.class, this::onFind)
        .onMessage(Locate.class, this::onLocate)
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
        .onMessage(Apply.class, this::onApply)
        .onMessageEquals(WriteAgain.NOW, this::onWriteAgain)
        .onMessageEquals(Due.NOW, this::flushSoon)
        .onMessageEquals(Tick.NOW, this::onTick)
        .onMessage(Close.class, this::onClose)
        .build();
  }

  // ---- clients

  private boolean isDurable() {
    return policy.durability() == JobPolicy.Durability.STORE;
  }

  private Behavior<Command> onSubmit(Submit submit) {
    String key = submit.job().key();
    // A store that does not take jobs may not answer for long either.
    if (key == null || !isDurable() || trouble.isPresent() || state.withKey(key).isPresent()) {
      return submit(submit);
    }
    List<Submit> others = lookedFor.get(key);
    if (others != null) {
      others.add(submit);
      return Behaviors.same();
    }
    lookedFor.put(key, new ArrayList<>(List.of(submit)));
    context.pipeToSelf(
        store.withKey(pool, key),
        (row, failure) ->
            failure == null ? new KeyLooked(key, row) : new KeyNotLooked(key, message(failure)));
    return Behaviors.same();
  }

  private Behavior<Command> onKeyLooked(KeyLooked looked) {
    for (Submit submit : Objects.requireNonNull(lookedFor.remove(looked.key()))) {
      // What is read of a job that was refused is still to be removed.
      Optional<StoredJob> row = looked.row().filter(found -> !state.isAborted(found.id()));
      if (row.isPresent()) {
        answer(row.get(), submit.patience(), submit.replyTo());
      } else {
        submit(submit);
      }
    }
    return flushSoon();
  }

  private Behavior<Command> onKeyNotLooked(KeyNotLooked not) {
    for (Submit submit : Objects.requireNonNull(lookedFor.remove(not.key()))) {
      submit.replyTo().tell(new Unavailable(not.trouble(), RETRY_AFTER));
    }
    return Behaviors.same();
  }

  private Behavior<Command> submit(Submit submit) {
    NewJob wanted = submit.job();
    Optional<Job> known = wanted.key() == null ? Optional.empty() : state.withKey(wanted.key());
    if (known.isPresent()) {
      answer(known.get(), submit.patience(), submit.replyTo(), false);
      return flushSoon();
    }
    if (isDurable() && trouble.isPresent()) {
      submit.replyTo().tell(new Unavailable(trouble.get(), RETRY_AFTER));
      return Behaviors.same();
    }
    long now = now();
    Duration turn = state.rateWait(now);
    if (!turn.isZero()) {
      submit.replyTo().tell(tooFast(turn));
    } else if (state.hasRoomFor(wanted.payload().length)) {
      Job job = state.submit(wanted, null, now);
      if (job.durable) {
        if (submit.patience().isZero() || job.key != null || job.spilled) {
          commit.add(job);
        } else {
          // Nobody has been told that it is accepted, and most end before anybody must be.
          unacknowledged.add(job);
        }
      }
      answer(job, submit.patience(), submit.replyTo(), true);
    } else {
      submit.replyTo().tell(full());
    }
    return flushSoon();
  }

  private Full tooFast(Duration wait) {
    return new Full(
        "Pool "
            + pool
            + " takes "
            + policy.limits().rate()
            + " jobs a second and no more (job.limits.rate)",
        wait);
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
            + " bytes queued or running and takes no more for now (job.limits.queued,"
            + " troupe.jobs.max-queued, max-queued-bytes)",
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
      boolean stored = trouble.isEmpty() || !isDurable();
      if (!stored || !state.rateWait(now).isZero() || !state.hasRoomFor(job.payload().length)) {
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
    Optional<Job> job = state.find(find.id());
    if (job.isPresent()) {
      answer(job.get(), find.patience(), find.replyTo(), false);
    } else {
      look(find.id(), find, find.replyTo());
    }
    return flushSoon();
  }

  private Behavior<Command> onLocate(Locate locate) {
    Job job = state.find(locate.id()).orElse(null);
    SupervisorLink link =
        job == null || job.holder == null ? null : links.get(job.holder.supervisor);
    if (job == null || link == null) {
      return onFind(new Find(locate.id(), Duration.ZERO, locate.replyTo()));
    }
    locate
        .replyTo()
        .tell(new Runs(job.view(), new AttemptRef(job.id, job.fence), link.supervisor()));
    return Behaviors.same();
  }

  private Behavior<Command> onCancel(Cancel cancel) {
    Optional<Job> job = state.find(cancel.id());
    if (job.isPresent()) {
      cancel(job.get(), cancel.replyTo());
    } else {
      look(cancel.id(), cancel, cancel.replyTo());
    }
    return flushSoon();
  }

  private void cancel(Job job, ActorRef<Answer> replyTo) {
    state.cancel(job, Cause.of(Cause.Kind.KILLED, "Cancelled through the API"), now());
    reply(replyTo, answer(job), job, false);
  }

  private Behavior<Command> onRetry(Retry retry) {
    Optional<Job> job = state.find(retry.id());
    if (job.isPresent()) {
      reply(retry.replyTo(), retry(job.get()), job.get(), false);
    } else {
      look(retry.id(), retry, retry.replyTo());
    }
    return flushSoon();
  }

  /** Looks for a job in the store and comes back to the question when it is known. */
  private void look(String id, Command question, ActorRef<Answer> replyTo) {
    OptionalLong number = JobIds.number(id);
    if (number.isEmpty()) {
      replyTo.tell(new Unknown(id));
      return;
    }
    context.pipeToSelf(
        store.find(pool, number.getAsLong()),
        (row, failure) -> {
          if (failure != null) {
            replyTo.tell(new Unavailable(message(failure), RETRY_AFTER));
            return Flush.NOW;
          }
          return new Looked(question, row);
        });
  }

  private Behavior<Command> onLooked(Looked looked) {
    Command question = looked.question();
    Optional<StoredJob> row = looked.row();
    if (question instanceof Find find) {
      // It may have been read into memory meanwhile, and be further by now.
      Optional<Job> job = state.find(find.id());
      if (job.isPresent()) {
        answer(job.get(), find.patience(), find.replyTo(), false);
      } else {
        row.ifPresentOrElse(
            found -> answer(found, find.patience(), find.replyTo()),
            () -> find.replyTo().tell(new Unknown(find.id())));
      }
    } else if (question instanceof Cancel cancel) {
      row.map(state::found)
          .ifPresentOrElse(
              job -> cancel(job, cancel.replyTo()),
              () -> cancel.replyTo().tell(new Unknown(cancel.id())));
    } else if (question instanceof Retry retry) {
      retryStored(retry, row);
    }
    return flushSoon();
  }

  private void retryStored(Retry retry, Optional<StoredJob> row) {
    if (row.isEmpty()) {
      retry.replyTo().tell(new Unknown(retry.id()));
    } else if (!row.get().state().ended() && state.find(retry.id()).isEmpty()) {
      retry.replyTo().tell(notRetryable(retry.id(), JobState.QUEUED));
    } else {
      Job job = state.found(row.get());
      reply(retry.replyTo(), retry(job), job, false);
    }
  }

  private Answer retry(Job job) {
    JobState before = job.state;
    if (state.retry(job, now())) {
      return answer(job);
    }
    boolean ended = before.ended() && before != JobState.SUCCEEDED;
    return ended ? full() : notRetryable(job.id, before);
  }

  private static Refused notRetryable(String id, JobState is) {
    return new Refused(
        "Job " + id + " is " + is + "; only a FAILED, CANCELLED or DEAD job can be retried");
  }

  private Behavior<Command> onListJobs(ListJobs list) {
    Optional<JobState> wanted = list.state();
    List<JobView> known =
        state.newest(job -> wanted.isEmpty() || job.state == wanted.get(), list.limit()).stream()
            .map(Job::view)
            .toList();
    Set<Long> here = state.numbers();
    store
        .newest(pool, wanted, list.limit())
        .whenComplete(
            (rows, failure) ->
                list.replyTo()
                    .tell(
                        failure == null ? merged(known, rows, here, wanted, list.limit()) : known));
    return Behaviors.same();
  }

  /** Rows of jobs that are known here may be behind, and do not count. */
  private static List<JobView> merged(
      List<JobView> known,
      List<StoredJob> rows,
      Set<Long> here,
      Optional<JobState> wanted,
      int limit) {
    Stream<JobView> others =
        rows.stream()
            .filter(row -> !here.contains(row.id()))
            .map(StoredJob::view)
            .filter(view -> wanted.isEmpty() || view.state() == wanted.get());
    return Stream.concat(known.stream(), others)
        .sorted(Comparator.comparing(JobView::id).reversed())
        .limit(limit)
        .toList();
  }

  private void answer(Job job, Duration patience, ActorRef<Answer> replyTo, boolean submission) {
    if (job.state.ended() || patience.isZero()) {
      reply(replyTo, answer(job), job, submission);
      return;
    }
    job.awaited = true;
    waiters.add(job.id, patience, replyTo);
  }

  /** Answers for a job of which only the row is known. */
  private void answer(StoredJob row, Duration patience, ActorRef<Answer> replyTo) {
    if (row.state().ended()) {
      replyTo.tell(new Ended(row.view(), row.resultType(), row.result()));
    } else if (patience.isZero()) {
      replyTo.tell(new Accepted(row.view()));
    } else {
      waiters.add(JobIds.text(row.id()), patience, replyTo);
    }
  }

  /** Tells it, when all that is known of the job is in the store. */
  private void reply(ActorRef<Answer> to, Answer answer, Job job, boolean submission) {
    if (job.durable && (job.ahead() || submission)) {
      commit.waiting().replies.add(new Effects.Reply(to, answer, job, submission));
    } else {
      to.tell(answer);
    }
  }

  private static Answer answer(Job job) {
    return job.state.ended()
        ? new Ended(job.view(), job.resultType, job.result)
        : new Accepted(job.view());
  }

  private Behavior<Command> onWaitOver(WaitOver over) {
    Waiters.Waiter waiter = over.waiter();
    if (!waiters.take(waiter)) {
      return Behaviors.same();
    }
    Optional<Job> job = state.find(waiter.job);
    if (job.isPresent()) {
      acknowledge(job.get());
      reply(waiter.replyTo, answer(job.get()), job.get(), false);
    } else {
      look(waiter.job, new Find(waiter.job, Duration.ZERO, waiter.replyTo), waiter.replyTo);
    }
    return flushSoon();
  }

  /** From now on the job counts as accepted. */
  private void acknowledge(Job job) {
    if (job.durable && job.place == JobStore.Place.NONE) {
      commit.add(job);
    }
  }

  // ---- supervisors

  private Behavior<Command> onSupervisorJoined(SupervisorJoined joined) {
    SupervisorToScheduler.Register registration = joined.registration();
    SupervisorLink before = links.get(registration.supervisor());
    if (before == null || !before.leadsTo(registration.replyTo())) {
      links.put(registration.supervisor(), new SupervisorLink(registration.replyTo(), settings));
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
    dismiss(lost.supervisor());
    state.lost(lost.supervisor(), lost.cause(), now());
    return flushSoon();
  }

  private Behavior<Command> onAgentLost(AgentLost lost) {
    for (String supervisor : state.on(lost.agentId())) {
      dismiss(supervisor);
      state.lost(supervisor, lost.cause(), now());
    }
    return flushSoon();
  }

  /** Should it live all the same, it may come again. */
  private void dismiss(String supervisor) {
    SupervisorLink link = links.remove(supervisor);
    if (link != null) {
      link.supervisor().tell(new SchedulerToSupervisor.Refused("Mesos says that it is gone"));
    }
  }

  private Behavior<Command> onFromSupervisor(SupervisorToQueue message) {
    SupervisorLink link = links.get(message.supervisor());
    if (link == null) {
      // Its outcomes are not thanked for, so it keeps them until it registers again.
      return Behaviors.same();
    }
    long now = now();
    if (message instanceof SupervisorToQueue.Settle settle) {
      for (Outcome outcome : settle.outcomes()) {
        state.settle(settle.supervisor(), outcome, now);
      }
      link.settled(settle.sequence());
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

  private Behavior<Command> onApply(Apply apply) {
    policy = apply.policy();
    state.apply(policy);
    return flushSoon();
  }

  private Behavior<Command> onStopWatching() {
    listener = null;
    facts.clear();
    return Behaviors.same();
  }

  private Behavior<Command> onTick() {
    long now = now();
    state.expire(now);
    for (Job job : unacknowledged) {
      if (!job.state.ended()) {
        acknowledge(job);
      }
    }
    unacknowledged.clear();
    ticks++;
    if (ticks % TICKS_PER_SWEEP == 0 && trouble.isEmpty()) {
      store.sweep(now);
    }
    return flushSoon();
  }

  private Behavior<Command> onClose(Close close) {
    state.close(close.cause(), now());
    store.forget(pool);
    commit.close().forEach(this::release);
    toTell.forEach(submitter -> submitter.ref.tell(new Ends(submitter.ends)));
    links.values().forEach(this::send);
    listeners.counted(state.counts());
    tellListener();
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
    listeners.counted(state.counts());
    boolean allStored = commit.allStored();
    for (SupervisorLink link : links.values()) {
      Effects.Thanks thanks = link.takeThanks();
      if (allStored) {
        link.safe(thanks);
      } else if (thanks.batches() > 0) {
        Effects.Thanks before = commit.waiting().thanks.getOrDefault(link, Effects.Thanks.NONE);
        commit
            .waiting()
            .thanks
            .put(link, new Effects.Thanks(thanks.upTo(), before.batches() + thanks.batches()));
      }
      send(link);
    }
    for (ManySubmitter submitter : toTell) {
      commit
          .waiting()
          .ends
          .computeIfAbsent(submitter.ref, any -> new ArrayList<>())
          .addAll(submitter.ends);
      submitter.ends = new ArrayList<>();
    }
    toTell.clear();
    release(commit.flush(state::ended));
    tellListener();
    readMore(settings.limits().page());
    state
        .nextDue()
        .ifPresent(
            due -> timers.startSingleTimer(Due.NOW, Duration.ofMillis(Math.max(1, due - now()))));
    return Behaviors.same();
  }

  private void tellListener() {
    if (listener != null && !facts.isEmpty()) {
      listener.tell(facts);
      facts = new ArrayList<>();
    }
  }

  private void send(SupervisorLink link) {
    if (link.send() && !timers.isTimerActive(Thank.NOW)) {
      timers.startSingleTimer(Thank.NOW, THANK_AFTER);
    }
  }

  private Behavior<Command> onThank() {
    links.values().forEach(SupervisorLink::thank);
    return Behaviors.same();
  }

  // ---- the store

  private void write(List<JobStore.Change> changes, Map<JobState, Long> ended, boolean again) {
    context.pipeToSelf(
        store.write(pool, changes, ended, again),
        (done, failure) ->
            new Written(failure == null ? Optional.empty() : Optional.of(message(failure))));
  }

  private Behavior<Command> onWritten(Written written) {
    if (written.trouble().isPresent()) {
      notWritten(written.trouble().get());
      return flushSoon();
    }
    if (trouble.isPresent()) {
      context.getLog().info("The store takes the jobs of pool {} again", pool);
      trouble = Optional.empty();
    }
    GroupCommit.Stored stored = commit.written();
    long now = now();
    stored.jobs().forEach(job -> state.kept(job, now));
    release(stored.effects());
    return flushSoon();
  }

  /** Whoever waits for word that his job is accepted is told that it is not; the rest waits. */
  private void notWritten(String why) {
    if (trouble.isEmpty()) {
      context.getLog().error("The jobs of pool {} cannot be stored. {}", pool, why);
    }
    trouble = Optional.of(why);
    refuseSubmissions(why, commit.unstored());
    timers.startSingleTimer(WriteAgain.NOW, RETRY_AFTER);
  }

  private void refuseSubmissions(String why, List<Effects> unstored) {
    long now = now();
    Unavailable answer = new Unavailable(why, RETRY_AFTER);
    for (Effects effects : unstored) {
      for (Effects.Reply reply : effects.replies) {
        Job job = reply.job();
        if (reply.submission() && !job.forgotten) {
          state.abort(job, now);
          waiters.takeAll(job.id).forEach(waiter -> waiter.tell(answer));
        }
      }
    }
    // Others may have asked for the same job by its key.
    for (Effects effects : unstored) {
      effects.replies.removeIf(
          reply -> {
            if (reply.job().forgotten) {
              reply.to().tell(answer);
            }
            return reply.job().forgotten;
          });
    }
  }

  private Behavior<Command> onWriteAgain() {
    commit.again();
    return Behaviors.same();
  }

  private void release(Effects done) {
    for (Effects.Reply reply : done.replies) {
      reply.to().tell(reply.answer());
    }
    done.ends.forEach((submitter, ends) -> submitter.tell(new Ends(ends)));
    done.assignments.forEach(this::handOut);
    // The next flush says so, with assignments if there are some.
    done.thanks.forEach(SupervisorLink::safe);
  }

  /** Sends jobs that the store now knows to be with this supervisor. */
  private void handOut(String supervisor, List<Assignment> assignments) {
    SupervisorLink link = links.get(supervisor);
    if (link != null) {
      link.assign(assignments);
      send(link);
      return;
    }
    Cause away = Cause.of(Cause.Kind.DRAINED, "its supervisor went away before it was sent there");
    for (Assignment job : assignments) {
      state.settle(supervisor, Outcome.withoutRun(job, Outcome.Kind.NOT_STARTED, away, ""), now());
    }
    flushSoon();
  }

  /** Reads on where it is due; answers how many reads that are. */
  private int readMore(int wanted) {
    List<Lane> lanes = state.toRead();
    lanes.forEach(lane -> read(lane, wanted));
    return lanes.size();
  }

  private void read(Lane lane, int wanted) {
    context.pipeToSelf(
        store.page(pool, lane.priority, lane.submitter, lane.readUpTo, wanted, READ_BYTES),
        (rows, failure) ->
            failure == null
                ? new LaneRead(lane, wanted, rows)
                : new LaneNotRead(lane, wanted, message(failure)));
  }

  private Behavior<Command> onLaneRead(LaneRead read) {
    long bytes = read.rows().stream().mapToLong(row -> row.payload().length).sum();
    boolean all = read.rows().size() < read.wanted() && bytes < READ_BYTES;
    for (Job job : state.read(read.lane(), read.rows(), all, now())) {
      job.awaited = waiters.areThereFor(job.id);
    }
    return flushSoon();
  }

  private Behavior<Command> onLaneNotRead(LaneNotRead not) {
    // The next tick's flush tries again.
    state.notRead(not.lane());
    return Behaviors.same();
  }

  private static String message(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return String.valueOf(cause.getMessage());
  }

  /** Gathers what the state decides until the next flush. */
  private final class BatchingOutbox implements QueueState.Outbox {
    @Override
    public void assign(String supervisor, Assignment assignment) {
      SupervisorLink link = links.get(supervisor);
      if (link == null) {
        return;
      }
      boolean waits =
          assignment.exclusive()
              && state.find(assignment.job()).filter(job -> job.durable).isPresent();
      if (waits) {
        commit
            .waiting()
            .assignments
            .computeIfAbsent(supervisor, any -> new ArrayList<>())
            .add(assignment);
      } else {
        link.assign(assignment);
      }
    }

    @Override
    public void withdraw(String supervisor, AttemptRef attempt) {
      SupervisorLink link = links.get(supervisor);
      if (link != null) {
        link.withdraw(attempt);
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
      listeners.ended(job.state, job.endedAt - job.submittedAt);
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
      List<ActorRef<Answer>> waiting = waiters.takeAll(job.id);
      if (!waiting.isEmpty()) {
        listeners.counted(state.counts());
        Answer answer = JobQueue.answer(job);
        for (ActorRef<Answer> waiter : waiting) {
          if (job.durable) {
            commit.waiting().replies.add(new Effects.Reply(waiter, answer, job, false));
          } else {
            waiter.tell(answer);
          }
        }
      }
    }

    @Override
    public void keep(Job job) {
      commit.add(job);
    }
  }
}
