package io.troupe.scheduler.jobs;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.AttemptRef;
import org.jspecify.annotations.Nullable;

/**
 * A job as its queue keeps it. Changed by {@link QueueState} only, on the queue's thread; nothing
 * of it may leave that thread but the values of {@link #view} and {@link #end}.
 */
final class Job {
  static final byte[] NOTHING = {};

  final String id;
  final String pool;
  final String function;
  final ContentType type;
  final NewJob.Terms terms;
  final @Nullable String key;
  final long index;
  final long submittedAt;

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

  Job(String id, String pool, NewJob wanted, long sequence, long now) {
    this.id = id;
    this.pool = pool;
    this.function = wanted.function();
    this.type = wanted.type();
    this.payload = wanted.payload();
    this.terms = wanted.terms();
    this.key = wanted.key();
    this.index = wanted.index();
    this.sequence = sequence;
    this.submittedAt = now;
  }

  /** Whether it must never run again once it may have started. */
  boolean atMostOnce() {
    return terms.attempts() == 1;
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

  @Override
  public int hashCode() {
    return id.hashCode();
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return this == other;
  }
}
