package io.troupe.scheduler.jobs;

import io.troupe.model.Cause;
import io.troupe.model.JobPolicy;
import io.troupe.model.JobPolicy.RetryOn;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The jobs of one pool and who holds them: every accepted job ends exactly once, whatever is lost.
 * No actor, clock or thread inside; time is given in milliseconds and must not go back. Not
 * thread-safe.
 *
 * <pre>
 *   submit → QUEUED ─assign→ RUNNING ─SUCCEEDED / FAILED outcome→ SUCCEEDED / FAILED
 *               ↑               │ LOST, lease over, supervisor lost: counts if it started
 *               ├──attempts left┤ NOT_STARTED: does not count
 *               │               └no attempt left→ DEAD
 *               └──retry── FAILED, CANCELLED, DEAD          cancel: QUEUED, RUNNING → CANCELLED
 * </pre>
 *
 * A queued job may wait for its time (delay, retry), for the store to know of its last loss, for
 * its turn, or, when there are many, in the store alone.
 *
 * <p>Each hand-out has a number of its own, the fence: an outcome with another number is dropped
 * and counted. A job with a single attempt is never handed out again unless its supervisor says
 * that it was not started. Numbers of one scheduler process are higher than those of the ones
 * before, so that first hand-outs need not be written down: an attempt of the process before is
 * current as long as this one has not handed the job out itself.
 */
final class QueueState {

  /**
   * How much is kept.
   *
   * @param jobs how many jobs may be queued or running
   * @param bytes how many bytes their payloads may take
   * @param endedJobs how many jobs that ended are remembered; as many dead ones beside
   * @param toldJobs the same for jobs whose end their submitter has been told, and for those that
   *     are remembered in the store
   * @param endedBytes how many bytes their payloads and results may take
   * @param endedFor how long they are remembered at most
   * @param window how many jobs of one submitter wait in memory before further ones wait in the
   *     store only
   */
  record Limits(
      int jobs,
      long bytes,
      int endedJobs,
      int toldJobs,
      long endedBytes,
      Duration endedFor,
      int window) {

    /**
     * How many jobs of a lane are read from the store at a time, once so few are left. Reads and
     * writes of the store take turns, and what is read or written together is garbage together: the
     * more, the more of it is old by then.
     */
    int page() {
      return Math.max(1, window / 8);
    }
  }

  /** What the queue wants done; called while one of its methods runs. */
  interface Outbox {
    /** The supervisor shall run this. */
    void assign(String supervisor, Assignment assignment);

    /** The supervisor shall drop or end this. */
    void withdraw(String supervisor, AttemptRef attempt);

    /** The job is in another state now. */
    void changed(Job job);

    /** What is known of the job, which is a durable one, must get into the store. */
    void keep(Job job);
  }

  /** So many hand-outs of one job are told apart from those of the next scheduler process. */
  private static final int FENCES_OF_AN_EPOCH = 1 << 12;

  /** Losses nobody can say of whether they were starts; so many of them end a job all the same. */
  static final int UNCOUNTED_LIMIT = 100;

  /** Supervisors may need some time to find a scheduler that has just started. */
  private static final int RESTORED_LEASES = 3;

  private final String pool;
  private final Limits limits;
  private final long heldBytes;
  private final long leaseMillis;
  private final JobIds ids;
  private final RandomGenerator random;
  private final Outbox outbox;
  private JobPolicy policy;
  private int fenceBase;

  /**
   * Of the last job, for those that say the same: a million of them shall not keep each its own.
   */
  private String latestFunction = "";

  private NewJob.@Nullable Terms latestTerms;

  private RateLimit rate = RateLimit.NONE;

  private final Map<String, Job> jobs = new HashMap<>();
  private final Map<String, Job> byKey = new HashMap<>();
  private final ReadyJobs ready = new ReadyJobs();
  private final TreeSet<Job> delayed =
      new TreeSet<>(
          Comparator.comparingLong((Job job) -> job.due).thenComparingLong(job -> job.number));
  private final TreeSet<Job> expiring =
      new TreeSet<>(
          Comparator.comparingLong((Job job) -> job.expires).thenComparingLong(job -> job.number));
  private int parked;

  /** Jobs that are not to be and may be in the store for a moment. */
  private final Set<Long> aborted = new HashSet<>();

