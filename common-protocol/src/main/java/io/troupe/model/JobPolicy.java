package io.troupe.model;

import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/**
 * What holds for the jobs of a pool unless a job says otherwise.
 *
 * @param timeout how long one attempt may run
 * @param attempts how many attempts that started a job may have
 * @param durability whether an accepted job outlives the scheduler process
 * @param retry when an attempt that started and did not succeed is followed by another
 * @param limits how much the pool takes
 */
public record JobPolicy(
    Duration timeout, int attempts, Durability durability, Retry retry, Limits limits) {

  /** Where accepted jobs are kept. */
  public enum Durability {
    /** In memory: lost with the scheduler process. */
    MEMORY,
    /** In the store, committed before the job is accepted. */
    STORE
  }

  /** Why an attempt did not succeed, as far as another try is concerned. */
  public enum RetryOn {
    /** The function raised an exception. */
    EXCEPTION,
    /** Its process ended by itself. */
    CRASH,
    /** It took more memory than it may. */
    OOM,
    /** It took longer than it may. */
    TIMEOUT,
    /** Somebody killed its process. */
    KILLED,
    /** Its machine is gone. */
    AGENT_LOST,
    /** Its worker was asked to leave and had no time to finish. */
    DRAINED,
    /** A fault of Troupe or of what it runs on. */
    INTERNAL
  }

  /**
   * When another attempt follows, as long as there are some left. The wait before the n-th retry is
   * first · 2ⁿ⁻¹, at most max, and of that a random part between one half and all, so that jobs
   * which fell together do not come back together.
   *
   * @param on after what; without one of these a job ends with the attempt
   */
  public record Retry(Duration first, Duration max, Set<RetryOn> on) {
    /** Soon, after anything but an exception of the function, which another try would raise too. */
    public static final Retry USUAL =
        new Retry(
            Duration.ofMillis(100),
            Duration.ofSeconds(60),
            EnumSet.complementOf(EnumSet.of(RetryOn.EXCEPTION)));

    public Retry {
      if (first.isNegative() || max.compareTo(first) < 0) {
        throw new IllegalArgumentException(
            "job.retry.first must not be negative, and job.retry.max not be less: " + first);
      }
      on = Set.copyOf(on);
    }
  }

  /**
   * How much a pool takes.
   *
   * @param queued how many jobs may be queued or running; 0 for as many as the scheduler takes
   * @param concurrency how many may run at a time; 0 for as many as the workers take
   * @param rate how many may be submitted in a second, as an average over one; 0 for any number
   * @param keep how long a job is remembered after its end; zero for as long as the scheduler says
   * @param weights shares of submitters, 1 for those not named
   */
  public record Limits(
      int queued, int concurrency, double rate, Duration keep, Map<String, Integer> weights) {
    /** No limits of the pool's own. */
    public static final Limits NONE = new Limits(0, 0, 0, Duration.ZERO, Map.of());

    public Limits {
      if (queued < 0 || concurrency < 0 || !(rate >= 0) || keep.isNegative()) {
        throw new IllegalArgumentException("job.limits and job.keep must not be negative");
      }
      weights = Map.copyOf(weights);
      weights.forEach(
          (submitter, weight) -> {
            if (weight < 1 || weight > 1000) {
              throw new IllegalArgumentException(
                  "job.weights." + submitter + " must be from 1 to 1000: " + weight);
            }
          });
    }
  }

  public JobPolicy {
    if (timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("job.timeout must be positive: " + timeout);
    }
    if (attempts < 1) {
      throw new IllegalArgumentException("job.attempts must be at least 1: " + attempts);
    }
  }

  /** With the usual retries and no limits. */
  public JobPolicy(Duration timeout, int attempts, Durability durability) {
    this(timeout, attempts, durability, Retry.USUAL, Limits.NONE);
  }
}
