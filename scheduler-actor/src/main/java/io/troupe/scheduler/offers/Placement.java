package io.troupe.scheduler.offers;

import io.troupe.scheduler.offers.Offer.Part;
import java.util.List;

/**
 * One worker on one offer.
 *
 * @param worker the resources of its task
 * @param executor the resources of its executor when this is its first task on the agent; empty
 *     when the executor has been charged already
 */
public record Placement(String pool, Offer offer, List<Part> worker, List<Part> executor) {
  public Placement {
    worker = List.copyOf(worker);
    executor = List.copyOf(executor);
  }

  /** The ports among the worker's resources, ascending as offered. */
  public List<Integer> ports() {
    return worker.stream()
        .flatMap(part -> part.ranges().stream())
        .flatMapToInt(
            range -> java.util.stream.IntStream.rangeClosed((int) range.begin(), (int) range.end()))
        .boxed()
        .toList();
  }
}
