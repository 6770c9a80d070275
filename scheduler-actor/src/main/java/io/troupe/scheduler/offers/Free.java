package io.troupe.scheduler.offers;

import io.troupe.scheduler.offers.Offer.Part;
import io.troupe.scheduler.offers.Offer.Range;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What is left of an offer while it is being given away; taking subtracts from the offer's own
 * parts, the first fitting first. Not thread-safe.
 */
final class Free {
  private static final String CPUS = "cpus";
  private static final String MEM = "mem";
  private static final String PORTS = "ports";

  private final List<Part> parts;

  private Free(List<Part> parts) {
    this.parts = new ArrayList<>(parts);
  }

  static Free of(List<Part> parts) {
    return new Free(parts);
  }

  Amount total() {
    long ports =
        parts.stream()
            .filter(part -> part.name().equals(PORTS))
            .flatMap(part -> part.ranges().stream())
            .mapToLong(Range::size)
            .sum();
    return new Amount(sum(CPUS), sum(MEM), (int) Math.min(Integer.MAX_VALUE, ports));
  }

  private long sum(String name) {
    return parts.stream().filter(part -> part.name().equals(name)).mapToLong(Part::millis).sum();
  }

  /** Takes the amount out, or takes nothing and says empty when there is not enough. */
  Optional<List<Part>> take(Amount amount) {
    if (!total().covers(amount)) {
      return Optional.empty();
    }
    List<Part> taken = new ArrayList<>();
    takeScalar(CPUS, amount.cpuMillis(), taken);
    takeScalar(MEM, amount.memMillis(), taken);
    takePorts(amount.ports(), taken);
    return Optional.of(List.copyOf(taken));
  }

  private void takeScalar(String name, long millis, List<Part> taken) {
    long missing = millis;
    for (int i = 0; i < parts.size() && missing > 0; i++) {
      Part part = parts.get(i);
      if (part.name().equals(name) && part.millis() > 0) {
        long share = Math.min(missing, part.millis());
        taken.add(new Part(name, part.kind(), share, List.of()));
        parts.set(i, new Part(name, part.kind(), part.millis() - share, List.of()));
        missing -= share;
      }
    }
  }

  private void takePorts(int count, List<Part> taken) {
    long missing = count;
    for (int i = 0; i < parts.size() && missing > 0; i++) {
      Part part = parts.get(i);
      if (!part.name().equals(PORTS)) {
        continue;
      }
      List<Range> given = new ArrayList<>();
      List<Range> left = new ArrayList<>();
      for (Range range : part.ranges()) {
        long share = Math.min(missing, range.size());
        if (share > 0) {
          given.add(new Range(range.begin(), range.begin() + share - 1));
        }
        if (share < range.size()) {
          left.add(new Range(range.begin() + share, range.end()));
        }
        missing -= share;
      }
      if (!given.isEmpty()) {
        taken.add(new Part(PORTS, part.kind(), 0, given));
        parts.set(i, new Part(PORTS, part.kind(), 0, left));
      }
    }
  }
}
