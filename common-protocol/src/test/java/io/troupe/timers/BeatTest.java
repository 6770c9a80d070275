package io.troupe.timers;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class BeatTest {
  private static final long MILLI = 1_000_000;

  @Test
  void delays_end_at_the_whole_second_that_is_nearest() {
    assertThat(Beat.delay(0, 1000 * MILLI)).isEqualTo(1000 * MILLI);
    assertThat(Beat.delay(300 * MILLI, 1000 * MILLI)).isEqualTo(700 * MILLI);
    assertThat(Beat.delay(700 * MILLI, 1000 * MILLI)).isEqualTo(1300 * MILLI);
    assertThat(Beat.delay(700 * MILLI, 2900 * MILLI)).isEqualTo(3300 * MILLI);
  }

  @Test
  void what_repeats_itself_a_little_late_keeps_its_pace() {
    long late = 40 * MILLI;
    assertThat(Beat.delay(5000 * MILLI + late, 2000 * MILLI)).isEqualTo(2000 * MILLI - late);
  }

  @Test
  void is_never_further_off_than_half_a_second_wherever_the_clock_stands() {
    Random random = new Random(7);
    for (int i = 0; i < 10_000; i++) {
      long now = random.nextLong() >> 1;
      long delay = Beat.NANOS + random.nextInt(Integer.MAX_VALUE);
      long until = Beat.delay(now, delay);
      assertThat(Math.abs(until - delay)).isLessThanOrEqualTo(Beat.NANOS / 2);
      assertThat(Math.floorMod(now + until, Beat.NANOS)).isZero();
    }
  }
}
