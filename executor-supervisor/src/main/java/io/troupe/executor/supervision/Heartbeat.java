package io.troupe.executor.supervision;

import java.time.Duration;

/** Since when a job has given no sign of life; that it begins is one. Not thread-safe. */
final class Heartbeat {
  private long beats = -1;
  private long heardAt;

  Heartbeat(long now) {
    heardAt = now;
  }

  /** The count of signs is this now. */
  void heard(long count, long now) {
    if (count != beats) {
      beats = count;
      heardAt = now;
    }
  }

  Duration silence(long now) {
    return Duration.ofNanos(now - heardAt);
  }
}
