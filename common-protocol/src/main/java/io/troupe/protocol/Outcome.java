package io.troupe.protocol;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import org.jspecify.annotations.Nullable;

/**
 * How an attempt ended. The array is shared, not copied: nobody may change it.
 *
 * @param job the job's id
 * @param attempt number of the attempt
 * @param kind how it ended
 * @param type how the body is to be read
 * @param body the result of {@link Kind#SUCCEEDED}; empty otherwise
 * @param cause why it did not succeed; null when it did
 * @param worker id of the worker it ran on; empty when it never reached one
 * @param runMicros how long it ran, in microseconds; 0 when it never started
 */
@SuppressWarnings("ArrayRecordComponent") // millions of them: no copy, no wrapper
public record Outcome(
    String job,
    int attempt,
    Kind kind,
    ContentType type,
    byte[] body,
    @Nullable Cause cause,
    String worker,
    long runMicros) {

  /** The ways an attempt ends. */
  public enum Kind {
    /** The function returned. */
    SUCCEEDED,
    /** The function raised, or there is no such function: another try would do the same. */
    FAILED,
    /**
     * It started and its process died, was killed or ran out of time: counts against the job's
     * attempts.
     */
    LOST,
    /** It never started: does not count. */
    NOT_STARTED,
    /** It was cancelled on the scheduler's word. */
    CANCELLED
  }

  /**
   * How an attempt ended that did not run.
   *
   * @param worker id of the worker that it reached; empty when it reached none
   */
  public static Outcome withoutRun(Assignment job, Kind kind, Cause cause, String worker) {
    return new Outcome(
        job.job(), job.attempt(), kind, ContentType.JSON, new byte[0], cause, worker, 0);
  }

  /** The fence of this attempt. */
  public AttemptRef ref() {
    return new AttemptRef(job, attempt);
  }

  /** The same with this in place of the body. */
  public Outcome withBody(byte[] other) {
    return new Outcome(job, attempt, kind, type, other, cause, worker, runMicros);
  }

  /** The same attempt, whose result was lost after it had run. */
  public Outcome lost(Cause why) {
    return new Outcome(
        job, attempt, Kind.LOST, ContentType.JSON, new byte[0], why, worker, runMicros);
  }
}
