package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A failure names its seed; run that one alone by putting it into {@link #seeds}. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class QueueSimulationTest {
  private static final int STEPS = 600;

  static List<Long> seeds() {
    return new Random(20261124).longs(200).boxed().toList();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void what_was_promised_is_kept_whatever_is_killed(long seed) {
    QueueSimulation simulation = new QueueSimulation(seed);
    for (int step = 0; step < STEPS; step++) {
      simulation.step();
    }
    simulation.finish();
  }

  @Test
  void the_simulation_promises_jobs_and_kills_schedulers() {
    int promises = 0;
    int processes = 0;
    for (long seed = 1; seed <= 20; seed++) {
      QueueSimulation simulation = new QueueSimulation(seed);
      for (int step = 0; step < STEPS; step++) {
        simulation.step();
      }
      promises += simulation.promises();
      processes += simulation.processes();
    }
    assertThat(promises).isGreaterThan(500);
    assertThat(processes).isGreaterThan(100);
  }
}
