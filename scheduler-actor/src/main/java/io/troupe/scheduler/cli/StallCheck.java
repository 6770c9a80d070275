package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;

/**
 * Tells waiting that may end from waiting that will not: jobs of a pool without a single running
 * worker are given up after a while, with what the scheduler says about the reason.
 */
final class StallCheck {
  private static final Duration AFTER_FAILURES = Duration.ofSeconds(5);

  private final SchedulerClient scheduler;
  private final String pool;
  private final Duration patience;
  private long deadSinceNanos = -1;

  /**
   * @param patience how long the pool may have no running worker; less where its workers fail again
   *     and again
   */
  StallCheck(SchedulerClient scheduler, String pool, Duration patience) {
    this.scheduler = scheduler;
    this.pool = pool;
    this.patience = patience;
  }

  /** Looks at the pool; fails when it has had no worker for longer than patience allows. */
  void check() {
    JsonNode state = scheduler.get("/v1/pools/" + SchedulerClient.encode(pool)).json();
    if (state.path("running").asLong() > 0) {
      deadSinceNanos = -1;
      return;
    }
    long now = System.nanoTime();
    if (deadSinceNanos < 0) {
      deadSinceNanos = now;
    }
    Duration dead = Duration.ofNanos(now - deadSinceNanos);
    String reason = reason(state.path("waitingBecause"));
    boolean failing = reason.contains("failures in a row");
    if (dead.compareTo(failing ? AFTER_FAILURES : patience) >= 0) {
      throw Failure.of(
          "pool %s has no running worker%s: see 'bin/troupe explain %s'; its jobs stay queued"
              .formatted(pool, reason.isEmpty() ? "" : " (" + reason + ")", pool));
    }
  }

  /** What its workers fail from, if they do, else what the scheduler says first. */
  private static String reason(JsonNode lines) {
    for (JsonNode line : lines) {
      if (line.asText().contains("failures in a row")) {
        return line.asText();
      }
    }
    return lines.path(0).asText();
  }
}
