package io.troupe.executor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import io.troupe.executor.mesos.AgentSettings;
import io.troupe.executor.process.ServerSettings;
import io.troupe.executor.supervision.Backoff;
import io.troupe.executor.supervision.SupervisorSettings;
import io.troupe.executor.supervision.WorkerSettings;
import io.troupe.mesos.WireFormat;
import java.time.Duration;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SettingsTest {
  private static final Config DEFAULTS = ConfigFactory.defaultReference().resolve();

  private static Config with(String text) {
    return ConfigFactory.parseString(text).withFallback(DEFAULTS).resolve();
  }

  @Test
  void the_defaults_are_those_of_reference_conf() {
    assertThat(AgentSettings.from(DEFAULTS))
        .isEqualTo(
            new AgentSettings(WireFormat.PROTOBUF, Duration.ofSeconds(60), Duration.ofSeconds(10)));
    assertThat(ServerSettings.from(DEFAULTS))
        .isEqualTo(
            new ServerSettings(
                16 << 20,
                64 << 10,
                4L << 30,
                Duration.ofMinutes(10),
                16 << 20,
                Duration.ofMillis(250),
                Duration.ofMillis(500)));
    assertThat(SupervisorSettings.from(DEFAULTS).orphanTimeout()).isEqualTo(Duration.ofMinutes(10));
    assertThat(WorkerSettings.from(DEFAULTS).crashBudget()).isEqualTo(6);
  }

  @Test
  void every_key_is_taken() {
    Config all =
        with(
            """
            troupe.executor {
              agent { wire = json, subscribe-timeout = 1s, call-timeout = 2s }
              supervisor { idle-timeout = 1s, orphan-timeout = 2s, sample-every = 3s,
                report-after = 4s, report-jobs-every = 7s, register-every = 5s, link-patience = 6s }
              worker { stop-grace = 1s, crash-budget = 2, stable-after = 3s, cancel-grace = 4s,
                restart-backoff { first = 5s, second = 6s, max = 7s } }
              process { max-frame = 2 MiB, inline-result = 3 KiB, max-result = 1 MiB,
                transfer-timeout = 5s, log-size = 3 MiB, memory-every = 70ms,
                settle-time = 4s }
            }
            """);
    assertThat(AgentSettings.from(all))
        .isEqualTo(
            new AgentSettings(WireFormat.JSON, Duration.ofSeconds(1), Duration.ofSeconds(2)));
    assertThat(ServerSettings.from(all))
        .isEqualTo(
            new ServerSettings(
                2 << 20,
                3 << 10,
                1 << 20,
                Duration.ofSeconds(5),
                3 << 20,
                Duration.ofMillis(70),
                Duration.ofSeconds(4)));
    WorkerSettings worker =
        new WorkerSettings(
            Duration.ofSeconds(1),
            new Backoff(Duration.ofSeconds(5), Duration.ofSeconds(6), Duration.ofSeconds(7)),
            2,
            Duration.ofSeconds(3),
            Duration.ofSeconds(4));
    assertThat(SupervisorSettings.from(all))
        .isEqualTo(
            new SupervisorSettings(
                Duration.ofSeconds(1),
                Duration.ofSeconds(2),
                Duration.ofSeconds(3),
                Duration.ofSeconds(4),
                Duration.ofSeconds(7),
                Duration.ofSeconds(5),
                Duration.ofSeconds(6),
                worker));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "worker.crash-budget = 0",
        "worker.stop-grace = -1s",
        "process.max-result = 0",
        "process.inline-result = 0",
        "process.inline-result = 9 MiB",
        "process.transfer-timeout = 0s",
        "process.log-size = 0",
        "process.memory-every = 0s",
        "agent.wire = xml",
      })
  void a_bad_value_is_refused_with_its_key(String setting) {
    String key = setting.substring(0, setting.indexOf(' '));
    assertThatThrownBy(
            () -> {
              Config config = with("troupe.executor." + setting);
              AgentSettings.from(config);
              ServerSettings.from(config);
              SupervisorSettings.from(config);
            })
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("troupe.executor." + key);
  }
}
