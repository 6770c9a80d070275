package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "logs",
    description = {
      "Print what a worker's process has printed, each line with its time and job.",
      "It is read from the worker's sandbox on the agent; of a worker whose agent is gone, the",
      "scheduler has kept the last lines."
    })
final class LogsCommand extends Leaf {
  /** Characters of the time that a line begins with. */
  private static final int TIME = "2026-01-31T12:00:00.000Z".length();

  private static final Duration POLL = Duration.ofSeconds(1);

  @Parameters(paramLabel = "WORKER", description = "As 'bin/troupe workers' names it.")
  private String worker = "";

  @Option(names = "-f", description = "Keep printing what is added; Ctrl-C ends.")
  private boolean follow;

  @Option(
      names = "--job",
      paramLabel = "ID",
      description = "Only what this job has printed, as far back as there are logs.")
  private String job = "";

  @Override
  int run() {
    SchedulerClient scheduler = scheduler();
    Management management = Management.of(scheduler);
    List<LogFile> files;
    try {
      files = find(scheduler, management.tree());
    } catch (Failure unreachable) {
      printLastWords(management, unreachable);
      return 0;
    }
    List<String> lines = new ArrayList<>();
    while (true) {
      boolean more = false;
      for (LogFile file : files) {
        List<String> next = file.next();
        more |= !next.isEmpty();
        next.stream().filter(this::isWanted).forEach(lines::add);
      }
      if (follow || !more) {
        print(lines);
      }
      if (!more && !follow) {
        return 0;
      }
      if (!more) {
        MapRun.pause(POLL);
      }
    }
  }

  /** In the order of their times, which they begin with. */
  private void print(List<String> lines) {
    lines.sort(Comparator.comparing(line -> line.substring(0, Math.min(TIME, line.length()))));
    lines.forEach(terminal().out()::println);
    terminal().out().flush();
    lines.clear();
  }

  private boolean isWanted(String line) {
    return job.isEmpty() || line.startsWith(job + " ", TIME + 1);
  }

  private void printLastWords(Management management, Failure unreachable) {
    JsonNode kept = management.lastWords(worker).orElseThrow(() -> unreachable);
    terminal()
        .err()
        .println(
            "troupe: only the last lines, as the scheduler has them of %s: %s"
                .formatted(kept.path("seenAt").asText(), unreachable.getMessage()));
    for (JsonNode line : kept.path("lastOutput")) {
      terminal().out().println(line.asText());
    }
  }

  private List<LogFile> find(SchedulerClient scheduler, JsonNode tree) {
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
    boolean whole = !job.isEmpty();
    return List.of(
        new LogFile(scheduler, agent, output + ".stdout", whole),
        new LogFile(scheduler, agent, output + ".stderr", whole));
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
