package io.troupe.executor.supervision;

import io.troupe.protocol.Outcome;
import java.time.Duration;
import java.util.List;

/**
 * How long jobs run, as a moving average, and so how many a process should be sent ahead: about a
 * fifth of a second of work beyond the job that runs, but one job at least unless jobs are slow.
 *
 * @param micros the average, in microseconds; negative while nothing is known
 */
record RunTime(double micros) {
  static final RunTime UNKNOWN = new RunTime(-1);
  static final int MAX_DEPTH = 256;
  private static final double AHEAD_MICROS = 200_000;

  /**
   * Up to here a process has its next job at hand when one ends: where all processors are busy, an
   * executor may wait some milliseconds for its turn to send it.
   */
  private static final double SLOW_MICROS = 50_000;

  /** A result weighs so much in the average, a batch of them more. */
  private static final double WEIGHT = 0.1;

  /** With these outcomes taken in. */
  RunTime with(List<Outcome> outcomes) {
    double average = micros;
    for (Outcome outcome : outcomes) {
      if (outcome.kind() == Outcome.Kind.SUCCEEDED || outcome.kind() == Outcome.Kind.FAILED) {
        average =
            average < 0 ? outcome.runMicros() : average + WEIGHT * (outcome.runMicros() - average);
      }
    }
    return new RunTime(average);
  }

  /** How long so many jobs take one after the other; zero while nothing is known. */
  Duration of(int jobs) {
    return Duration.ofNanos((long) (Math.max(0, micros) * 1000 * jobs));
  }

  /**
   * How many jobs one process should have, the running ones included: as many as it runs at once,
   * and no more than 256 beyond.
   *
   * @param width how many it runs at once
   */
  int depth(int width) {
    return Math.max(width, Math.min(MAX_DEPTH, width * depth()));
  }

  /** The same of one that runs one job after the other; from 1 to 256. */
  int depth() {
    if (micros < 0 || micros >= SLOW_MICROS) {
      return 1;
    }
    return (int) Math.max(2, Math.min(MAX_DEPTH, 1 + AHEAD_MICROS / Math.max(1, micros)));
  }
}
