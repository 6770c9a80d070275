package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import picocli.CommandLine.Command;

@Command(
    name = "teardown",
    description =
        "Remove the framework from Mesos: every worker and executor ends, pools are forgotten.")
final class TeardownCommand extends Leaf {
  @Override
  int run() {
    JsonNode answer = scheduler().post("/v1/teardown").json();
    return say(answer, "the framework, its workers and its pools are gone");
  }
}
