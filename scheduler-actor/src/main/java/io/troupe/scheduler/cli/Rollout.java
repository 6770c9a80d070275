package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Waits until the workers of a pool are what its file says, and says on standard error how far that
 * is whenever it changes.
 */
final class Rollout {
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(250);

  private final SchedulerClient scheduler;
  private final Terminal terminal;
  private final String pool;

  Rollout(SchedulerClient scheduler, Terminal terminal, String pool) {
    this.scheduler = scheduler;
    this.terminal = terminal;
    this.pool = pool;
  }

  /** Fails when the new workers do not start, or not all of them within the time. */
  void await(Duration patience) {
    long start = System.nanoTime();
    String told = "";
    while (true) {
      JsonNode state = scheduler.get("/v1/pools/" + SchedulerClient.encode(pool)).json();
      String progress = progress(state);
      if (!progress.equals(told)) {
        terminal.err().println(progress);
        told = progress;
      }
      JsonNode rollout = state.path("rollout");
      if (isDone(state)) {
        return;
      }
      if (!rollout.path("failure").asText().isEmpty()) {
        throw Failure.of(
            "the new workers of pool %s do not start: %s; %s"
                .formatted(
                    pool,
                    SchedulerClient.firstLine(rollout.path("failure").asText()),
                    whatIsLeft(rollout)));
      }
      if (System.nanoTime() - start > patience.toNanos()) {
        throw Failure.of(
            "pool %s is not complete after %d s (%s): see 'bin/troupe explain %s'"
                .formatted(pool, patience.toSeconds(), progress, pool));
      }
      pause();
    }
  }

  private static boolean isDone(JsonNode state) {
    JsonNode rollout = state.path("rollout");
    long wanted = state.path("wanted").asLong();
    boolean none = state.path("size").isInt() && state.path("size").asInt() == 0;
    boolean perAgentWithout = wanted == 0 && state.path("size").isTextual();
    return rollout.path("old").asLong() == 0
        && rollout.path("current").asLong() >= wanted
        && (none || !perAgentWithout);
  }

  private static String whatIsLeft(JsonNode rollout) {
    long old = rollout.path("old").asLong();
    return old == 0
        ? "the scheduler goes on trying; mend the file and apply it again"
        : "the old ones (%d) go on working; mend the file and apply it again, or apply the old one"
            .formatted(old);
  }

  private static String progress(JsonNode state) {
    JsonNode rollout = state.path("rollout");
    List<String> parts = new ArrayList<>();
    parts.add(
        "%d of %d workers run"
            .formatted(rollout.path("current").asLong(), state.path("wanted").asLong()));
    if (rollout.path("old").asLong() > 0) {
      parts.add("%d of before still work".formatted(rollout.path("old").asLong()));
    }
    if (!state.path("preparing").isEmpty()) {
      parts.add(state.path("preparing").path(0).path("message").asText());
    }
    return String.join(", ", parts);
  }

  private static void pause() {
    try {
      Thread.sleep(BETWEEN_LOOKS.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Failure.of("interrupted");
    }
  }
}
