package io.troupe.client;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** How long something is tried again, with growing pauses, since it last went well. */
final class Patience {
  private static final long FIRST_MILLIS = 50;
  private static final long LAST_MILLIS = 2_000;

  private final Duration limit;
  private long sinceNanos = System.nanoTime();
  private int failures;

  Patience(Duration limit) {
    this.limit = limit;
  }

  /** It went well. */
  void over() {
    sinceNanos = System.nanoTime();
    failures = 0;
  }

  /**
   * Waits before the next try.
   *
   * @param atLeast as the scheduler asked for
   * @return false when it has been tried long enough
   */
  boolean pause(Duration atLeast) throws InterruptedException {
    if (System.nanoTime() - sinceNanos > limit.toNanos()) {
      return false;
    }
    long most = Math.min(LAST_MILLIS, FIRST_MILLIS << Math.min(failures++, 10));
    Thread.sleep(
        Math.max(atLeast.toMillis(), most / 2 + ThreadLocalRandom.current().nextLong(most)));
    return true;
  }
}
