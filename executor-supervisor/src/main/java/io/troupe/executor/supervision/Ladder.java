package io.troupe.executor.supervision;

import java.time.Duration;

/**
 * How the time from the first gentle word to SIGKILL is shared: first running jobs may finish, then
 * the one that runs is interrupted (SIGINT), then the process and all it has started are asked to
 * end (SIGTERM), then it writes down where it is. What a step does not need, the next one has.
 *
 * @param finish for running jobs
 * @param interrupt from SIGINT to SIGTERM
 * @param terminate from SIGTERM to the last look at the stacks
 * @param look from there to SIGKILL
 */
record Ladder(Duration finish, Duration interrupt, Duration terminate, Duration look) {

  /** For a worker that is to stop within the grace: 60, 10, 25 and 5 % of it. */
  static Ladder stopping(Duration grace) {
    return new Ladder(part(grace, 60), part(grace, 10), part(grace, 25), part(grace, 5));
  }

  /** For a job that is to end within the grace: 50, 45 and 5 % of it. */
  static Ladder ending(Duration grace) {
    return new Ladder(Duration.ZERO, part(grace, 50), part(grace, 45), part(grace, 5));
  }

  private static Duration part(Duration whole, int percent) {
    return Duration.ofMillis(whole.toMillis() * percent / 100);
  }
}
