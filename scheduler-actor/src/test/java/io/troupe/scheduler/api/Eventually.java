package io.troupe.scheduler.api;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what comes about on other threads. */
public final class Eventually {
  private Eventually() {}

  /** Returns when it holds; fails when it does not for half a minute. */
  public static void holds(BooleanSupplier condition) {
    long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("It did not come about in half a minute");
      }
      LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
    }
  }
}