  private final Map<String, Holder> holders = new HashMap<>();
  private final List<Holder> turns = new ArrayList<>();
  private int turn;

  private final ArrayDeque<Job> ended = new ArrayDeque<>();
  private final ArrayDeque<Job> told = new ArrayDeque<>();
  private final ArrayDeque<Job> dead = new ArrayDeque<>();
  private long endedBytes;
  private long liveBytes;
  private int running;
  private long sequences;

  private long succeeded;
  private long failed;
  private long cancelled;
  private long died;
  private final Map<Cause.Kind, Integer> causes = new EnumMap<>(Cause.Kind.class);
  private Map<Cause.Kind, Integer> causesSeen = Map.of();
  private long overtaken;
  private long lostAttempts;

  /**
   * An empty queue.
   *
   * @param heldBytes a supervisor that holds payloads of so many bytes gets no further job
   * @param policy what holds for its jobs, until {@link #apply} says otherwise
   * @param random where the waits before retries take their jitter from
   */
  QueueState(
      String pool,
      Limits limits,
      long heldBytes,
      Duration lease,
      JobIds ids,
      JobPolicy policy,
      RandomGenerator random,
      Outbox outbox) {
    this.pool = pool;
    this.limits = limits;
    this.heldBytes = heldBytes;
    this.leaseMillis = lease.toMillis();
    this.ids = ids;
    this.policy = policy;
    this.random = random;
    this.outbox = outbox;
    apply(policy);
  }

  /** From now on this holds for the pool's jobs; those submitted before keep their own terms. */
  void apply(JobPolicy newPolicy) {
    policy = newPolicy;
    ready.weigh(newPolicy.limits().weights());
    rate = rate.at(newPolicy.limits().rate());
  }

  /**
   * Goes on where the scheduler process before ended. Jobs of which is known who holds them stay
   * his for a while, so that he can come back with them.
   */
  void restore(JobStore.Opened opened, long now) {
    fenceBase = opened.epoch() * FENCES_OF_AN_EPOCH;
    succeeded = opened.ended().getOrDefault(JobState.SUCCEEDED, 0L);
    failed = opened.ended().getOrDefault(JobState.FAILED, 0L);
    cancelled = opened.ended().getOrDefault(JobState.CANCELLED, 0L);
    died = opened.ended().getOrDefault(JobState.DEAD, 0L);
    for (JobStore.Lane waiting : opened.lanes()) {
      ready.spill(ready.lane(waiting.priority(), waiting.submitter()), waiting.jobs());
    }
    for (StoredJob row : opened.held()) {
      Job job = new Job(row, sequences++);
      know(job);
      Holder holder = holders.computeIfAbsent(row.holder(), this::absent);
      job.holderKept = true;
      ready.spill(ready.lane(job.terms.priority(), job.terms.submitter()), -1);
      hold(job, holder, row.fence(), now + RESTORED_LEASES * leaseMillis);
    }
  }

  private Holder absent(String supervisor) {
    Holder holder = new Holder(supervisor);
    holder.present = false;
    turns.add(holder);
    return holder;
  }

  private void know(Job job) {
    jobs.put(job.id, job);
    if (job.key != null) {
      byKey.put(job.key, job);
    }
    if (!job.state.ended()) {
      liveBytes += job.payload.length;
      if (job.canExpire()) {
        expiring.add(job);
      }
    }
  }

  // ---- the store

  /** Lanes whose next jobs should be read from the store; they count as being read from now on. */
  List<Lane> toRead() {
    List<Lane> lanes = ready.toRead(limits.page());
    for (Lane lane : lanes) {
      lane.reading = true;
      lane.spilledSince = lane.unwritten;
    }
    return lanes;
  }

  /** The lane could not be read; it will have to be tried again. */
  void notRead(Lane lane) {
    lane.reading = false;
  }

  /**
   * Takes in what was read of a lane.
   *
   * @param all whether there was no more
   * @return the jobs that are known from now on
   */
  List<Job> read(Lane lane, List<StoredJob> rows, boolean all, long now) {
    lane.reading = false;
    List<Job> taken = new ArrayList<>(rows.size());
    for (StoredJob row : rows) {
      lane.readUpTo = row.id();
      Job known = jobs.get(JobIds.text(row.id()));
      if (aborted.contains(row.id())) {
        continue;
      }
      if (known == null) {
        Job job = new Job(row, sequences++);
        know(job);
        enqueue(job, now);
        taken.add(job);
      } else if (known.spilled && known.state == JobState.QUEUED) {
        isRead(known, lane);
        known.spilled = false;
        liveBytes += known.payload.length;
        enqueue(known, now);
        taken.add(known);
      }
    }
    ready.spill(lane, all ? lane.spilledSince - lane.spilled : -taken.size());
    return taken;
  }

