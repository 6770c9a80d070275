package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One pool on two agents. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(420)
class TwoExecutorsIT {
  private static final int JOBS = 300;

  private static final String FUNCTIONS =
      """
      import os, time

      def worker(_):
          return os.getpid()

      def wait_for(path):
          while not os.path.exists(path):
              time.sleep(0.01)
          return os.getpid()
      """;

  private static final String POOL =
      """
      name = pair
      command = "python3 -m troupe.worker pair"
      files = [ pair.py ]
      resources { cpus = 0.6, mem = 64 MiB }
      size = 2
      """;

  @Test
  void both_get_work_and_a_long_job_on_one_keeps_no_quick_one_waiting() throws IOException {
    try (Installation troupe = new Installation("two-executors")) {
      troupe.up("--agents", "2", "--cpus", "1.1", "--mem", "512").well();
      troupe.write("pair.py", FUNCTIONS);
      troupe.troupe("pool", "apply", troupe.write("pair.conf", POOL).toString()).well();
      Map<Long, JsonNode> workers = troupe.awaitWorkers("pair", 2);
      assertThat(workers.values()).extracting(each -> each.get("agentId")).doesNotHaveDuplicates();

      Path end = troupe.directory().resolve("end");
      Process longJob =
          troupe.start("bin/troupe", List.of("job", "run", "pair", "wait_for", "\"" + end + "\""));
      troupe.await(
          "the long job to run",
          () ->
              troupe.get("/v1/pools/pair").path("active").asInt() == 1
                  ? Optional.of(true)
                  : Optional.empty());
      Set<Long> quick = map(troupe);
      assertThat(longJob.isAlive()).isTrue();

      Files.writeString(end, "");
      long busy = Long.parseLong(troupe.finish(longJob).well().out().strip());
      assertThat(quick).hasSize(1).doesNotContain(busy);
      assertThat(map(troupe)).isEqualTo(workers.keySet());
    }
  }

  /** The processes that have done the jobs of a map. */
  private static Set<Long> map(Installation troupe) throws IOException {
    String lines =
        IntStream.range(0, JOBS).mapToObj(each -> each + "\n").collect(Collectors.joining());
    Path input = troupe.write("in.ndjson", lines);
    List<Long> results =
        troupe
            .troupe("job", "map", "pair", "worker", "--input", input.toString())
            .well()
            .out()
            .lines()
            .map(TwoExecutorsIT::result)
            .toList();
    assertThat(results).hasSize(JOBS);
    return Set.copyOf(results);
  }

  private static long result(String line) {
    try {
      return new ObjectMapper().readTree(line).path("result").asLong();
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }
}
