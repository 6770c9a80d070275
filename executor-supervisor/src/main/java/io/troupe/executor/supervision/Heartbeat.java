package io.troupe.executor.supervision;

import java.time.Duration;

/** Since when a job has given no sign of life; that it begins is one. Not thread-safe. */
final class Heartbeat {
  private long beats;
  private long job;
  private long heardAt;

  /** The count of signs is this, and this job runs. */
  void heard(long count, long running, long now) {
    if (count != beats || running != job) {
      beats = count;
      job = running;
      heardAt = now;
    }
  }

  Duration silence(long now) {
    return Duration.ofNanos(now - heardAt);
  }
}