  private static void isRead(Job job, Lane lane) {
    if (job.unread) {
      job.unread = false;
      lane.unwritten--;
    }
  }

  /** Takes in one job that was found in the store, to be cancelled or retried at once. */
  Job found(StoredJob row) {
    Job known = jobs.get(JobIds.text(row.id()));
    if (known != null) {
      return known;
    }
    Job job = new Job(row, sequences++);
    know(job);
    if (job.state.ended()) {
      endedBytes += job.bytes();
      memoryFor(job).add(job);
    } else {
      job.spilled = true;
      liveBytes -= job.payload.length;
    }
    return job;
  }

  /** A write of the job is in the store; perhaps another one is on its way. */
  void kept(Job job, long now) {
    if (job.ahead()) {
      return;
    }
    if (job.forgotten) {
      aborted.remove(job.number);
    } else if (job.parked) {
      job.parked = false;
      parked--;
      enqueue(job, now);
    } else if (job.spilled && job.unread) {
      isRead(job, ready.lane(job.terms.priority(), job.terms.submitter()));
      if (job.state == JobState.QUEUED) {
        jobs.remove(job.id);
        expiring.remove(job);
        if (job.key != null) {
          byKey.remove(job.key, job);
        }
      }
    }
  }

  /** The job is not to be: it could not be stored, and its submitter knows. */
  void abort(Job job, long now) {
    switch (job.state) {
      case QUEUED -> takeOut(job);
      case RUNNING -> withdraw(job, now);
      case SUCCEEDED, FAILED, CANCELLED, DEAD -> {
        memoryFor(job).remove(job);
        endedBytes -= job.bytes();
        count(job.state, -1);
      }
    }
    if (!job.state.ended() && !job.spilled) {
      liveBytes -= job.payload.length;
    }
    expiring.remove(job);
    leave(job);
    jobs.remove(job.id);
    if (job.key != null) {
      byKey.remove(job.key, job);
    }
    job.forgotten = true;
    aborted.add(job.number);
    outbox.keep(job);
  }

  /** Whether this job was refused after it had been sent to the store. */
  boolean isAborted(long number) {
    return aborted.contains(number);
  }

  /** When the next job that waits for its time is due. */
  OptionalLong nextDue() {
    return delayed.isEmpty() ? OptionalLong.empty() : OptionalLong.of(delayed.first().due);
  }

  // ---- clients

  /** The job that was submitted with this key and is still remembered. */
  Optional<Job> withKey(String key) {
    return Optional.ofNullable(byKey.get(key));
  }

  /** Whether one more job with such a payload may be submitted. */
  boolean hasRoomFor(int payloadBytes) {
    long live = queued() + running;
    int most = policy.limits().queued();
    return live < (most == 0 ? limits.jobs() : Math.min(most, limits.jobs()))
        && (live == 0 || liveBytes + payloadBytes <= limits.bytes());
  }

  /** How long the next submission has to wait for its turn, as the pool's rate has it. */
  Duration rateWait(long now) {
    return rate.waitFor(now);
  }

  /** Takes a job in; its key, if any, must be new, and there must be room. */
  Job submit(NewJob wanted, @Nullable Submitter submitter, long now) {
    boolean durable = policy.durability() == JobPolicy.Durability.STORE;
    latestFunction = kept(latestFunction, wanted.function());
    latestTerms = kept(latestTerms, wanted.terms());
    Job job =
        new Job(ids.next(), pool, wanted, latestFunction, latestTerms, durable, sequences++, now);
    job.submitter = submitter;
    if (submitter != null) {
      submitter.open++;
    }
    if (job.key != null && byKey.containsKey(job.key)) {
      throw new IllegalStateException("Key " + job.key + " is taken");
    }
    know(job);
    rate.take(now);
    if (isForStoreOnly(job, now)) {
      job.spilled = true;
      job.unread = true;
      liveBytes -= job.payload.length;
      Lane lane = ready.lane(job.terms.priority(), job.terms.submitter());
      lane.unwritten++;
      lane.spilledSince++;
      ready.spill(lane, 1);
    } else {
      enqueue(job, now);
    }
    outbox.changed(job);
    return job;
  }

