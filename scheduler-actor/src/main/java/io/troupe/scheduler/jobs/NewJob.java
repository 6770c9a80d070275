package io.troupe.scheduler.jobs;

import io.troupe.model.ContentType;
import org.jspecify.annotations.Nullable;

/**
 * A job as a client asks for it. The array is shared, not copied: nobody may change it.
 *
 * @param function name of a public function of the pool's Python module
 * @param type how the payload is to be read
 * @param payload the function's one argument
 * @param terms what holds for it
 * @param key makes a second submission with the same key the same job; null when there is none
 * @param index the submitter's own number for it, given back with its end
 */
@SuppressWarnings("ArrayRecordComponent") // millions of them: no copy, no wrapper
public record NewJob(
    String function,
    ContentType type,
    byte[] payload,
    Terms terms,
    @Nullable String key,
    long index) {

  /**
   * What holds for a job; shared by all jobs of a map.
   *
   * @param attempts how many attempts that started it may have, at least 1
   * @param timeoutMillis how long one attempt may run
   * @param priority the higher goes first; 0 is usual
   * @param submitter jobs of one priority are taken from their submitters in turn
   * @param delayMillis how long it waits before it may start
   * @param ttlMillis how long it may wait for its start after that; 0 for as long as it takes
   * @param keepMillis how long it is remembered after its end; 0 for as long as is usual
   */
  public record Terms(
      int attempts,
      long timeoutMillis,
      int priority,
      String submitter,
      long delayMillis,
      long ttlMillis,
      long keepMillis) {
    public Terms {
      if (attempts < 1 || timeoutMillis < 1) {
        throw new IllegalArgumentException(
            "attempts and timeout must be positive: " + attempts + ", " + timeoutMillis + " ms");
      }
    }

    /** Of nobody in particular, to start at once or whenever there is room. */
    public Terms(int attempts, long timeoutMillis, int priority) {
      this(attempts, timeoutMillis, priority, "", 0, 0, 0);
    }
  }
}
