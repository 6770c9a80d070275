package io.troupe.executor.mesos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class MesosEnvironmentTest {
  private static final Map<String, String> LEAST =
      Map.of(
          "MESOS_FRAMEWORK_ID", "f",
          "MESOS_EXECUTOR_ID", "e",
          "MESOS_AGENT_ENDPOINT", "10.0.0.7:5051");

  @ParameterizedTest
  @CsvSource({
    "5secs, 5000",
    "1mins, 60000",
    "15mins, 900000",
    "1500ms, 1500",
    "1.5secs, 1500",
    "1hrs, 3600000",
    "2days, 172800000",
    "1weeks, 604800000",
    "1000000ns, 1",
    "1000us, 1"
  })
  void durations_are_read_as_mesos_writes_them(String text, long millis) {
    assertThat(MesosDuration.parse(text)).isEqualTo(Duration.ofMillis(millis));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "secs", "5 parsecs", "1.2.3secs", "-5secs"})
  void what_is_no_duration_is_named(String text) {
    assertThatThrownBy(() -> MesosDuration.parse(text)).hasMessageContaining("'" + text + "'");
  }

  @Test
  void the_least_that_an_agent_says_is_enough() {
    MesosEnvironment environment = MesosEnvironment.from(LEAST);
    assertThat(environment.agent()).isEqualTo(URI.create("http://10.0.0.7:5051/api/v1/executor"));
    assertThat(environment.agentHost()).isEqualTo("10.0.0.7");
    assertThat(environment.checkpoint()).isFalse();
    assertThat(environment.shutdownGrace()).isEqualTo(Duration.ofSeconds(5));
    assertThat(environment.token()).isEmpty();
  }

  @Test
  void all_that_an_agent_says_is_taken() {
    Map<String, String> all = new HashMap<>(LEAST);
    all.put("MESOS_CHECKPOINT", "1");
    all.put("MESOS_SANDBOX", "/mnt/mesos/sandbox");
    all.put("MESOS_DIRECTORY", "/var/lib/mesos/x");
    all.put("MESOS_RECOVERY_TIMEOUT", "10mins");
    all.put("MESOS_SUBSCRIPTION_BACKOFF_MAX", "3secs");
    all.put("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "1mins");
    all.put("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "jwt");
    MesosEnvironment environment = MesosEnvironment.from(all);
    assertThat(environment.checkpoint()).isTrue();
    assertThat(environment.sandbox()).isEqualTo(Path.of("/mnt/mesos/sandbox"));
    assertThat(environment.recoveryTimeout()).isEqualTo(Duration.ofMinutes(10));
    assertThat(environment.backoffMax()).isEqualTo(Duration.ofSeconds(3));
    assertThat(environment.shutdownGrace()).isEqualTo(Duration.ofMinutes(1));
    assertThat(environment.token()).contains("jwt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID", "MESOS_AGENT_ENDPOINT"})
  void what_is_missing_is_named(String name) {
    Map<String, String> less = new HashMap<>(LEAST);
    less.remove(name);
    assertThatThrownBy(() -> MesosEnvironment.from(less))
        .hasMessage(name + " is not set: this program is started by a Mesos agent, not by hand");
  }

  @Test
  void a_wrong_endpoint_or_duration_is_named() {
    Map<String, String> wrong = new HashMap<>(LEAST);
    wrong.put("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "soon");
    assertThatThrownBy(() -> MesosEnvironment.from(wrong))
        .hasMessageStartingWith("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: 'soon'");
    wrong.put("MESOS_AGENT_ENDPOINT", "nowhere");
    assertThatThrownBy(() -> MesosEnvironment.from(wrong))
        .hasMessage("MESOS_AGENT_ENDPOINT must be ip:port, but is 'nowhere'");
  }
}
