package io.troupe.model;

import com.fasterxml.jackson.annotation.JsonCreator;

/**
 * How the process of a worker serves jobs.
 *
 * @param concurrency how many it runs at once, from 1 to {@link #MOST}
 * @param preload whether it is forked from one that has imported the module, instead of started
 */
public record Serving(int concurrency, boolean preload) {
  /** The most jobs that one process may run at once. */
  public static final int MOST = 256;

  /** One job after the other. */
  public static final Serving ONE_AT_A_TIME = new Serving(1, false);

  /** A process that is started. */
  public Serving(int concurrency) {
    this(concurrency, false);
  }

  @JsonCreator
  public Serving {
    if (concurrency < 1 || concurrency > MOST) {
      throw new IllegalArgumentException(
          "concurrency must be from 1 to " + MOST + ", not " + concurrency);
    }
  }
}
