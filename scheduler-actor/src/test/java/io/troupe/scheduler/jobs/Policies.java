package io.troupe.scheduler.jobs;

import io.troupe.model.JobPolicy;
import io.troupe.model.JobPolicy.Durability;
import io.troupe.model.JobPolicy.Limits;
import io.troupe.model.JobPolicy.Retry;
import java.time.Duration;

/** Policies for tests: three attempts that follow each other at once. */
final class Policies {
  private Policies() {}

  static JobPolicy memory() {
    return of(Durability.MEMORY);
  }

  static JobPolicy store() {
    return of(Durability.STORE);
  }

  private static JobPolicy of(Durability durability) {
    Retry atOnce = new Retry(Duration.ZERO, Duration.ZERO, Retry.USUAL.on());
    return new JobPolicy(Duration.ofSeconds(60), 3, durability, atOnce, Limits.NONE);
  }
}
