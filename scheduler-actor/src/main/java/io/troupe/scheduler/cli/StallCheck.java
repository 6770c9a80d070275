package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Tells waiting that may end from waiting that will not: jobs of a pool without a single running
 * worker are given up after a while, with what the scheduler says about the reason.
 */
final class StallCheck {
  private final SchedulerClient scheduler;
  private final String pool;
  private final Duration patience;
  private long deadSinceNanos = -1;

  /**
   * @param patience how long the pool may have no running worker
   */
  StallCheck(SchedulerClient scheduler, String pool, Duration patience) {
    this.scheduler = scheduler;
    this.pool = pool;
    this.patience = patience;
  }

  /** Looks at the pool; fails when it has had no worker for longer than patience allows. */
  void check() {
    String path = "/v1/pools/" + SchedulerClient.encode(pool);
    JsonNode state = scheduler.get(path).json();
    if (state.path("running").asLong() > 0) {
      deadSinceNanos = -1;
      return;
    }
    long now = System.nanoTime();
    if (deadSinceNanos < 0) {
      deadSinceNanos = now;
    }
    if (now - deadSinceNanos >= patience.toNanos()) {
      throw Failure.of(
          "pool %s has had no running worker for %d s%s: see 'bin/troupe explain %s'; its jobs stay queued"
              .formatted(pool, patience.toSeconds(), reasons(path), pool));
    }
  }

  private String reasons(String path) {
    List<String> lines = new ArrayList<>();
    scheduler
        .get(path + "/explain")
        .json()
        .path("lines")
        .forEach(line -> lines.add(line.asText().strip()));
    return lines.isEmpty() ? "" : " (" + String.join("; ", lines) + ")";
  }
}
