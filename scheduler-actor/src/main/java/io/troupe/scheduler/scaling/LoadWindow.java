package io.troupe.scheduler.scaling;

import io.troupe.model.PoolSize.Range;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The load of a pool in the recent past, from which the size of a min/max pool follows: it grows at
 * once with the jobs there are, and shrinks when they have been fewer for a whole window.
 *
 * @param samples oldest first
 */
public record LoadWindow(Duration length, List<Sample> samples) {

  /**
   * One measurement.
   *
   * @param atMillis when, in milliseconds of any clock
   * @param jobs queued and running
   */
  public record Sample(long atMillis, int jobs) {}

  public LoadWindow {
    samples = List.copyOf(samples);
  }

  /** No load yet. */
  public static LoadWindow of(Duration length) {
    return new LoadWindow(length, List.of());
  }

  /** With one more measurement, without those older than the window. */
  public LoadWindow plus(long atMillis, int jobs) {
    List<Sample> kept = new ArrayList<>();
    for (Sample sample : samples) {
      // A smaller, older measurement can never be the highest again.
      if (sample.atMillis() > atMillis - length.toMillis() && sample.jobs() > jobs) {
        kept.add(sample);
      }
    }
    kept.add(new Sample(atMillis, jobs));
    return new LoadWindow(length, kept);
  }

  /**
   * As many workers as run all jobs of the highest load in the window, within the range.
   *
   * @param concurrency how many jobs a worker runs at once
   */
  public int wanted(Range range, int concurrency) {
    int jobs = samples.stream().mapToInt(Sample::jobs).max().orElse(0);
    int workers = jobs / concurrency + (jobs % concurrency == 0 ? 0 : 1);
    return Math.max(range.min(), Math.min(range.max(), workers));
  }
}