  private static <T> T kept(@Nullable T before, T wanted) {
    return before != null && before.equals(wanted) ? before : wanted;
  }

  private boolean isForStoreOnly(Job job, long now) {
    if (!job.durable || job.submitter != null || job.due > now) {
      return false;
    }
    Lane lane = ready.lane(job.terms.priority(), job.terms.submitter());
    return lane.spilled > 0 || lane.size() >= limits.window() || liveBytes > limits.bytes() / 2;
  }

  /** Puts a job where it waits for its turn, or for its time. */
  private void enqueue(Job job, long now) {
    if (job.due > now) {
      delayed.add(job);
    } else if (job.started + job.uncounted > 0) {
      ready.putBack(job);
    } else {
      ready.add(job);
    }
  }

  /** Takes a queued job from where it waits. */
  private void takeOut(Job job) {
    if (job.parked) {
      job.parked = false;
      parked--;
    } else if (job.spilled) {
      Lane lane = ready.lane(job.terms.priority(), job.terms.submitter());
      isRead(job, lane);
      ready.spill(lane, -Math.min(1, lane.spilled));
    } else if (!delayed.remove(job)) {
      ready.remove(job);
    }
  }

  private long queued() {
    return ready.size() + ready.spilled() + delayed.size() + parked;
  }

  /** The job of this id, if it is still remembered. */
  Optional<Job> find(String id) {
    return Optional.ofNullable(jobs.get(id));
  }

  /** The newest jobs of which this holds, the newest first. */
  List<Job> newest(Predicate<Job> wanted, int limit) {
    PriorityQueue<Job> best = new PriorityQueue<>(Comparator.comparing((Job job) -> job.id));
    for (Job job : jobs.values()) {
      if (wanted.test(job)) {
        best.add(job);
        if (best.size() > limit) {
          best.remove();
        }
      }
    }
    List<Job> newest = new ArrayList<>(best);
    newest.sort(Comparator.comparing((Job job) -> job.id).reversed());
    return newest;
  }

  /** Ends the job unless it has ended; an attempt that runs is withdrawn. */
  void cancel(Job job, Cause cause, long now) {
    switch (job.state) {
      case QUEUED -> {
        takeOut(job);
        job.cause = cause;
        end(job, JobState.CANCELLED, now);
      }
      case RUNNING -> {
        withdraw(job, now);
        job.cause = cause;
        end(job, JobState.CANCELLED, now);
      }
      case SUCCEEDED, FAILED, CANCELLED, DEAD -> {}
    }
  }

  /** Cancels all jobs of this submitter that have not ended; he hears of them no more. */
  void leave(Submitter submitter, Cause cause, long now) {
    if (submitter.open == 0) {
      return; // as nearly always: all jobs that are remembered need not be looked through
    }
    for (Job job : newest(each -> each.submitter == submitter, Integer.MAX_VALUE)) {
      leave(job);
      cancel(job, cause, now);
    }
  }

  private static void leave(Job job) {
    if (job.submitter != null) {
      job.submitter.open--;
      job.submitter = null;
    }
  }

  /** Cancels everything. */
  void close(Cause cause, long now) {
    for (Job job : newest(each -> !each.state.ended(), Integer.MAX_VALUE)) {
      cancel(job, cause, now);
    }
  }

  /**
   * Queues an ended job once more, with all its attempts.
   *
   * @return false when it did not fail, die or get cancelled, or when there is no room
   */
  boolean retry(Job job, long now) {
    boolean retryable =
        switch (job.state) {
          case FAILED, CANCELLED, DEAD -> true;
          case QUEUED, RUNNING, SUCCEEDED -> false;
        };
    if (!retryable || !hasRoomFor(job.payload.length)) {
      return false;
    }
    memoryFor(job).remove(job);
    endedBytes -= job.bytes();
    count(job.state, -1);
    job.state = JobState.QUEUED;
    job.started = 0;
    job.uncounted = 0;
    job.mayHaveStarted = false;
    job.startedAt = 0;
    job.endedAt = 0;
    job.expires = job.expires(now);
    job.due = 0;
    job.told = false;
    job.spilled = false;
    job.sequence = sequences++;
    liveBytes += job.payload.length;
    if (job.canExpire()) {
      expiring.add(job);
    }
    enqueue(job, now);
    outbox.changed(job);
    keep(job);
    return true;
  }

