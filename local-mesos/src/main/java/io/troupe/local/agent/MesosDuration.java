package io.troupe.local.agent;

import java.time.Duration;

/** Durations as Mesos writes them: {@code 1mins}, {@code 90secs}, {@code 1500ms}. Pure. */
public final class MesosDuration {

  private static final long[] NANOS = {
    7L * 24 * 3600 * 1_000_000_000L,
    24L * 3600 * 1_000_000_000L,
    3600L * 1_000_000_000L,
    60L * 1_000_000_000L,
    1_000_000_000L,
    1_000_000L,
    1_000L,
  };
  private static final String[] UNITS = {"weeks", "days", "hrs", "mins", "secs", "ms", "us"};

  private MesosDuration() {}

  /** The duration in the largest unit that holds it exactly. */
  public static String print(Duration duration) {
    long nanos = duration.toNanos();
    for (int i = 0; i < NANOS.length; i++) {
      if (nanos != 0 && nanos % NANOS[i] == 0) {
        return nanos / NANOS[i] + UNITS[i];
      }
    }
    return nanos + "ns";
  }
}
