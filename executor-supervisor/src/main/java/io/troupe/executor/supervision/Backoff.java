package io.troupe.executor.supervision;

import java.time.Duration;

/**
 * How long to wait before a process is started again: {@code first} after the first crash, then
 * {@code second}, doubled for each further crash in a row, at most {@code max}; from the second on
 * up to a fifth longer or shorter, so that many workers do not start at the same moment.
 *
 * @param first after the first crash
 * @param second after the second crash in a row
 * @param max never more, jitter aside
 */
public record Backoff(Duration first, Duration second, Duration max) {
  private static final int MAX_DOUBLINGS = 30;
  private static final double JITTER = 0.2;

  /**
   * The pause before the next start.
   *
   * @param crashes in a row, at least 1
   * @param random from 0 to 1
   */
  public Duration after(int crashes, double random) {
    if (crashes <= 1) {
      return first;
    }
    long doubled = second.toMillis() << Math.min(crashes - 2, MAX_DOUBLINGS);
    long millis = doubled < 0 ? max.toMillis() : Math.min(doubled, max.toMillis());
    return Duration.ofMillis(Math.round(millis * (1 + JITTER * (2 * random - 1))));
  }
}
