package io.troupe.scheduler.jobs;

import io.troupe.model.Cause;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.function.Predicate;
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
 * Each hand-out has a number of its own, the fence: an outcome with another number is dropped and
 * counted. A job with a single attempt is never handed out again unless its supervisor says that it
 * was not started.
 */
final class QueueState {

  /**
   * How much is kept.
   *
   * @param jobs how many jobs may be queued or running
   * @param bytes how many bytes their payloads may take
   * @param endedJobs how many jobs that ended are remembered; as many dead ones beside
   * @param toldJobs the same for jobs whose end their submitter has been told
   * @param endedBytes how many bytes their payloads and results may take
   * @param endedFor how long they are remembered at most
   */
  record Limits(
      int jobs, long bytes, int endedJobs, int toldJobs, long endedBytes, Duration endedFor) {}

  /** What the queue wants done; called while one of its methods runs. */
  interface Outbox {
    /** The supervisor shall run this. */
    void assign(String supervisor, Assignment assignment);

    /** The supervisor shall drop or end this. */
    void withdraw(String supervisor, AttemptRef attempt);

    /** The job is in another state now. */
    void changed(Job job);
  }

  /** Losses nobody can say of whether they were starts; so many of them end a job all the same. */
  static final int UNCOUNTED_LIMIT = 100;

  private final String pool;
  private final Limits limits;
  private final long heldBytes;
  private final long leaseMillis;
  private final JobIds ids;
  private final Outbox outbox;

  private final Map<String, Job> jobs = new HashMap<>();
  private final Map<String, Job> byKey = new HashMap<>();
  private final ReadyJobs ready = new ReadyJobs();
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
   */
  QueueState(
      String pool, Limits limits, long heldBytes, Duration lease, JobIds ids, Outbox outbox) {
    this.pool = pool;
    this.limits = limits;
    this.heldBytes = heldBytes;
    this.leaseMillis = lease.toMillis();
    this.ids = ids;
    this.outbox = outbox;
  }

  // ---- clients

  /** The job that was submitted with this key and is still remembered. */
  Optional<Job> withKey(String key) {
    return Optional.ofNullable(byKey.get(key));
  }

  /** Whether one more job with such a payload may be submitted. */
  boolean hasRoomFor(int payloadBytes) {
    int live = ready.size() + running;
    return live < limits.jobs() && (live == 0 || liveBytes + payloadBytes <= limits.bytes());
  }

  /** Takes a job in; its key, if any, must be new, and there must be room. */
  Job submit(NewJob wanted, @Nullable Submitter submitter, long now) {
    Job job = new Job(ids.next(), pool, wanted, sequences++, now);
    job.submitter = submitter;
    jobs.put(job.id, job);
    if (job.key != null && byKey.putIfAbsent(job.key, job) != null) {
      throw new IllegalStateException("Key " + job.key + " is taken");
    }
    liveBytes += job.payload.length;
    ready.add(job);
    outbox.changed(job);
    return job;
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
        ready.remove(job);
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
    for (Job job : newest(each -> each.submitter == submitter, Integer.MAX_VALUE)) {
      job.submitter = null;
      cancel(job, cause, now);
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
  boolean retry(Job job) {
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
    job.startedAt = 0;
    job.endedAt = 0;
    job.sequence = sequences++;
    liveBytes += job.payload.length;
    ready.add(job);
    outbox.changed(job);
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
    int full = 0;
    while (!ready.isEmpty() && full < turns.size()) {
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
                      + job.fence
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
    long oldest = now - limits.endedFor().toMillis();
    forget(told, oldest);
    forget(ended, oldest);
    forget(dead, oldest);
  }

  /** The numbers as they are now. */
  QueueCounts counts() {
    return new QueueCounts(
        ready.size(),
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
    job.fence++;
    job.state = JobState.RUNNING;
    job.holder = holder;
    job.leaseUntil = now + leaseMillis;
    job.seenRunning = false;
    if (job.startedAt == 0) {
      job.startedAt = now;
    }
    holder.held.add(job);
    holder.bytes += job.payload.length;
    running++;
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
      case FAILED -> {
        release(job);
        job.started++;
        job.cause = causeOf(outcome);
        end(job, JobState.FAILED, now);
      }
      case LOST -> lost(job, true, causeOf(outcome), now);
      // Nobody asked for this, and whether it started is not said.
      case CANCELLED -> lost(job, job.seenRunning || job.atMostOnce(), causeOf(outcome), now);
      case NOT_STARTED -> lost(job, false, causeOf(outcome), now);
    }
  }

  private static Cause causeOf(Outcome outcome) {
    Cause cause = outcome.cause();
    return cause != null
        ? cause
        : Cause.of(Cause.Kind.INTERNAL, "The supervisor gave no cause for " + outcome.kind());
  }

  private void lost(Job job, boolean counts, Cause cause, long now) {
    release(job);
    lostAttempts++;
    job.cause = cause;
    if (counts) {
      job.started++;
    } else {
      job.uncounted++;
    }
    if (job.started >= job.terms.attempts() || job.uncounted >= UNCOUNTED_LIMIT) {
      end(job, JobState.DEAD, now);
    } else {
      job.state = JobState.QUEUED;
      job.startedAt = 0;
      ready.putBack(job);
      outbox.changed(job);
    }
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
      if (job == null) {
        if (holder.withdrawn.replace(ref, until) == null) {
          foreign++;
        }
      } else if (job.state == JobState.RUNNING
          && job.fence == ref.attempt()
          && job.holder == holder) {
        job.leaseUntil = until;
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
    liveBytes -= job.payload.length;
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
    job.submitter = null;
    trim(told, limits.toldJobs());
    trim(ended, limits.endedJobs());
    trim(dead, limits.endedJobs());
  }

  private ArrayDeque<Job> memoryFor(Job job) {
    if (job.state == JobState.DEAD) {
      return dead;
    }
    return job.told ? told : ended;
  }

  private void trim(ArrayDeque<Job> from, int limit) {
    while (from.size() > limit || (endedBytes > limits.endedBytes() && from.size() > 1)) {
      forget(from.remove());
    }
  }

  private void forget(ArrayDeque<Job> from, long oldest) {
    for (Iterator<Job> each = from.iterator(); each.hasNext(); ) {
      Job job = each.next();
      if (job.endedAt > oldest) {
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
  }
}
