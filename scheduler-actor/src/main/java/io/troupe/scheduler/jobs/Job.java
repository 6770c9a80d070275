package io.troupe.scheduler.jobs;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.AttemptRef;
import org.jspecify.annotations.Nullable;

/**
 * A job as its queue keeps it. Changed by {@link QueueState} and {@link Journal} only, on the
 * queue's thread; nothing of it may leave that thread but the values of {@link #view}, {@link #end}
 * and {@link #row}.
 */
final class Job {
  static final byte[] NOTHING = {};

  final long number;
  final String id;
  final String pool;
  final String function;
  final ContentType type;
  final NewJob.Terms terms;
  final @Nullable String key;
  final long index;
  final long submittedAt;

  /** Whether it must outlive the scheduler process. */
  final boolean durable;

  /** Not handed out before this time; moved on by retries. */
  long due;

  /** Not started after this time; 0 for never. */
  long expires;

  /** Its place among the jobs of its priority; a retried job gets a new one. */
  long sequence;

  /** Whom to tell of its end; nobody when null. */
  @Nullable Submitter submitter;

  /** Whether somebody waits for its end by its id. */
  boolean awaited;

  /** Whether its submitter has been told of its end. */
  boolean told;

  byte[] payload;
  JobState state = JobState.QUEUED;

  /** Number of the last attempt that was handed out; no number is handed out twice. */
  int fence;

  /** How many attempts count as started. */
  int started;

  /** How many attempts were lost before anybody knew of a start. */
  int uncounted;

  long startedAt;
  long endedAt;
  String worker = "";
  @Nullable Cause cause;
  ContentType resultType = ContentType.JSON;
  byte[] result = NOTHING;

  /** Who holds the lease; null unless running. */
  @Nullable Holder holder;

  long leaseUntil;
  boolean seenRunning;

  /** Whether an attempt of it that is over may have started, for all that is known. */
  boolean mayHaveStarted;

  /** Whether it waits in the store's own time: lost, and not handed out before that is written. */
  boolean parked;

  /** Whether it waits in the store alone, without a place in its lane. */
  boolean spilled;

  /** Whether it has been spilled by this process and is not in the store yet. */
  boolean unread;

  /** Whether its holder shall be known after a restart. */
  boolean holderKept;

  /** Where its row is, once all that was sent to the store has been done. */
  JobStore.Place place = JobStore.Place.NONE;

  /** Whether something of it waits to be sent to the store. */
  boolean unwritten;

  /** How many writes of it are under way. */
  int writing;

  /** Whether nothing shall be left of it in the store. */
  boolean forgotten;

  /**
   * A job that is new.
   *
   * @param function the wanted one
   * @param terms the wanted ones
   */
  Job(
      long number,
      String pool,
      NewJob wanted,
      String function,
      NewJob.Terms terms,
      boolean durable,
      long sequence,
      long now) {
    this.number = number;
    this.id = JobIds.text(number);
    this.pool = pool;
    this.function = function;
    this.type = wanted.type();
    this.payload = wanted.payload();
    this.terms = terms;
    this.key = wanted.key();
    this.index = wanted.index();
    this.durable = durable;
    this.sequence = sequence;
    this.submittedAt = now;
    this.due = terms.delayMillis() == 0 ? 0 : now + terms.delayMillis();
    this.expires = expires(now + terms.delayMillis());
  }

  /** The job that has this row. */
  Job(StoredJob row, long sequence) {
    this.number = row.id();
    this.id = JobIds.text(number);
    this.pool = row.pool();
    this.function = row.function();
    this.type = row.type();
    this.payload = row.payload();
    this.terms = row.terms();
    this.key = row.key();
    this.index = 0;
    this.durable = true;
    this.sequence = sequence;
    this.submittedAt = row.submittedAt();
    this.due = row.due();
    this.expires = row.expires();
    this.told = row.told();
    this.state = row.state().ended() ? row.state() : JobState.QUEUED;
    this.fence = row.fence();
    this.started = row.started();
    this.uncounted = row.uncounted();
    this.mayHaveStarted = started + uncounted > 0;
    this.startedAt = row.startedAt();
    this.endedAt = row.endedAt();
    this.worker = row.worker();
    this.cause = row.cause();
    this.resultType = row.resultType();
    this.result = row.result();
    this.place = state.ended() ? JobStore.Place.ENDED : JobStore.Place.LIVE;
  }

  /**
   * Until when it has to be started if it may be from this time on; 0 where that does not matter.
   */
  long expires(long from) {
    return terms.ttlMillis() == 0 ? 0 : from + terms.ttlMillis();
  }

  /** Whether it is given up when it is not started in time: if, surely, it has not been so far. */
  boolean canExpire() {
    return expires != 0 && state == JobState.QUEUED && !mayHaveStarted;
  }

  /** Whether it must never run again once it may have started. */
  boolean atMostOnce() {
    return terms.attempts() == 1;
  }

  /** Whether what is known of it is not all in the store yet. */
  boolean ahead() {
    return unwritten || writing > 0;
  }

  long bytes() {
    return payload.length + (long) result.length;
  }

  AttemptRef current() {
    return new AttemptRef(id, fence);
  }

  JobView view() {
    return new JobView(
        id,
        pool,
        function,
        state,
        state == JobState.RUNNING ? started + 1 : started,
        terms.attempts(),
        submittedAt,
        startedAt,
        endedAt,
        worker,
        cause);
  }

  JobEnd end() {
    return new JobEnd(index, id, state, resultType, result, cause);
  }

  /**
   * Its row.
   *
   * @param keepMillis how long it is remembered after its end, unless its terms say otherwise
   */
  StoredJob row(long keepMillis) {
    Holder by = holder;
    long keep = terms.keepMillis() == 0 ? keepMillis : terms.keepMillis();
    return new StoredJob(
        number,
        pool,
        function,
        type,
        payload,
        terms,
        key,
        submittedAt,
        due,
        expires,
        state,
        // Of an attempt that goes on without a word of who holds it, only those before are over.
        state == JobState.RUNNING && !holderKept ? fence - 1 : fence,
        by == null || !holderKept ? "" : by.supervisor,
        started,
        uncounted,
        startedAt,
        endedAt,
        worker,
        cause,
        resultType,
        result,
        told,
        state.ended() ? endedAt + keep : 0);
  }

  @Override
  public int hashCode() {
    return Long.hashCode(number);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return this == other;
  }
}
