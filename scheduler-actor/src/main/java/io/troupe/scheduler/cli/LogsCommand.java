package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "logs",
    description = "Print what a worker's process has printed, from its sandbox on the agent.")
final class LogsCommand extends Leaf {
  private static final int PIECE = 50_000;
  private static final long TAIL = 200_000;
  private static final Duration POLL = Duration.ofSeconds(1);

  @Parameters(paramLabel = "WORKER", description = "As 'bin/troupe workers' names it.")
  private String worker = "";

  @Option(names = "-f", description = "Keep printing what is added; Ctrl-C ends.")
  private boolean follow;

  /** A file on an agent. */
  private record LogFile(String agent, String path) {
    String read(long offset, int length) {
      return agent
          + "/files/read?path="
          + SchedulerClient.encode(path)
          + "&offset="
          + offset
          + "&length="
          + length;
    }
  }

  @Override
  int run() {
    SchedulerClient scheduler = scheduler();
    LogFile file = find(scheduler);
    long size = scheduler.fetch(file.read(-1, 0)).json().path("offset").asLong();
    long offset = Math.max(0, size - TAIL);
    do {
      offset = print(scheduler, file, offset);
      if (follow) {
        MapRun.pause(POLL);
      }
    } while (follow);
    return 0;
  }

  private long print(SchedulerClient scheduler, LogFile file, long start) {
    long offset = start;
    while (true) {
      String data = scheduler.fetch(file.read(offset, PIECE)).json().path("data").asText();
      if (data.isEmpty()) {
        terminal().out().flush();
        return offset;
      }
      terminal().out().print(data);
      offset += data.getBytes(StandardCharsets.UTF_8).length;
    }
  }

  private LogFile find(SchedulerClient scheduler) {
    JsonNode tree = Management.of(scheduler).tree();
    for (JsonNode supervisor : Management.supervisors(tree)) {
      for (JsonNode candidate : Management.workers(supervisor)) {
        if (candidate.path("id").asText().equals(worker)) {
          return inSandbox(scheduler, tree, supervisor);
        }
      }
    }
    throw Failure.of("there is no worker " + worker + " in the tree: see 'bin/troupe workers'");
  }

  private LogFile inSandbox(SchedulerClient scheduler, JsonNode tree, JsonNode supervisor) {
    JsonNode framework = framework(tree);
    String agentId = Management.field(supervisor, "agentId").asText();
    String executorId = Management.field(supervisor, "executorId").asText();
    String agent = agentUrl(scheduler, framework.path("master").asText(), agentId);
    JsonNode state = scheduler.fetch(agent + "/state").json();
    String sandbox = directory(state, framework.path("id").asText(), executorId);
    if (sandbox == null) {
      throw Failure.of(
          "agent " + agentId + " knows no sandbox of " + executorId + ": look at " + agent);
    }
    for (String name : List.of("logs/" + worker + ".log", worker + ".log", "stdout")) {
      if (exists(scheduler, agent, sandbox, name)) {
        return new LogFile(agent, sandbox + "/" + name);
      }
    }
    throw Failure.of("the sandbox of " + worker + " holds no log: look at " + agent);
  }

  private static JsonNode framework(JsonNode tree) {
    for (JsonNode node : tree.path("nodes")) {
      JsonNode framework = Management.field(node, "framework");
      if (framework.isObject()) {
        return framework;
      }
    }
    throw Failure.of("the scheduler does not say which framework it is: see 'bin/troupe doctor'");
  }

  private static String agentUrl(SchedulerClient scheduler, String master, String agentId) {
    for (JsonNode agent : scheduler.fetch(master + "/slaves").json().path("slaves")) {
      if (agent.path("id").asText().equals(agentId)) {
        String pid = agent.path("pid").asText();
        return "http://" + pid.substring(pid.indexOf('@') + 1);
      }
    }
    throw Failure.of("Mesos does not know agent " + agentId + " any more");
  }

  private static @Nullable String directory(JsonNode state, String frameworkId, String executorId) {
    for (JsonNode framework : state.path("frameworks")) {
      if (!framework.path("id").asText().equals(frameworkId)) {
        continue;
      }
      for (JsonNode executor : framework.path("executors")) {
        if (executor.path("id").asText(executor.path("executor_id").asText()).equals(executorId)) {
          return executor.path("directory").asText();
        }
      }
    }
    return null;
  }

  private static boolean exists(
      SchedulerClient scheduler, String agent, String sandbox, String name) {
    int slash = name.lastIndexOf('/');
    String folder = slash < 0 ? sandbox : sandbox + "/" + name.substring(0, slash);
    try {
      JsonNode files =
          scheduler.fetch(agent + "/files/browse?path=" + SchedulerClient.encode(folder)).json();
      for (JsonNode file : files) {
        if (file.path("path").asText().equals(sandbox + "/" + name)) {
          return true;
        }
      }
    } catch (Failure noSuchFolder) {
      return false;
    }
    return false;
  }
}
