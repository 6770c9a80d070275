package io.troupe.scheduler.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.troupe.model.PoolSize.Range;
import java.time.Duration;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How long to wait, and how many workers a load wants. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class ScalingTest {

  @ParameterizedTest
  @CsvSource({"0,0", "1,1", "2,2", "3,4", "6,32", "7,60", "8,60", "2147483647,60"})
  void a_back_off_doubles_with_each_failure_up_to_its_most(int failures, int seconds) {
    assertThat(new Backoff(Duration.ofSeconds(1), Duration.ofSeconds(60)).after(failures))
        .isEqualTo(Duration.ofSeconds(seconds));
  }

  @Test
  void a_back_off_that_shrinks_is_refused() {
    assertThatThrownBy(() -> new Backoff(Duration.ofSeconds(2), Duration.ofSeconds(1)))
        .hasMessageContaining("0 < first <= max");
  }

  @Test
  void a_range_grows_at_once_with_the_jobs_and_shrinks_after_a_quiet_window() {
    Range range = new Range(1, 8);
    LoadWindow load = LoadWindow.of(Duration.ofSeconds(60));
    assertThat(load.wanted(range, 1)).isEqualTo(1);

    load = load.plus(0, 5);
    assertThat(load.wanted(range, 1)).isEqualTo(5);
    load = load.plus(1000, 100);
    assertThat(load.wanted(range, 1)).isEqualTo(8);
    load = load.plus(2000, 0);
    assertThat(load.wanted(range, 1)).isEqualTo(8);
    load = load.plus(60_999, 3);
    assertThat(load.wanted(range, 1)).isEqualTo(8);
    load = load.plus(61_001, 0);
    assertThat(load.wanted(range, 1)).isEqualTo(3);
  }

  @Test
  void a_range_needs_fewer_workers_when_each_runs_several_jobs_at_once() {
    LoadWindow load = LoadWindow.of(Duration.ofSeconds(60)).plus(0, 9);
    assertThat(load.wanted(new Range(1, 8), 4)).isEqualTo(3);
    assertThat(load.wanted(new Range(1, 8), 9)).isEqualTo(1);
  }

  @Test
  void a_window_keeps_only_what_can_still_matter() {
    LoadWindow load = LoadWindow.of(Duration.ofSeconds(60));
    for (int i = 0; i < 1000; i++) {
      load = load.plus(i, i);
    }
    assertThat(load.samples()).hasSize(1);
  }
}
