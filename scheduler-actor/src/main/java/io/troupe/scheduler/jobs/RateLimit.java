package io.troupe.scheduler.jobs;

import java.time.Duration;

/**
 * Lets so many submissions through in a second, as an average over one second (a token bucket with
 * one second's worth of tokens). Not thread-safe; time is given in milliseconds.
 */
final class RateLimit {
  /** Lets everything through. */
  static final RateLimit NONE = new RateLimit(0);

  private final double perSecond;
  private double tokens;
  private long at;

  RateLimit(double perSecond) {
    this.perSecond = perSecond;
    this.tokens = Math.max(1, perSecond);
  }

  /** This one if it has that rate, else a new one; 0 for no limit. */
  RateLimit at(double rate) {
    return rate == perSecond ? this : rate == 0 ? NONE : new RateLimit(rate);
  }

  /** How long the next submission has to wait; zero if it need not. */
  Duration waitFor(long now) {
    if (perSecond == 0) {
      return Duration.ZERO;
    }
    refill(now);
    return tokens >= 1
        ? Duration.ZERO
        : Duration.ofMillis((long) Math.ceil((1 - tokens) / perSecond * 1000));
  }

  /** One submission goes through. */
  void take(long now) {
    if (perSecond != 0) {
      refill(now);
      tokens -= 1;
    }
  }

  private void refill(long now) {
    if (now > at) {
      tokens = Math.min(Math.max(1, perSecond), tokens + (now - at) / 1000.0 * perSecond);
      at = now;
    }
  }
}
