package io.troupe.protocol;

import io.troupe.model.ContentType;

/**
 * A job on its way to a worker. The array is shared, not copied: nobody may change it.
 *
 * @param job the job's id
 * @param attempt number of this try, from 1
 * @param function name of a public function of the pool's Python module
 * @param type how the payload is to be read
 * @param payload the function's one argument
 * @param timeoutMillis how long this attempt may run, in milliseconds
 * @param exclusive whether the attempt must be sent to a process only when that process is idle, so
 *     that it is known for certain whether it started (at-most-once jobs)
 */
@SuppressWarnings("ArrayRecordComponent") // millions of them: no copy, no wrapper
public record Assignment(
    String job,
    int attempt,
    String function,
    ContentType type,
    byte[] payload,
    long timeoutMillis,
    boolean exclusive) {

  /** The fence of this attempt. */
  public AttemptRef ref() {
    return new AttemptRef(job, attempt);
  }

  /** The same with this in place of the payload. */
  public Assignment withPayload(byte[] other) {
    return new Assignment(job, attempt, function, type, other, timeoutMillis, exclusive);
  }
}
