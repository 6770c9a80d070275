package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** A pool that grows, shrinks and loses what it runs on, with real processes all the way down. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(420)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ElasticPoolIT {
  private static final int JOBS = 2000;

  private static final String NAP =
      """
      import time

      def nap(number):
          time.sleep(0.005)
          return number
      """;

  private static final String POOL =
      """
      name = naps
      command = "python3 -m troupe.worker nap"
      files = [ nap.py ]
      resources { cpus = 0.5, mem = 64 MiB }
      size = per-agent
      """;

  private Installation troupe;

  @BeforeAll
  void start() throws IOException {
    troupe = new Installation("elastic");
    up();
    troupe.write("nap.py", NAP);
    troupe.troupe("pool", "apply", troupe.write("naps.conf", POOL).toString()).well();
  }

  @AfterAll
  void stop() {
    troupe.close();
  }

  private void up() {
    troupe.up("--agents", "1", "--cpus", "1.1", "--mem", "512").well();
  }

  private String addAgent() {
    return troupe.local("add-agent", "--json").well().json().path("id").asText();
  }

  @Test
  void a_pool_grows_onto_an_agent_that_registers_and_shrinks_when_it_is_lost() throws IOException {
    Set<Long> before = troupe.awaitWorkers("naps", 2).keySet();

    String id = addAgent();
    Map<Long, JsonNode> after = troupe.awaitWorkers("naps", 4);
    assertThat(after.keySet()).containsAll(before);
    assertThat(after.values().stream().filter(worker -> worker.path("agentId").asText().equals(id)))
        .hasSize(2);
    assertThat(troupe.troupe("pool", "show", "naps").well().out()).contains("4 of 4");
    assertThat(troupe.troupe("tree").well().out()).contains("on agent " + id);
    String mesos = troupe.status().path("mesos").path("url").asText();
    assertThat(troupe.get(mesos + "/tasks").path("tasks"))
        .filteredOn(task -> task.path("state").asText().equals("TASK_RUNNING"))
        .hasSize(4);

    troupe.local("kill-agent", id).well();
    assertThat(troupe.awaitWorkers("naps", 2).keySet()).isEqualTo(before);
  }

  @Test
  void a_pool_that_is_deleted_and_applied_again_at_once_runs_each_time() throws IOException {
    String file = troupe.write("naps.conf", POOL).toString();
    for (int i = 0; i < 4; i++) {
      troupe.troupe("pool", "delete", "naps").well();
      troupe.troupe("pool", "apply", file, "--wait").well();
      troupe.awaitWorkers("naps", 2);
      assertThat(troupe.get("/v1/pools/naps").path("causes").has("INTERNAL")).isFalse();
    }
  }

  @Test
  void no_job_is_lost_or_done_twice_while_processes_executors_agents_and_the_scheduler_die()
      throws IOException {
    addAgent();
    troupe.awaitWorkers("naps", 4);
    int succeeded = troupe.get("/v1/pools/naps").path("succeeded").asInt();
    Path input =
        troupe.write(
            "in.ndjson",
            IntStream.range(0, JOBS).mapToObj(Integer::toString).collect(Collectors.joining("\n")));
    Path output = troupe.directory().resolve("out.ndjson");
    Process map =
        troupe.start(
            "bin/troupe",
            List.of(
                "job",
                "map",
                "naps",
                "nap",
                "--input",
                input.toString(),
                "--output",
                output.toString()));

    awaitResults(output, 200);
    List<String> agents = troupe.agents();
    Map<Long, JsonNode> workers = troupe.workers();
    long python = onAgent(workers, agents.get(0)).get(0);
    Installation.kill(python);
    awaitResults(output, 500);
    long other = onAgent(workers, agents.get(0)).get(1);
    Installation.kill(executorOf(other));
    awaitResults(output, 800);
    troupe.local("kill-agent", agents.get(1)).well();

    troupe.finish(map).well();
    Set<Integer> indexes = new HashSet<>();
    for (String line : Files.readAllLines(output)) {
      JsonNode result = new com.fasterxml.jackson.databind.ObjectMapper().readTree(line);
      assertThat(result.path("result").asInt(-1)).isEqualTo(result.path("index").asInt());
      assertThat(indexes.add(result.path("index").asInt())).as("first of its index").isTrue();
    }
    assertThat(indexes).hasSize(JOBS);
    JsonNode pool = troupe.get("/v1/pools/naps");
    assertThat(pool.path("succeeded").asInt()).isEqualTo(succeeded + JOBS);
    assertThat(pool.path("failed").asInt() + pool.path("dead").asInt()).isZero();
    assertThat(pool.path("queued").asInt() + pool.path("active").asInt()).isZero();

    Set<Long> pids = troupe.awaitWorkers("naps", 2).keySet();
    assertThat(pids).doesNotContain(python);
    awaitNoStrays(pids);

    // The scheduler dies; the same processes work for the next one.
    Installation.kill(troupe.status().path("scheduler").path("pid").asLong());
    up();
    assertThat(troupe.awaitWorkers("naps", 2).keySet()).isEqualTo(pids);
    assertThat(troupe.troupe("job", "run", "naps", "nap", "7").well().out()).isEqualTo("7\n");
    assertThat(troupe.workers().keySet()).isEqualTo(pids);

    // All is stopped and starts again: a new Mesos has nothing of the old framework to wait for.
    String framework = framework();
    troupe.local("down").well();
    up();
    assertThat(framework()).isNotEqualTo(framework);
    assertThat(troupe.troupe("job", "run", "naps", "nap", "8").well().out()).isEqualTo("8\n");
  }

  private String framework() throws IOException {
    String mesos = troupe.status().path("mesos").path("url").asText();
    return troupe.await(
        "one framework",
        () -> {
          JsonNode frameworks = troupe.get(mesos + "/frameworks").path("frameworks");
          return frameworks.size() == 1
              ? Optional.of(frameworks.get(0).path("id").asText())
              : Optional.empty();
        });
  }

  private void awaitResults(Path output, int count) {
    troupe.await(
        count + " results",
        () -> {
          try (var lines = Files.lines(output)) {
            return lines.count() >= count ? Optional.of(true) : Optional.empty();
          } catch (IOException notYet) {
            return Optional.empty();
          }
        });
  }

  private static List<Long> onAgent(Map<Long, JsonNode> workers, String agent) {
    List<Long> pids = new ArrayList<>();
    workers.forEach(
        (pid, worker) -> {
          if (worker.path("agentId").asText().equals(agent)) {
            pids.add(pid);
          }
        });
    return pids;
  }

  private static long executorOf(long pid) {
    ProcessHandle process = ProcessHandle.of(pid).orElseThrow();
    while (!Installation.commandLine(process).contains("io.troupe.executor.Main")) {
      process = process.parent().orElseThrow();
    }
    return process.pid();
  }

  /** Every Python process of the cluster must be in the tree, or below one that is. */
  private void awaitNoStrays(Set<Long> known) {
    troupe.await(
        "no Python process without its worker",
        () ->
            troupe.processes().stream()
                    .filter(process -> Installation.commandLine(process).contains("troupe.worker"))
                    .allMatch(process -> known.contains(process.pid()) || isAbove(process, known))
                ? Optional.of(true)
                : Optional.empty());
  }

  private static boolean isAbove(ProcessHandle process, Set<Long> known) {
    return process.descendants().anyMatch(below -> known.contains(below.pid()));
  }
}