  // ---- supervisors

  /** A supervisor has come, or has come back, and holds these attempts; it has yet to pull. */
  void join(String supervisor, List<AttemptRef> held, long now) {
    Holder holder = holders.get(supervisor);
    if (holder == null) {
      holder = new Holder(supervisor);
      holders.put(supervisor, holder);
      turns.add(holder);
    }
    holder.present = true;
    holder.capacity = 0;
    renew(holder, held, List.of(), now);
  }

  /** Whether the supervisor has joined and not been lost. */
  boolean knows(String supervisor) {
    return holders.containsKey(supervisor);
  }

  /** It is ready to hold so many attempts in all. */
  void capacity(String supervisor, int capacity) {
    Holder holder = holders.get(supervisor);
    if (holder != null && holder.present) {
      holder.capacity = capacity;
    }
  }

  /** It holds these attempts, of which some have started. */
  void renew(String supervisor, List<AttemptRef> held, List<AttemptRef> started, long now) {
    Holder holder = holders.get(supervisor);
    if (holder != null) {
      renew(holder, held, started, now);
    }
  }

  /** It is not in the cluster: it gets no more, and what it holds lasts as long as the leases. */
  void away(String supervisor) {
    Holder holder = holders.get(supervisor);
    if (holder != null) {
      holder.present = false;
      holder.capacity = 0;
      dropIfDone(holder);
    }
  }

  /** It is gone for good, and with it all that it held. */
  void lost(String supervisor, Cause cause, long now) {
    Holder holder = holders.get(supervisor);
    if (holder == null) {
      return;
    }
    for (Job job : List.copyOf(holder.held)) {
      lost(job, job.seenRunning || job.atMostOnce(), cause, now);
    }
    holder.withdrawn.clear();
    holder.present = false;
    holder.capacity = 0;
    dropIfDone(holder);
  }

  /** The supervisors of an agent. */
  List<String> on(String agentId) {
    return holders.keySet().stream().filter(id -> id.endsWith("@" + agentId)).toList();
  }

  /** An attempt ended; ignored unless it is the current one of its job. */
  void settle(String supervisor, Outcome outcome, long now) {
    Job job = jobs.get(outcome.job());
    Holder speaker = holders.get(supervisor);
    if (job == null) {
      if (speaker != null
          && speaker.withdrawn.remove(outcome.ref()) == null
          && speaker.foreign > 0) {
        speaker.foreign--;
      }
      return;
    }
    if (speaker != null && isFromBefore(job, outcome.attempt())) {
      adopt(job, speaker, outcome.attempt(), now);
    }
    if (job.state == JobState.RUNNING && job.fence == outcome.attempt()) {
      current(job, outcome, now);
      return;
    }
    boolean withdrawn = speaker != null && speaker.withdrawn.remove(outcome.ref()) != null;
    boolean said = job.state.ended() && job.fence == outcome.attempt() && !withdrawn;
    boolean nothing =
        outcome.kind() == Outcome.Kind.CANCELLED || outcome.kind() == Outcome.Kind.NOT_STARTED;
    if (!said && !nothing) {
      overtaken++;
    }
  }

  /** Hands out what can be handed out, one job to each supervisor with room in turn. */
  void assign(long now) {
    while (!delayed.isEmpty() && delayed.first().due <= now) {
      enqueue(Objects.requireNonNull(delayed.pollFirst()), now);
    }
    int most = policy.limits().concurrency();
    int full = 0;
    while (!ready.isEmpty() && full < turns.size() && (most == 0 || running < most)) {
      turn = turn >= turns.size() ? 0 : turn;
      Holder holder = turns.get(turn++);
      if (!holder.takesMore(heldBytes)) {
        full++;
      } else {
        full = 0;
        handOut(ready.poll(), holder, now);
      }
    }
  }

