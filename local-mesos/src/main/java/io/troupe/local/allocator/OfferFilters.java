package io.troupe.local.allocator;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What frameworks do not want to see again for a while. One owner's thread only; time is what the
 * caller says it is.
 */
public final class OfferFilters {

  /** Refusals last this long when the framework does not say. */
  public static final Duration DEFAULT = Duration.ofSeconds(5);

  private static final Duration LONGEST = Duration.ofDays(365);

  /** The next round of offers comes no sooner than the interval says, but may come a bit later. */
  private static final Duration LATENESS = Duration.ofMillis(8);

  private record Key(String framework, String role, String agent) {}

  private record Refusal(MesosResources refused, Instant until) {}

  private final Duration allocationInterval;
  private final Map<Key, List<Refusal>> refusals = new HashMap<>();

  /**
   * @param allocationInterval a refusal lasts at least that long, or the next run would undo it
   */
  public OfferFilters(Duration allocationInterval) {
    this.allocationInterval = allocationInterval;
  }

  /**
   * The framework's role does not want as much or less of the agent.
   *
   * @param refuseSeconds how long; 0 for no refusal at all, what is no duration counts as the
   *     default
   */
  public void refuse(
      String framework,
      String role,
      String agent,
      MesosResources refused,
      double refuseSeconds,
      Instant now) {
    Duration wanted = durationOf(refuseSeconds);
    if (wanted.isZero() || refused.isEmpty()) {
      return;
    }
    Duration lasting = wanted.compareTo(allocationInterval) < 0 ? allocationInterval : wanted;
    refusals
        .computeIfAbsent(new Key(framework, role, agent), key -> new ArrayList<>())
        .add(new Refusal(refused.unallocated(), now.plus(lasting).plus(LATENESS)));
  }

  private static Duration durationOf(double seconds) {
    if (Double.isNaN(seconds) || seconds < 0) {
      return DEFAULT;
    }
    if (seconds > LONGEST.toSeconds()) {
      return LONGEST;
    }
    return Duration.ofNanos((long) (seconds * 1e9));
  }

  /** Whether an earlier refusal covers the resources. */
  public boolean blocks(
      String framework, String role, String agent, MesosResources offered, Instant now) {
    List<Refusal> known = refusals.get(new Key(framework, role, agent));
    if (known == null) {
      return false;
    }
    known.removeIf(refusal -> !refusal.until().isAfter(now));
    MesosResources candidate = offered.unallocated();
    return known.stream().anyMatch(refusal -> refusal.refused().contains(candidate));
  }

  /** Forgets what the framework refused in these roles. */
  public void clear(String framework, Set<String> roles) {
    refusals
        .keySet()
        .removeIf(key -> key.framework().equals(framework) && roles.contains(key.role()));
  }

  /** Forgets everything that the framework refused. */
  public void clearFramework(String framework) {
    refusals.keySet().removeIf(key -> key.framework().equals(framework));
  }

  /** Forgets everything that was refused of the agent. */
  public void clearAgent(String agent) {
    refusals.keySet().removeIf(key -> key.agent().equals(agent));
  }
}
