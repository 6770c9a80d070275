package io.troupe.model;

/** How many workers a pool wants. */
public sealed interface PoolSize {

  /** As many as fit on every agent, those to come included. */
  record PerAgent() implements PoolSize {}

  /** Just so many. */
  record Fixed(int workers) implements PoolSize {
    public Fixed {
      if (workers < 0) {
        throw new IllegalArgumentException("size must not be negative: " + workers);
      }
    }
  }

  /** Between the two, by load. */
  record Range(int min, int max) implements PoolSize {
    public Range {
      if (min < 0 || max < min) {
        throw new IllegalArgumentException(
            "size must be 0 <= min <= max: min " + min + ", max " + max);
      }
    }
  }
}