  /** Takes back what was not renewed, and forgets what ended long ago. */
  void expire(long now) {
    for (Holder holder : List.copyOf(turns)) {
      for (Job job : List.copyOf(holder.held)) {
        if (job.leaseUntil <= now) {
          Cause cause =
              Cause.of(
                  Cause.Kind.INTERNAL,
                  "The lease of attempt "
                      + (job.started + 1)
                      + " ran out: "
                      + holder.supervisor
                      + " did not renew it for "
                      + leaseMillis
                      + " ms");
          lost(job, job.seenRunning || job.atMostOnce(), cause, now);
        }
      }
      holder.withdrawn.values().removeIf(until -> until <= now);
      dropIfDone(holder);
    }
    while (!expiring.isEmpty() && expiring.first().expires <= now) {
      expired(Objects.requireNonNull(expiring.pollFirst()), now);
    }
    long oldest = now - limits.endedFor().toMillis();
    forget(told, oldest);
    forget(ended, oldest);
    forget(dead, oldest);
  }

  /** The numbers as they are now. */
  QueueCounts counts() {
    return new QueueCounts(
        (int) Math.min(Integer.MAX_VALUE, queued()),
        running,
        succeeded,
        failed,
        cancelled,
        died,
        overtaken,
        lostAttempts,
        liveBytes,
        causesSeen);
  }

  /** The numbers of all jobs that are remembered here. */
  Set<Long> numbers() {
    Set<Long> numbers = new HashSet<>();
    jobs.values().forEach(job -> numbers.add(job.number));
    return numbers;
  }

  /** How many jobs have ended in which state, ever. */
  Map<JobState, Long> ended() {
    return Map.of(
        JobState.SUCCEEDED, succeeded,
        JobState.FAILED, failed,
        JobState.CANCELLED, cancelled,
        JobState.DEAD, died);
  }

  /** How many attempts the supervisors hold, by supervisor; for tests and explanations. */
  Map<String, Integer> loads() {
    Map<String, Integer> loads = new HashMap<>();
    turns.forEach(holder -> loads.put(holder.supervisor, holder.held.size()));
    return loads;
  }

  // ---- steps

  private void handOut(@Nullable Job job, Holder holder, long now) {
    if (job == null) {
      throw new IllegalStateException("The ready jobs are fewer than they say");
    }
    hold(job, holder, Math.max(job.fence, fenceBase) + 1, now + leaseMillis);
    if (job.startedAt == 0) {
      job.startedAt = now;
    }
    if (job.expires != 0) {
      expiring.remove(job);
    }
    if (job.atMostOnce()) {
      // Nobody could say after a crash whether it had started, so it is noted that it may have.
      job.holderKept = true;
      keep(job);
    }
    outbox.assign(
        holder.supervisor,
        new Assignment(
            job.id,
            job.fence,
            job.function,
            job.type,
            job.payload,
            job.terms.timeoutMillis(),
            job.atMostOnce()));
    outbox.changed(job);
  }

  private void hold(Job job, Holder holder, int attempt, long leaseUntil) {
    job.fence = attempt;
    job.state = JobState.RUNNING;
    job.holder = holder;
    job.leaseUntil = leaseUntil;
    job.seenRunning = false;
    holder.held.add(job);
    holder.bytes += job.payload.length;
    running++;
  }

  /**
   * Whether this attempt was handed out by the scheduler process before, and is still current. Of
   * older ones nobody knows whether that process handed the job out again.
   */
  private boolean isFromBefore(Job job, int attempt) {
    return attempt <= fenceBase
        && attempt > fenceBase - FENCES_OF_AN_EPOCH
        && attempt > job.fence
        && (job.state == JobState.QUEUED
            ? !job.parked && !job.spilled
            : job.state == JobState.RUNNING);
  }

  private void adopt(Job job, Holder holder, int attempt, long now) {
    if (job.state == JobState.RUNNING) {
      Holder other = release(job);
      other.withdrawn.put(job.current(), now + leaseMillis);
      outbox.withdraw(other.supervisor, job.current());
    } else {
      takeOut(job);
    }
    hold(job, holder, attempt, now + leaseMillis);
    outbox.changed(job);
  }

  private void expired(Job job, long now) {
    if (job.state == JobState.QUEUED) {
      takeOut(job);
      job.cause =
          Cause.of(
              Cause.Kind.TIMEOUT,
              "It was not started within " + Duration.ofMillis(job.terms.ttlMillis()).toString());
      end(job, JobState.FAILED, now);
    }
  }

