package io.troupe.executor.supervision;

import io.troupe.model.Upkeep;
import java.time.Duration;
import java.util.Optional;

/** How used a process is, and whether it is to be replaced for that. Not thread-safe. */
final class Wear {
  /** Ages differ by so much to either side, so that not all workers of a pool go at once. */
  private static final double SPREAD = 0.1;

  private final Upkeep upkeep;
  private long jobs;
  private long oldAt;
  private Duration age = Duration.ZERO;

  Wear(Upkeep upkeep) {
    this.upkeep = upkeep;
  }

  /**
   * A new process is ready.
   *
   * @param random from 0 to 1
   */
  void anew(long now, double random) {
    jobs = 0;
    double factor = 1 + SPREAD * (2 * random - 1);
    age = Duration.ofNanos(Math.round(upkeep.recycleAge().toNanos() * factor));
    oldAt = now + age.toNanos();
  }

  /** How old this one may get; empty when there is no limit. */
  Optional<Duration> age() {
    return age.isZero() ? Optional.empty() : Optional.of(age);
  }

  void did(int answered) {
    jobs += answered;
  }

  boolean isWorn(long rss, long now) {
    return hasDoneEnough() || isLarge(rss) || (!age.isZero() && now - oldAt >= 0);
  }

  private boolean hasDoneEnough() {
    return upkeep.recycleJobs() > 0 && jobs >= upkeep.recycleJobs();
  }

  private boolean isLarge(long rss) {
    return upkeep.recycleRssMb() > 0 && rss > upkeep.recycleRssMb() * (1 << 20);
  }

  /** One line for people. */
  String why(long rss) {
    if (hasDoneEnough()) {
      return "it has done " + jobs + " jobs";
    }
    return isLarge(rss) ? "it takes " + (rss >> 20) + " MiB" : "it is old";
  }
}
