package io.troupe.scheduler.jobs;

import java.time.Instant;
import java.time.InstantSource;

/**
 * The time of day as it was when this was made, plus what has passed since: it does not jump when
 * somebody sets the machine's clock, so no lease ends because of that. Thread-safe.
 */
public final class SteadyTime implements InstantSource {
  private final long startMillis = System.currentTimeMillis();
  private final long startNanos = System.nanoTime();

  @Override
  public Instant instant() {
    return Instant.ofEpochMilli(millis());
  }

  @Override
  public long millis() {
    return startMillis + (System.nanoTime() - startNanos) / 1_000_000;
  }
}
