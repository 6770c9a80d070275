package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

@Command(name = "agents", description = "Show the Mesos agents that Troupe was offered or uses.")
final class AgentsCommand extends Leaf {
  @Override
  int run() {
    JsonNode answer = scheduler().get("/v1/agents").json();
    if (json()) {
      terminal().json(answer);
      return 0;
    }
    Table table = new Table("AGENT", "HOST", "STATE", "WORKERS");
    for (JsonNode agent : answer.isArray() ? answer : answer.path("agents")) {
      table.row(
          agent.path("id").asText(),
          agent.path("hostname").asText(),
          agent.path("lost").asBoolean() ? "LOST" : "HERE",
          workers(agent.path("workers")));
    }
    table.print(terminal(), "no agents; add one with 'bin/troupe local add-agent'");
    return 0;
  }

  private static String workers(JsonNode byPool) {
    List<String> parts = new ArrayList<>();
    for (Map.Entry<String, JsonNode> pool : byPool.properties()) {
      parts.add(pool.getKey() + " " + pool.getValue().asInt());
    }
    return parts.isEmpty() ? "none" : String.join(", ", parts);
  }
}
