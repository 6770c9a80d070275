package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "explain", description = "Say why a pool is as large as it is.")
final class ExplainCommand extends Leaf {
  @Parameters(paramLabel = "POOL")
  private String pool = "";

  @Override
  int run() {
    JsonNode answer =
        scheduler().get("/v1/pools/" + SchedulerClient.encode(pool) + "/explain").json();
    StringBuilder words = new StringBuilder();
    for (JsonNode line : answer.path("lines")) {
      words.append(words.length() == 0 ? "" : "\n").append(line.asText());
    }
    return say(answer, words.toString());
  }
}
