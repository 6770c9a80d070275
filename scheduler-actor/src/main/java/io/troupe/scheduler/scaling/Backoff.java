package io.troupe.scheduler.scaling;

import java.time.Duration;

/**
 * How long to wait before the next try.
 *
 * @param first after the first failure
 * @param max never longer; reached by doubling
 */
public record Backoff(Duration first, Duration max) {
  public Backoff {
    if (first.isNegative() || first.isZero() || max.compareTo(first) < 0) {
      throw new IllegalArgumentException(
          "a back-off must be 0 < first <= max: first " + first + ", max " + max);
    }
  }

  /** The wait after so many failures in a row; none after none. */
  public Duration after(int failures) {
    if (failures <= 0) {
      return Duration.ZERO;
    }
    Duration wait = first;
    for (int i = 1; i < failures && wait.compareTo(max) < 0; i++) {
      wait = wait.multipliedBy(2);
    }
    return wait.compareTo(max) < 0 ? wait : max;
  }
}
