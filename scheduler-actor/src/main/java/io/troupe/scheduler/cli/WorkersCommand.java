package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import picocli.CommandLine.Command;

@Command(name = "workers", description = "Show all workers and their processes.")
final class WorkersCommand extends Leaf {
  @Override
  int run() {
    JsonNode tree = Management.of(scheduler()).tree();
    ObjectNode answer = Terminal.JSON.createObjectNode();
    ArrayNode all = answer.putArray("workers");
    Instant now = Instant.now();
    Table table =
        new Table(
            "WORKER", "POOL", "AGENT", "STATE", "PID", "MIB", "CPU%", "UP", "JOBS", "RESTARTS");
    for (JsonNode supervisor : Management.supervisors(tree)) {
      String pool = Management.field(supervisor, "pool").asText();
      String agent = Management.field(supervisor, "agentId").asText();
      for (JsonNode worker : Management.workers(supervisor)) {
        ObjectNode found = worker.deepCopy();
        all.add(found.put("pool", pool).put("agentId", agent));
        JsonNode process = worker.path("process");
        table.row(
            worker.path("id").asText(),
            pool,
            agent,
            worker.path("state").asText(),
            process.path("pid").asText("-"),
            process.path("rss").asLong() >> 20,
            "%.0f".formatted(process.path("cpuPercent").asDouble()),
            TreeText.age(process.path("startedAt"), now),
            worker.path("jobs").asLong(),
            worker.path("restarts").asInt());
      }
    }
    if (json()) {
      terminal().json(answer);
    } else {
      table.print(terminal(), "no workers; see 'bin/troupe pool list'");
    }
    return 0;
  }
}
