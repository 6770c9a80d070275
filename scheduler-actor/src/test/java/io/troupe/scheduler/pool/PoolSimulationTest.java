package io.troupe.scheduler.pool;

import io.troupe.model.PoolSize;
import java.util.stream.LongStream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Pools under failures of every kind. A failing seed can be run alone by putting it in {@link
 * #seeds()}.
 */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class PoolSimulationTest {

  static LongStream seeds() {
    return LongStream.range(0, 40);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void pools_of_a_size_recover_from_whatever_happens(long seed) {
    PoolSimulation simulation = new PoolSimulation(seed);
    simulation.apply(Specs.pool("one", new PoolSize.Fixed(3)));
    simulation.apply(Specs.pool("two", new PoolSize.Fixed(2)));
    simulation.unrest(400);
    simulation.calm(400);
    simulation.expectAllWantedRun();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void a_pool_that_is_deleted_and_applied_again_runs_some_seconds_later_each_time(long seed) {
    PoolSimulation simulation = new PoolSimulation(seed);
    simulation.apply(Specs.pool("again", new PoolSize.Fixed(2)));
    simulation.calm(10);
    for (int i = 0; i < 8; i++) {
      simulation.applyAgain("again");
      simulation.calm(10);
      simulation.expectAllWantedRun();
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void a_pool_that_takes_all_that_fits_recovers_from_whatever_happens(long seed) {
    PoolSimulation simulation = new PoolSimulation(seed);
    simulation.apply(Specs.pool("all", new PoolSize.PerAgent()));
    simulation.unrest(400);
    simulation.calm(400);
    simulation.expectAllWantedRun();
  }
}
