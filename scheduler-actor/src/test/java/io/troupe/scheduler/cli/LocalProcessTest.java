package io.troupe.scheduler.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Real processes: found again, told from others, started in the background. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(60)
class LocalProcessTest {
  @TempDir private Path folder = Path.of("");

  @Test
  void a_process_is_found_by_the_mark_of_its_cluster_and_only_by_its_own() throws Exception {
    ProcessBuilder builder = new ProcessBuilder("sleep", "60");
    builder.environment().put(LocalProcess.MARKER, folder.toString());
    Process sleep = builder.start();
    try {
      assertThat(LocalProcess.ofCluster(folder))
          .extracting(LocalProcess::pid)
          .contains(sleep.pid());
      assertThat(LocalProcess.ofCluster(folder.resolve("other"))).isEmpty();
    } finally {
      sleep.destroyForcibly();
    }
  }

  @Test
  void another_process_with_the_same_pid_is_not_it() throws Exception {
    Process sleep = new ProcessBuilder("sleep", "60").start();
    LocalProcess it = LocalProcess.of(sleep.pid()).orElseThrow();
    LocalProcess earlier = new LocalProcess(sleep.pid(), it.start() - 1);
    assertThat(earlier.alive()).isFalse();
    earlier.kill();
    assertThat(it.alive()).isTrue();
    it.kill();
    assertThat(sleep.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(it.alive()).isFalse();
    assertThat(LocalProcess.of(sleep.pid())).isEmpty();
  }

  @Test
  void a_state_is_read_as_it_was_written() {
    LocalState state =
        new LocalState(
            Optional.of(new LocalProcess(1, 2)),
            Optional.empty(),
            new LocalState.Ports(1, 2, 3, 4, 5),
            Optional.of(Path.of("/etc/troupe.conf")));
    assertThat(LocalState.read(folder)).isEmpty();
    state.write(folder);
    assertThat(LocalState.read(folder)).contains(state);
    LocalState.forget(folder);
    assertThat(LocalState.read(folder)).isEmpty();
  }

  @Test
  void a_daemon_is_awaited_and_outlives_its_session() throws IOException {
    Path log = folder.resolve("log");
    Files.writeString(log, "ready http://an-earlier-run\n");
    Daemon daemon = shell("echo ready http://here; exec sleep 60", log);
    daemon.awaitReady(Duration.ofSeconds(30));
    assertThat(daemon.identity().alive()).isTrue();
    daemon.identity().kill();
    assertThat(Files.readString(log)).contains("ready http://here");
  }

  @Test
  void a_daemon_that_ends_at_once_is_a_failure_with_its_last_words() {
    Path log = folder.resolve("log");
    Daemon daemon = shell("echo port 7 is taken; echo '\tat x.Y(Z)'; exit 1", log);
    assertThatThrownBy(() -> daemon.awaitReady(Duration.ofSeconds(30)))
        .isInstanceOf(Failure.class)
        .hasMessage("the test did not start: port 7 is taken (log: " + log + ")");
  }

  @Test
  void a_daemon_that_says_nothing_is_stopped_at_the_deadline() {
    Daemon daemon = shell("exec sleep 60", folder.resolve("log"));
    assertThatThrownBy(() -> daemon.awaitReady(Duration.ofMillis(200)))
        .isInstanceOf(Failure.class)
        .hasMessageContaining("was not ready");
    for (int i = 0; i < 300 && daemon.identity().alive(); i++) {
      MapRun.pause(Duration.ofMillis(100));
    }
    assertThat(daemon.identity().alive()).isFalse();
  }

  private Daemon shell(String script, Path log) {
    return Daemon.start("the test", List.of("sh", "-c", script), folder, log, Map.of());
  }
}