  private void keep(Job job) {
    if (job.durable) {
      outbox.keep(job);
    }
  }

  private void current(Job job, Outcome outcome, long now) {
    job.worker = outcome.worker();
    if (outcome.runMicros() > 0) {
      job.startedAt = Math.max(job.submittedAt, now - outcome.runMicros() / 1000);
    }
    switch (outcome.kind()) {
      case SUCCEEDED -> {
        release(job);
        job.started++;
        job.result = outcome.body();
        job.resultType = outcome.type();
        job.cause = null;
        end(job, JobState.SUCCEEDED, now);
      }
      case FAILED -> failed(job, causeOf(outcome), now);
      case LOST -> lost(job, true, causeOf(outcome), now);
      // Nobody asked for this, and whether it started is not said.
      case CANCELLED -> lost(job, job.seenRunning || job.atMostOnce(), causeOf(outcome), now);
      case NOT_STARTED -> notStarted(job, causeOf(outcome), now);
    }
  }

  private static Cause causeOf(Outcome outcome) {
    Cause cause = outcome.cause();
    return cause != null
        ? cause
        : Cause.of(Cause.Kind.INTERNAL, "The supervisor gave no cause for " + outcome.kind());
  }

  private void failed(Job job, Cause cause, long now) {
    job.mayHaveStarted = true;
    release(job);
    again(job, true, RetryOn.EXCEPTION, cause, now);
  }

  private void lost(Job job, boolean counts, Cause cause, long now) {
    job.mayHaveStarted = true;
    giveUp(job, counts, cause, now);
  }

  private void notStarted(Job job, Cause cause, long now) {
    giveUp(job, false, cause, now);
    if (job.canExpire()) {
      if (job.expires <= now) {
        expired(job, now);
      } else {
        expiring.add(job);
      }
    }
  }

  private void giveUp(Job job, boolean counts, Cause cause, long now) {
    release(job);
    lostAttempts++;
    again(job, counts, reason(cause.kind()), cause, now);
  }

  /** The job's attempt is over without success: another one, or the end. */
  private void again(Job job, boolean counts, RetryOn reason, Cause cause, long now) {
    job.cause = cause;
    if (counts) {
      job.started++;
    } else {
      job.uncounted++;
    }
    boolean spent = job.started >= job.terms.attempts() || job.uncounted >= UNCOUNTED_LIMIT;
    if (counts && !policy.retry().on().contains(reason)) {
      // Attempts used up on losses make a DEAD job, whatever the policy.
      end(job, spent && reason != RetryOn.EXCEPTION ? JobState.DEAD : JobState.FAILED, now);
    } else if (spent) {
      end(job, JobState.DEAD, now);
    } else {
      job.state = JobState.QUEUED;
      job.startedAt = 0;
      job.holderKept = false;
      job.due = counts ? now + pause(job.started) : 0;
      if (job.durable) {
        // Not before the store knows that this attempt is over, or it could count after a crash.
        job.parked = true;
        parked++;
        keep(job);
      } else {
        enqueue(job, now);
      }
      outbox.changed(job);
    }
  }

  private long pause(int attempt) {
    long first = policy.retry().first().toMillis();
    long full = policy.retry().max().toMillis();
    if (attempt <= Long.SIZE / 2 && first < full >> (attempt - 1)) {
      full = first << (attempt - 1);
    }
    return full - (full < 2 ? 0 : random.nextLong(full / 2 + 1));
  }

  private static RetryOn reason(Cause.Kind kind) {
    return switch (kind) {
      case USER -> RetryOn.CRASH;
      case OOM -> RetryOn.OOM;
      case TIMEOUT -> RetryOn.TIMEOUT;
      case KILLED -> RetryOn.KILLED;
      case AGENT_LOST -> RetryOn.AGENT_LOST;
      case DRAINED -> RetryOn.DRAINED;
      case INTERNAL -> RetryOn.INTERNAL;
    };
  }

  private void withdraw(Job job, long now) {
    Holder holder = release(job);
    job.started++;
    holder.withdrawn.put(job.current(), now + leaseMillis);
    outbox.withdraw(holder.supervisor, job.current());
  }

