package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** The Python client as it is shipped, against a live cluster; what it must do is in live_*.py. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(420)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PythonClientIT {
  private static final Path TESTS = Path.of("src/test/python").toAbsolutePath();

  private Installation troupe;

  @BeforeAll
  void start() throws IOException {
    troupe = new Installation("python-client");
    up();
    troupe.applyLiveFunctions("named", "live_functions");
    troupe.applyLiveFunctions("calls", "troupe.calls");
  }

  @AfterAll
  void stop() {
    troupe.close();
  }

  private void up() {
    troupe.up("--agents", "1", "--cpus", "2", "--mem", "2048").well();
  }

  @Test
  void jobs_maps_and_futures_are_as_the_standard_library_has_them() {
    Installation.Done done = troupe.finish(troupe.python(TESTS.resolve("live_client.py")));
    assertThat(done.err()).contains("Ran ").contains("\nOK");
    assertThat(done.exitCode()).isZero();
  }

  @Test
  void jobs_and_maps_live_through_a_scheduler_that_is_killed() throws IOException {
    Path folder = Files.createDirectory(troupe.directory().resolve("touched"));
    Process client = troupe.python(TESTS.resolve("live_restart.py"), folder.toString());
    troupe.await(
        "half of the results",
        () ->
            troupe.outputOf(client).contains("half-way") || !client.isAlive()
                ? Optional.of(true)
                : Optional.empty());
    Installation.kill(troupe.status().path("scheduler").path("pid").asLong());
    up();
    assertThat(troupe.finish(client).well().out()).isEqualTo("half-way\n20 jobs done\n");
  }
}
