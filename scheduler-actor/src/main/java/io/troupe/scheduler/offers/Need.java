package io.troupe.scheduler.offers;

import java.util.Map;
import java.util.Set;

/**
 * What one pool wants now.
 *
 * @param executors the executor its workers run in on each agent that has one, by agent id
 * @param worker what one worker takes
 * @param executor what the executor itself takes, once on each agent
 * @param missing how many workers to place at most; {@link #ALL_THAT_FIT} for no limit
 * @param onAgents how many workers of the pool each agent has, by agent id; absent is none
 * @param notOn agents on which nothing of the pool may be placed now
 */
public record Need(
    String pool,
    Map<String, String> executors,
    Amount worker,
    Amount executor,
    int missing,
    Map<String, Integer> onAgents,
    Set<String> notOn) {

  /** No limit but what is offered. */
  public static final int ALL_THAT_FIT = Integer.MAX_VALUE;

  public Need {
    executors = Map.copyOf(executors);
    onAgents = Map.copyOf(onAgents);
    notOn = Set.copyOf(notOn);
  }

  /** Whether the pool takes whatever fits; such pools come after those that want a number. */
  boolean greedy() {
    return missing == ALL_THAT_FIT;
  }
}
