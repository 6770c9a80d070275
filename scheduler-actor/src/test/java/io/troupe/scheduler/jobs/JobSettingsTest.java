package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class JobSettingsTest {

  private static JobSettings read(String text) {
    return JobSettings.from(
        ConfigFactory.parseString(text).withFallback(ConfigFactory.defaultReference()).resolve());
  }

  @Test
  void every_setting_is_read() {
    JobSettings settings =
        read(
            """
            troupe.jobs {
              max-queued = 1, max-queued-bytes = 2, max-payload = 3
              remember = 4, remember-told = 10, remember-bytes = 5, remember-for = 6s
              supervisor-bytes = 11
              lease = 7s, batch = 8, batch-bytes = 9, window = 12, remember-stored-for = 13s
              blobs { above = 12, largest = 13, bytes = 14, told = 17, sweep = 15s }
            }
            troupe.bind = "::1", troupe.api.port = 16
            """);
    assertThat(settings)
        .isEqualTo(
            new JobSettings(
                new QueueState.Limits(1, 2, 4, 10, 5, Duration.ofSeconds(6), 12),
                11,
                Duration.ofSeconds(7),
                8,
                9,
                3,
                new JobSettings.Blobs(
                    12, 13, 14, 17, Duration.ofSeconds(15), "http://::1:16/v1/blobs"),
                Duration.ofSeconds(13)));
  }

  @Test
  void a_lease_is_ten_seconds_and_a_payload_at_most_eight_mebibytes() {
    JobSettings settings = read("");
    assertThat(settings.lease()).isEqualTo(Duration.ofSeconds(10));
    assertThat(settings.payloadBytes()).isEqualTo(8 << 20);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "max-queued",
        "max-queued-bytes",
        "max-payload",
        "blobs.above",
        "blobs.largest",
        "blobs.bytes",
        "blobs.told",
        "blobs.sweep",
        "remember",
        "remember-bytes",
        "remember-for",
        "remember-stored-for",
        "window",
        "lease",
        "batch",
        "batch-bytes"
      })
  void nothing_may_be_zero(String key) {
    assertThatThrownBy(() -> read("troupe.jobs." + key + " = 0"))
        .isInstanceOf(ConfigException.BadValue.class)
        .hasMessageContaining(key);
  }

  @Test
  void a_payload_that_fits_into_no_message_may_not_be_allowed() {
    assertThatThrownBy(() -> read("troupe.jobs.max-payload = 9 MiB"))
        .isInstanceOf(ConfigException.BadValue.class)
        .hasMessageContaining("max-payload");
  }
}
