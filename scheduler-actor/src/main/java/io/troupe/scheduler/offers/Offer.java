package io.troupe.scheduler.offers;

import java.util.List;
import java.util.Set;

/**
 * What a master offers of one agent, for one role.
 *
 * @param executorIds executors of this framework that run there already
 * @param parts the offer's own resources, one for each
 */
public record Offer(
    String id, String agentId, String hostname, Set<String> executorIds, List<Part> parts) {

  public Offer {
    executorIds = Set.copyOf(executorIds);
    parts = List.copyOf(parts);
  }

  /**
   * One resource of the offer.
   *
   * @param name {@code cpus}, {@code mem}, {@code ports} …
   * @param kind all of the resource but its value, opaque: two parts may be added or quoted
   *     together only with their kind
   * @param millis how much of a scalar, in thousandths
   * @param ranges what of a set of numbers; both ends belong to it
   */
  public record Part(String name, String kind, long millis, List<Range> ranges) {
    public Part {
      ranges = List.copyOf(ranges);
    }
  }

  /** Numbers from begin to end, both included. */
  public record Range(long begin, long end) {
    public Range {
      if (end < begin) {
        throw new IllegalArgumentException(
            "a range must not end before it begins: " + begin + "-" + end);
      }
    }

    /** How many numbers. */
    public long size() {
      return end - begin + 1;
    }
  }

  /** All that is offered, of whatever kind. */
  public Amount total() {
    return Free.of(parts).total();
  }
}
