package io.troupe.model;

import java.time.Duration;

/**
 * What holds for the jobs of a pool unless a job says otherwise.
 *
 * @param timeout how long one attempt may run
 * @param attempts how many attempts that started a job may have
 * @param durability whether an accepted job outlives the scheduler process
 */
public record JobPolicy(Duration timeout, int attempts, Durability durability) {
  /** Where accepted jobs are kept. */
  public enum Durability {
    /** In memory: lost with the scheduler process. */
    MEMORY,
    /** In the store, committed before the job is accepted. */
    STORE
  }

  public JobPolicy {
    if (timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("job.timeout must be positive: " + timeout);
    }
    if (attempts < 1) {
      throw new IllegalArgumentException("job.attempts must be at least 1: " + attempts);
    }
  }
}
