package io.troupe.scheduler.offers;

import io.troupe.scheduler.offers.Offer.Part;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which workers go onto which offers.
 *
 * @param placements in the order in which they were decided
 * @param refusals why an offer took no (further) worker of a pool that wants some
 */
public record Matching(List<Placement> placements, List<Refusal> refusals) {

  public Matching {
    placements = List.copyOf(placements);
    refusals = List.copyOf(refusals);
  }

  /**
   * An offer that could not hold one more worker of a pool.
   *
   * @param needed what one more worker would have taken, its executor included where it is not
   *     there
   * @param left what the offer had left
   */
  public record Refusal(String pool, String agentId, String hostname, Amount needed, Amount left) {}

  /**
   * Places workers one at a time. Pools that want a number come before pools that take all that
   * fits; within each group they take turns. Each worker goes to the agent that has fewest of its
   * pool, of equal ones to the one with most processors left. Never more than a need's missing, and
   * an executor is charged once for each agent.
   */
  public static Matching of(List<Need> needs, List<Offer> offers) {
    Round round = new Round(offers);
    List<Need> counted = needs.stream().filter(need -> !need.greedy()).toList();
    List<Need> greedy = needs.stream().filter(Need::greedy).toList();
    round.place(counted);
    round.place(greedy);
    return new Matching(round.placements, round.refusals(needs));
  }

  private static final class Round {
    private final List<Offer> offers;
    private final Map<String, Free> free = new HashMap<>();
    private final Map<String, Integer> placed = new HashMap<>();
    private final Map<String, Map<String, Integer>> onAgents = new HashMap<>();
    private final Map<String, Set<String>> executorOn = new HashMap<>();
    private final List<Placement> placements = new ArrayList<>();

    Round(List<Offer> offers) {
      this.offers = offers;
      offers.forEach(offer -> free.put(offer.id(), Free.of(offer.parts())));
    }

    void place(List<Need> needs) {
      boolean progress = true;
      while (progress) {
        progress = false;
        for (Need need : needs) {
          if (placed.getOrDefault(need.pool(), 0) < need.missing()) {
            Optional<Placement> placement = placeOne(need);
            placement.ifPresent(placements::add);
            progress |= placement.isPresent();
          }
        }
      }
    }

    private Optional<Placement> placeOne(Need need) {
      Comparator<Offer> fewest = Comparator.comparingInt(offer -> count(need, offer.agentId()));
      Optional<Offer> best =
          offers.stream()
              .filter(offer -> !need.notOn().contains(offer.agentId()))
              .filter(offer -> left(offer).covers(needed(need, offer)))
              .min(
                  fewest
                      .thenComparing(offer -> -left(offer).cpuMillis())
                      .thenComparing(Offer::agentId));
      return best.map(offer -> give(need, offer));
    }

    private Placement give(Need need, Offer offer) {
      Free from = left(offer.id());
      List<Part> executor =
          hasExecutor(need, offer) ? List.of() : from.take(need.executor()).orElseThrow();
      List<Part> worker = from.take(need.worker()).orElseThrow();
      executorOn.computeIfAbsent(need.pool(), pool -> new HashSet<>()).add(offer.agentId());
      placed.merge(need.pool(), 1, Integer::sum);
      onAgents
          .computeIfAbsent(need.pool(), pool -> new HashMap<>())
          .merge(offer.agentId(), 1, Integer::sum);
      return new Placement(need.pool(), offer, worker, executor);
    }

    private Amount needed(Need need, Offer offer) {
      return hasExecutor(need, offer) ? need.worker() : need.worker().plus(need.executor());
    }

    private boolean hasExecutor(Need need, Offer offer) {
      String executor = need.executors().get(offer.agentId());
      return (executor != null && offer.executorIds().contains(executor))
          || executorOn.getOrDefault(need.pool(), Set.of()).contains(offer.agentId());
    }

    private int count(Need need, String agentId) {
      return need.onAgents().getOrDefault(agentId, 0)
          + onAgents.getOrDefault(need.pool(), Map.of()).getOrDefault(agentId, 0);
    }

    private Amount left(Offer offer) {
      return left(offer.id()).total();
    }

    private Free left(String offerId) {
      Free left = free.get(offerId);
      if (left == null) {
        throw new IllegalStateException("offer " + offerId + " is not of this round");
      }
      return left;
    }

    List<Refusal> refusals(List<Need> needs) {
      List<Refusal> refusals = new ArrayList<>();
      for (Need need : needs) {
        if (placed.getOrDefault(need.pool(), 0) < need.missing()) {
          for (Offer offer : offers) {
            if (need.notOn().contains(offer.agentId())) {
              continue;
            }
            refusals.add(
                new Refusal(
                    need.pool(),
                    offer.agentId(),
                    offer.hostname(),
                    needed(need, offer),
                    left(offer)));
          }
        }
      }
      return refusals;
    }
  }
}
