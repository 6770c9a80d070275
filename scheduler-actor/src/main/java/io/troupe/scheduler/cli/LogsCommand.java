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

  /** A file on an agent, and how far it has been printed. */
  private static final class LogFile {
    private final SchedulerClient client;
    private final String agent;
    private final String path;
    private long offset = -1;

    LogFile(SchedulerClient client, String agent, String path) {
      this.client = client;
      this.agent = agent;
      this.path = path;
    }

    /** The next piece; empty when there is none now. */
    String next() {
      try {
        if (offset < 0) {
          offset = Math.max(0, read(-1, 0).path("offset").asLong() - TAIL);
        }
        String data = read(offset, PIECE).path("data").asText();
        offset += data.getBytes(StandardCharsets.UTF_8).length;
        return data;
      } catch (Failure notWrittenYet) {
        return "";
      }
    }

    private JsonNode read(long from, int length) {
      return client
          .fetch(
              "%s/files/read?path=%s&offset=%d&length=%d"
                  .formatted(agent, SchedulerClient.encode(path), from, length))
          .json();
    }
  }

  @Override
  int run() {
    List<LogFile> files = find(scheduler());
    LogFile last = files.get(0);
    boolean printed = false;
    while (true) {
      boolean more = false;
      for (LogFile file : files) {
        String data = file.next();
        if (data.isEmpty()) {
          continue;
        }
        more = true;
        if (file != last && printed) {
          terminal().out().println("==> " + file.path.replaceAll(".*/", "") + " <==");
        }
        last = file;
        printed = true;
        terminal().out().print(data);
        terminal().out().flush();
      }
      if (!more && !follow) {
        return 0;
      }
      if (!more) {
        MapRun.pause(POLL);
      }
    }
  }

  private List<LogFile> find(SchedulerClient scheduler) {
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

  private List<LogFile> inSandbox(SchedulerClient scheduler, JsonNode tree, JsonNode supervisor) {
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
    String output = sandbox + "/worker-" + worker;
    return List.of(
        new LogFile(scheduler, agent, output + ".stdout"),
        new LogFile(scheduler, agent, output + ".stderr"));
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
    String address = master.contains("://") ? master : "http://" + master;
    for (JsonNode agent : scheduler.fetch(address + "/slaves").json().path("slaves")) {
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
}
