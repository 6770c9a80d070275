package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class BundleIT {
  private static final long LARGEST = 60_000_000;

  @Test
  void an_agent_without_java_runs_executors_from_the_bundle_which_it_fetches_once()
      throws IOException, InterruptedException {
    assertThat(Files.size(Installation.HOME.resolve("executor.tar.gz"))).isLessThan(LARGEST);
    try (Installation troupe = new Installation("bundle")) {
      // The only java that agents would find does not run.
      Path broken = Files.createDirectories(troupe.directory().resolve("path"));
      Path java = Files.writeString(broken.resolve("java"), "#!/bin/sh\nexit 99\n");
      Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
      Map<String, String> environment =
          Map.of(
              "PATH",
              broken + ":" + System.getenv("PATH"),
              "JAVA_HOME",
              System.getProperty("java.home"));
      List<String> up = new ArrayList<>(List.of("local", "up", "--no-scheduler", "--agents", "1"));
      up.addAll(List.of("--dir", troupe.cluster().toString()));
      up.addAll(troupe.portOptions());
      troupe.finish(troupe.start("bin/troupe", up, environment)).well();
      Process scheduler =
          troupe.start(
              "bin/troupe",
              List.of(
                  "scheduler",
                  "--master",
                  "127.0.0.1:" + troupe.port("--mesos-port"),
                  "--dir",
                  troupe.directory().resolve("scheduler").toString(),
                  "-Dtroupe.api.port=" + troupe.apiPort(),
                  "-Dakka.management.http.port=" + troupe.port("--management-port"),
                  "-Dakka.remote.artery.canonical.port=" + troupe.port("--artery-port")));
      try {
        troupe.await("the API", () -> answers(troupe));
        for (String pool : List.of("first", "second")) {
          Path file =
              troupe.write(
                  pool + ".conf",
                  """
                  name = %s
                  command = "python3 -m troupe.worker json"
                  resources { cpus = 0.1, mem = 32 MiB }
                  size = 1
                  """
                      .formatted(pool));
          troupe.troupe("pool", "apply", file.toString()).well();
          troupe.await(
              "a worker of " + pool,
              () ->
                  troupe.get("/v1/pools/" + pool).path("running").asInt() == 1
                      ? Optional.of(pool)
                      : Optional.empty());
          assertThat(troupe.troupe("job", "run", pool, "dumps", "1").well().out()).contains("1");
          assertThat(mapped(troupe)).as("the bundle's archive of classes").contains("/classes.jsa");
        }
        try (Stream<Path> cached = Files.list(troupe.cluster().resolve("mesos/agent-0/fetch"))) {
          assertThat(cached.map(Path::toString).filter(name -> name.endsWith(".tar.gz")))
              .hasSize(1);
        }
      } finally {
        scheduler.destroy();
        scheduler.waitFor();
      }
    }
  }

  /** The files that the executors of the cluster have mapped into memory. */
  private static String mapped(Installation troupe) throws IOException {
    StringBuilder all = new StringBuilder();
    for (ProcessHandle process : troupe.processes()) {
      if (Installation.commandLine(process).contains("io.troupe.executor.Main")) {
        all.append(
            Files.readString(
                Path.of("/proc/" + process.pid() + "/maps"), StandardCharsets.ISO_8859_1));
      }
    }
    return all.toString();
  }

  private static Optional<JsonNode> answers(Installation troupe) {
    try {
      return Optional.of(troupe.get("/v1/info"));
    } catch (java.io.UncheckedIOException notYet) {
      return Optional.empty();
    }
  }
}
