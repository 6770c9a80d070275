package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** The actor tree as lines of text. */
final class TreeText {
  private final Terminal terminal;
  private final List<String> lines = new ArrayList<>();

  private TreeText(Terminal terminal) {
    this.terminal = terminal;
  }

  static List<String> of(JsonNode tree, Terminal terminal, Instant now) {
    TreeText text = new TreeText(terminal);
    text.lines.add(terminal.bold(tree.path("system").asText("troupe")));
    List<JsonNode> nodes = new ArrayList<>();
    tree.path("nodes").forEach(nodes::add);
    for (int i = 0; i < nodes.size(); i++) {
      text.node(nodes.get(i), i == nodes.size() - 1, now);
    }
    return text.lines;
  }

  private void node(JsonNode node, boolean last, Instant now) {
    String indent = last ? "   " : bar();
    boolean supervisor = node.path("role").asText().equals("supervisor");
    if (!supervisor) {
      add(
          "",
          last,
          "%s %s  %s"
              .formatted(terminal.bold("scheduler"), node.path("address").asText(), status(node)));
      JsonNode framework = Management.field(node, "framework");
      if (framework.isObject()) {
        lines.add(
            indent
                + "framework %s at %s  %s"
                    .formatted(
                        framework.path("id").asText("-"),
                        framework.path("master").asText("-"),
                        state(framework.path("state").asText())));
      }
      return;
    }
    add(
        "",
        last,
        "%s %s on agent %s (%s)  %s"
            .formatted(
                terminal.bold("supervisor"),
                Management.field(node, "pool").asText(),
                Management.field(node, "agentId").asText(),
                node.path("host").asText(),
                status(node)));
    List<JsonNode> workers = Management.workers(node);
    for (int i = 0; i < workers.size(); i++) {
      worker(indent, workers.get(i), i == workers.size() - 1, now);
    }
  }

  private void worker(String indent, JsonNode worker, boolean last, Instant now) {
    StringBuilder line = new StringBuilder("worker ").append(worker.path("id").asText());
    line.append("  ").append(state(worker.path("state").asText()));
    JsonNode process = worker.path("process");
    if (process.hasNonNull("pid")) {
      line.append("  pid ").append(process.path("pid").asLong());
      line.append("  ").append(process.path("rss").asLong() >> 20).append(" MiB");
      line.append("  %.0f%% cpu".formatted(process.path("cpuPercent").asDouble()));
      line.append("  up ").append(age(process.path("startedAt"), now));
    }
    line.append("  ").append(worker.path("jobs").asLong()).append(" jobs");
    if (worker.path("restarts").asInt() > 0) {
      line.append("  ").append(worker.path("restarts").asInt()).append(" restarts");
    }
    if (worker.hasNonNull("job")) {
      line.append("  runs ").append(worker.path("job").asText());
    }
    if (worker.hasNonNull("progress")) {
      line.append("  ").append(progress(worker.path("progress")));
    }
    add(indent, last, line.toString());
    if (worker.hasNonNull("cause")) {
      String under = indent + (last ? "   " : bar());
      lines.add(under + terminal.dim("last end: " + Causes.line(worker.path("cause"))));
    }
  }

  /** As {@code 40 % reading}. */
  static String progress(JsonNode progress) {
    String message = progress.path("message").asText();
    if (!progress.hasNonNull("fraction")) {
      return message;
    }
    double percent = 100 * progress.path("fraction").asDouble();
    return "%.0f %%  %s".formatted(percent, message).strip();
  }

  private void add(String indent, boolean last, String text) {
    String branch = terminal.unicode() ? (last ? "└─ " : "├─ ") : (last ? "`- " : "|- ");
    lines.add(indent + branch + text);
  }

  private String bar() {
    return terminal.unicode() ? "│  " : "|  ";
  }

  private String status(JsonNode node) {
    return state(node.path("status").asText());
  }

  private String state(String state) {
    return switch (state) {
      case "READY", "BUSY", "Up", "up", "SUBSCRIBED", "CONNECTED" -> terminal.green(state);
      case "FAILED", "BACKING_OFF", "DISCONNECTED", "unreachable" -> terminal.red(state);
      default -> terminal.yellow(state);
    };
  }

  static String age(JsonNode since, Instant now) {
    Instant start;
    if (since.isNumber()) {
      start = Instant.ofEpochMilli(since.asLong());
    } else if (since.isTextual()) {
      start = Instant.parse(since.asText());
    } else {
      return "-";
    }
    Duration age = Duration.between(start, now);
    if (age.toHours() > 0) {
      return age.toHours() + "h" + age.toMinutesPart() + "m";
    }
    return age.toMinutes() > 0
        ? age.toMinutes() + "m" + age.toSecondsPart() + "s"
        : Math.max(0, age.toSeconds()) + "s";
  }
}
