package io.troupe.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import io.troupe.mesos.WireFormat;
import io.troupe.scheduler.mesos.MasterAddress;
import io.troupe.scheduler.mesos.MesosSettings;
import io.troupe.scheduler.offers.Amount;
import io.troupe.scheduler.pool.ExecutorContainer;
import io.troupe.scheduler.pool.ExecutorSettings;
import io.troupe.scheduler.pool.PoolPolicy;
import io.troupe.scheduler.scaling.Backoff;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a node makes of its settings, and of wrong ones. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class ConfigurationTest {

  @TempDir private Path folder;

  private Config load(String text) throws Exception {
    Path file = folder.resolve("user.conf");
    Files.writeString(file, text);
    return Configuration.load(Optional.of(file), Map.of());
  }

  @Test
  void the_defaults_are_those_of_the_reference() throws Exception {
    SchedulerSettings settings = SchedulerSettings.from(load(""));

    assertThat(settings.filesUrl()).isEqualTo("http://127.0.0.1:7070");
    assertThat(settings.ports())
        .extracting(SchedulerSettings.Listening::port)
        .containsExactly(7070, 0, 8558, 25520);
    assertThat(settings.mesos().masters())
        .containsExactly(new MasterAddress(false, "127.0.0.1", 5050));
    assertThat(settings.mesos().failoverTimeout()).isEqualTo(Duration.ofDays(7));
    assertThat(settings.mesos().user()).isEqualTo(System.getProperty("user.name"));
    assertThat(settings.executor().amount()).isEqualTo(new Amount(100, 256_000, 0));
    assertThat(settings.pool().backoff())
        .isEqualTo(new Backoff(Duration.ofSeconds(1), Duration.ofSeconds(60)));
  }

  @Test
  void every_setting_of_mesos_is_read() throws Exception {
    MesosSettings mesos =
        MesosSettings.from(
            load(
                """
                troupe.mesos {
                  master = "https://a:1, b"
                  format = json
                  framework-name = f
                  user = u
                  roles = [r, s]
                  failover-timeout = 1h
                  principal = p
                  secret = q
                  web-ui-url = "http://w"
                  reconnect-backoff { first = 1s, max = 2s }
                  connect-timeout = 3s
                  missed-heartbeats = 4
                  max-redirects = 6
                }
                """));

    assertThat(mesos)
        .isEqualTo(
            new MesosSettings(
                List.of(new MasterAddress(true, "a", 1), new MasterAddress(false, "b", 5050)),
                WireFormat.JSON,
                "f",
                "u",
                List.of("r", "s"),
                Duration.ofHours(1),
                Optional.of(new MesosSettings.Credentials("p", "q")),
                "http://w",
                new Backoff(Duration.ofSeconds(1), Duration.ofSeconds(2)),
                Duration.ofSeconds(3),
                4,
                6));
    assertThat(mesos.toString()).doesNotContain("q]");
  }

  @Test
  void an_executor_runs_what_is_installed_or_what_it_fetched() throws Exception {
    assertThat(
            ExecutorSettings.from(
                    load("troupe.executor { home = /opt/troupe, java = /j/bin/java }"))
                .command())
        .contains("TROUPE_HOME='/opt/troupe'")
        .contains("exec '/j/bin/java' ")
        .endsWith("-cp \"$TROUPE_HOME/lib/*\" io.troupe.executor.Main");
    assertThat(ExecutorSettings.from(load("")).container()).isEmpty();
    assertThat(ExecutorSettings.from(load("")).command())
        .contains("exec \"$TROUPE_HOME/runtime/bin/java\" ")
        .endsWith(" @executor.args io.troupe.executor.Main");
    assertThat(ExecutorSettings.from(load("troupe.executor.java = java")).command())
        .endsWith(" -cp \"$TROUPE_HOME/lib/*\" io.troupe.executor.Main");
    ExecutorSettings contained =
        ExecutorSettings.from(
            load(
                "troupe.executor.container { image = \"r:5000/t:1\", type = docker, network ="
                    + " bridge, volumes = [\"/a:/b\", \"/c:/d:ro\"], pull = true }"));
    assertThat(contained.command()).startsWith("cd \"$MESOS_SANDBOX\" && TROUPE_HOME=\"$PWD\"");
    assertThat(contained.container())
        .contains(
            new ExecutorContainer(
                ExecutorContainer.Type.DOCKER,
                "r:5000/t:1",
                "bridge",
                List.of(
                    new ExecutorContainer.Volume("/a", "/b", false),
                    new ExecutorContainer.Volume("/c", "/d", true)),
                true));
    assertThat(ExecutorSettings.from(load("troupe.executor.bundle = abc")).bundle())
        .isEqualTo("abc");
  }

  @Test
  void the_rules_for_pools_are_read() throws Exception {
    assertThat(PoolPolicy.from(load("troupe.pool.unknown-grace = 3m")).unknownGrace())
        .isEqualTo(Duration.ofMinutes(3));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          troupe.mesos.mastr = x              | did you mean 'troupe.mesos.master'?
          troupe.api.prot = 1                 | did you mean 'troupe.api.port'?
          trupe.api.port = 1                  | unknown setting 'trupe'
          troupe.mesos.master = "zk://h/m"    | not supported yet: name the masters themselves
          troupe.mesos.master = "ftp://h"     | is no address of a master
          troupe.mesos.format = xml           | must be protobuf or json, not 'xml'
          troupe.mesos.roles = []             | must name at least one role
          troupe.mesos.missed-heartbeats = 0  | must be at least 1
          troupe.pool.replace-backoff.max = 1ms | 0 < first <= max
          troupe.executor.mem = 1 MiB         | must be at least 32 MiB
          troupe.executor.cpus = 0            | must be positive
          troupe.executor.container { image = x, type = lxc } | must be mesos or docker, not 'lxc'
          troupe.executor.container { image = "-x" }          | must be a name such as
          troupe.executor.container { image = x, volumes = ["/a"] } | must be like /data:/data
          troupe.executor.container.network = cni             | must be named where network
          troupe.api.port = 70000             | must be a port
          troupe.bind = "0.0.0.0"             | is not a loopback address
          {                                   | expecting
          """)
  void a_wrong_setting_stops_the_start_with_one_line(String line, String message) throws Exception {
    assertThatThrownBy(() -> SchedulerSettings.from(load(line)))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining(message);

    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        Main.run(
            new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            "--check-conf",
            "--conf",
            folder.resolve("user.conf").toString());
    assertThat(code).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8).lines()).hasSize(1);
  }

  @Test
  void a_port_in_use_is_named_with_its_setting() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Path file = folder.resolve("user.conf");
      Files.writeString(file, "troupe.api.port = " + taken.getLocalPort());
      ByteArrayOutputStream err = new ByteArrayOutputStream();

      int code =
          Main.run(
              new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
              new PrintStream(err, true, StandardCharsets.UTF_8),
              "--dir",
              folder.resolve("dir").toString(),
              "--conf",
              file.toString());

      assertThat(code).isEqualTo(1);
      assertThat(err.toString(StandardCharsets.UTF_8))
          .contains("port " + taken.getLocalPort())
          .contains("-Dtroupe.api.port=")
          .hasLineCount(1);
    }
  }

  @Test
  void a_file_that_is_not_there_is_named() {
    assertThatThrownBy(
            () -> Configuration.load(Optional.of(folder.resolve("nowhere.conf")), Map.of()))
        .hasMessageContaining("nowhere.conf");
  }
}
