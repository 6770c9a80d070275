package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(300)
class QuickstartIT {
  /** Counts in one process, without a line of the example's. */
  private static final String COUNT =
      """
      import ast, json, pathlib, sysconfig
      modules = unparsable = lines = functions = classes = 0
      for path in pathlib.Path(sysconfig.get_path("stdlib")).rglob("*.py"):
          if {"site-packages", "dist-packages"} & set(path.parts) or not path.is_file():
              continue
          modules += 1
          try:
              tree = ast.parse(path.read_bytes())
          except (SyntaxError, ValueError):
              unparsable += 1
              continue
          lines += sum(1 for _ in open(path, "rb"))
          for node in ast.walk(tree):
              functions += isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
              classes += isinstance(node, ast.ClassDef)
      print(json.dumps([modules, unparsable, lines, functions, classes]))
      """;

  @Test
  void the_quickstart_counts_what_a_single_process_counts_and_leaves_nothing_running()
      throws IOException {
    try (Installation troupe = new Installation("quickstart")) {
      List<String> options = new ArrayList<>(List.of("--json", "--dir"));
      options.add(troupe.cluster().toString());
      options.addAll(troupe.portOptions());
      Installation.Done done = troupe.finish(troupe.start("bin/quickstart", options)).well();
      assertThat(troupe.processes()).as("processes after the quickstart").isEmpty();

      List<String> lines = done.out().lines().toList();
      JsonNode summary = new ObjectMapper().readTree(lines.get(lines.size() - 1));
      JsonNode counted = new ObjectMapper().readTree(python(COUNT));
      assertThat(summary.path("modules").asInt()).isEqualTo(counted.get(0).asInt()).isPositive();
      assertThat(summary.path("unparsable").asInt()).isEqualTo(counted.get(1).asInt());
      assertThat(summary.path("lines").asInt()).isEqualTo(counted.get(2).asInt());
      assertThat(summary.path("functions").asInt()).isEqualTo(counted.get(3).asInt());
      assertThat(summary.path("classes").asInt()).isEqualTo(counted.get(4).asInt());
      assertThat(summary.path("jobs").asInt()).isEqualTo(summary.path("modules").asInt());
      assertThat(summary.path("workers").asInt()).isPositive();
      assertThat(summary.path("agents").asInt()).isBetween(1, 2);
      assertThat(summary.path("seconds").asDouble()).isPositive();
      assertThat(lines).anyMatch(line -> line.startsWith("MODULE"));
    }
  }

  private static String python(String program) throws IOException {
    Process python =
        new ProcessBuilder("python3", "-B", "-W", "ignore", "-c", program)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    return new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }
}