  private Holder release(Job job) {
    Holder holder = job.holder;
    if (holder == null || !holder.held.remove(job)) {
      throw new IllegalStateException("Job " + job.id + " is held by nobody");
    }
    holder.bytes -= job.payload.length;
    job.holder = null;
    running--;
    return holder;
  }

  private void renew(Holder holder, List<AttemptRef> held, List<AttemptRef> started, long now) {
    long until = now + leaseMillis;
    int foreign = 0;
    for (AttemptRef ref : held) {
      Job job = jobs.get(ref.job());
      if (job != null && isFromBefore(job, ref.attempt())) {
        adopt(job, holder, ref.attempt(), now);
      }
      if (job == null) {
        if (holder.withdrawn.replace(ref, until) == null) {
          foreign++;
        }
      } else if (job.state == JobState.RUNNING
          && job.fence == ref.attempt()
          && job.holder == holder) {
        job.leaseUntil = until;
        if (!job.holderKept) {
          // It runs for some time already: a restart of the scheduler shall not make it run twice.
          job.holderKept = true;
          keep(job);
        }
      } else if (holder.withdrawn.put(ref, until) == null) {
        outbox.withdraw(holder.supervisor, ref);
      }
    }
    holder.foreign = foreign;
    for (AttemptRef ref : started) {
      Job job = jobs.get(ref.job());
      if (job != null && job.fence == ref.attempt() && job.holder == holder) {
        job.seenRunning = true;
      }
    }
  }

  private void dropIfDone(Holder holder) {
    if (!holder.present && holder.held.isEmpty() && holder.withdrawn.isEmpty()) {
      holders.remove(holder.supervisor);
      turns.remove(holder);
    }
  }

  private void count(JobState end, int more) {
    switch (end) {
      case SUCCEEDED -> succeeded += more;
      case FAILED -> failed += more;
      case CANCELLED -> cancelled += more;
      case DEAD -> died += more;
      case QUEUED, RUNNING -> throw new IllegalStateException(end + " is not an end");
    }
  }

  private void end(Job job, JobState state, long now) {
    job.state = state;
    job.endedAt = now;
    count(state, 1);
    if (!job.spilled) {
      liveBytes -= job.payload.length;
    }
    job.spilled = false;
    if (job.expires != 0) {
      expiring.remove(job);
    }
    switch (state) {
      case SUCCEEDED -> job.payload = Job.NOTHING;
      case FAILED, DEAD -> {
        Cause cause = job.cause;
        if (cause != null) {
          causes.merge(cause.kind(), 1, Integer::sum);
          causesSeen = Map.copyOf(causes);
        }
      }
      case CANCELLED -> {}
      case QUEUED, RUNNING -> throw new IllegalStateException(state + " is not an end");
    }
    endedBytes += job.bytes();
    job.told = job.submitter != null;
    memoryFor(job).add(job);
    outbox.changed(job);
    keep(job);
    leave(job);
    trim(told, limits.toldJobs());
    trim(ended, limits.endedJobs());
    trim(dead, limits.endedJobs());
  }

  private ArrayDeque<Job> memoryFor(Job job) {
    if (job.state == JobState.DEAD) {
      return dead;
    }
    // What can be found in the store need not be found here for long; but of those with a result in
    // a file it is asked every few seconds whether they are still known.
    boolean asked = job.resultType.isBlob();
    return job.told || (job.durable && !asked) ? told : ended;
  }

  private void trim(ArrayDeque<Job> from, int limit) {
    while (from.size() > limit || (endedBytes > limits.endedBytes() && from.size() > 1)) {
      if (from.element().ahead()) {
        // Who asks for it now could not find it in the store.
        return;
      }
      forget(from.remove());
    }
  }

  private void forget(ArrayDeque<Job> from, long oldest) {
    for (Iterator<Job> each = from.iterator(); each.hasNext(); ) {
      Job job = each.next();
      if (job.endedAt > oldest || job.ahead()) {
        return;
      }
      each.remove();
      forget(job);
    }
  }

  private void forget(Job job) {
    endedBytes -= job.bytes();
    jobs.remove(job.id);
    if (job.key != null) {
      byKey.remove(job.key, job);
    }
    if (job.durable && job.told) {
      // The others stay in the store until their time is over.
      job.forgotten = true;
      outbox.keep(job);
    }
  }
}
