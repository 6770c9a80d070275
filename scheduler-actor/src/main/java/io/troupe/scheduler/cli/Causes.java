package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** Why something ended, in words for people. */
final class Causes {
  private Causes() {}

  /** For example {@code USER: exit code 3}. */
  static String line(JsonNode cause) {
    if (cause.isTextual()) {
      return cause.asText();
    }
    String kind = cause.path("kind").asText(cause.path("class").asText("?"));
    return kind + ": " + SchedulerClient.firstLine(cause.path("message").asText());
  }

  /** What the process printed last. */
  static List<String> lastOutput(JsonNode cause) {
    List<String> lines = new ArrayList<>();
    cause.path("lastOutput").forEach(line -> lines.add(line.asText()));
    return lines;
  }
}
