package io.troupe.local.allocator;

import io.troupe.local.allocator.Ranges.Interval;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.Resource.AllocationInfo;
import org.apache.mesos.v1.Protos.Resource.ReservationInfo;
import org.apache.mesos.v1.Protos.Value;

/**
 * A sum of Mesos resources. Two entries add up only when everything but their amount is equal:
 * name, kind, allocation, reservations, disk and so on. Scalars are fixed-point numbers with three
 * decimals, so 0.1 ten times is 1. Immutable.
 *
 * <p>Inside, resources are always in the format with {@code reservations} and without {@code role};
 * {@link #toProtos(Format)} gives what a framework without RESERVATION_REFINEMENT expects.
 */
public final class MesosResources {

  /** How reservations are written. */
  public enum Format {
    /** {@code reservations} only; an unreserved resource names no role. */
    REFINED,
    /** {@code role} ("*" when unreserved) and at most one {@code reservation}. */
    ROLE
  }

  /** Nothing at all. */
  public static final MesosResources NONE = new MesosResources(Map.of());

  private sealed interface Amount {
    boolean isEmpty();

    Amount plus(Amount other);

    Amount minus(Amount other);

    boolean contains(Amount other);
  }

  private record Scalar(long thousandths) implements Amount {
    @Override
    public boolean isEmpty() {
      return thousandths <= 0;
    }

    @Override
    public Amount plus(Amount other) {
      return new Scalar(thousandths + ((Scalar) other).thousandths);
    }

    @Override
    public Amount minus(Amount other) {
      return new Scalar(thousandths - ((Scalar) other).thousandths);
    }

    @Override
    public boolean contains(Amount other) {
      return thousandths >= ((Scalar) other).thousandths;
    }

    @Override
    public String toString() {
      return print(thousandths);
    }
  }

  private record Numbers(Ranges ranges) implements Amount {
    @Override
    public boolean isEmpty() {
      return ranges.isEmpty();
    }

    @Override
    public Amount plus(Amount other) {
      return new Numbers(ranges.plus(((Numbers) other).ranges));
    }

    @Override
    public Amount minus(Amount other) {
      return new Numbers(ranges.minus(((Numbers) other).ranges));
    }

    @Override
    public boolean contains(Amount other) {
      return ranges.contains(((Numbers) other).ranges);
    }

    @Override
    public String toString() {
      return ranges.toString();
    }
  }

  private record Items(TreeSet<String> items) implements Amount {
    @Override
    public boolean isEmpty() {
      return items.isEmpty();
    }

    @Override
    public Amount plus(Amount other) {
      TreeSet<String> sum = new TreeSet<>(items);
      sum.addAll(((Items) other).items);
      return new Items(sum);
    }

    @Override
    public Amount minus(Amount other) {
      TreeSet<String> left = new TreeSet<>(items);
      left.removeAll(((Items) other).items);
      return new Items(left);
    }

    @Override
    public boolean contains(Amount other) {
      return items.containsAll(((Items) other).items);
    }

    @Override
    public String toString() {
      return items.stream().collect(Collectors.joining(", ", "{", "}"));
    }
  }

  /** By what kind of thing it is (a resource without its amount), how much of it. */
  private final Map<Resource, Amount> amounts;

  private MesosResources(Map<Resource, Amount> amounts) {
    this.amounts = amounts;
  }

  /** The sum of the entries; those with nothing in them (0, no range) leave no trace. */
  public static MesosResources of(List<Resource> entries) {
    Map<Resource, Amount> sum = new LinkedHashMap<>();
    for (Resource entry : entries) {
      add(sum, kindOf(entry), amountOf(entry));
    }
    return new MesosResources(sum);
  }

  private static void add(Map<Resource, Amount> sum, Resource kind, Amount amount) {
    if (!amount.isEmpty()) {
      sum.merge(kind, amount, Amount::plus);
    }
  }

  /** The entry in the format without {@code role}, its amount cleared. */
  private static Resource kindOf(Resource entry) {
    return refined(entry).toBuilder().clearScalar().clearRanges().clearSet().build();
  }

  /** The entry in the format with {@code reservations} and without {@code role}. */
  @SuppressWarnings("deprecation") // role and reservation are what older frameworks send
  public static Resource refined(Resource entry) {
    Resource.Builder refined = entry.toBuilder().clearRole().clearReservation();
    if (entry.getReservationsCount() > 0) {
      return refined.build();
    }
    boolean reserved = entry.hasRole() && !entry.getRole().equals("*");
    if (entry.hasReservation()) {
      refined.addReservations(
          entry.getReservation().toBuilder()
              .setType(ReservationInfo.Type.DYNAMIC)
              .setRole(entry.getRole()));
    } else if (reserved) {
      refined.addReservations(
          ReservationInfo.newBuilder()
              .setType(ReservationInfo.Type.STATIC)
              .setRole(entry.getRole()));
    }
    return refined.build();
  }

  private static Amount amountOf(Resource entry) {
    return switch (entry.getType()) {
      case SCALAR -> new Scalar(thousandths(entry.getScalar().getValue()));
      case RANGES ->
          new Numbers(
              Ranges.of(
                  entry.getRanges().getRangeList().stream()
                      .map(range -> new Interval(range.getBegin(), range.getEnd()))
                      .toList()));
      case SET -> new Items(new TreeSet<>(entry.getSet().getItemList()));
      case TEXT -> throw new IllegalArgumentException("A resource cannot be a text: " + entry);
    };
  }

  /** The fixed-point form of a scalar: thousandths, rounded to the nearest. */
  public static long thousandths(double value) {
    return Math.round(value * 1000);
  }

  public boolean isEmpty() {
    return amounts.isEmpty();
  }

  public MesosResources plus(MesosResources other) {
    Map<Resource, Amount> sum = new LinkedHashMap<>(amounts);
    other.amounts.forEach((kind, amount) -> add(sum, kind, amount));
    return new MesosResources(sum);
  }

  /** What is left; what is taken beyond what is there is forgotten. */
  public MesosResources minus(MesosResources other) {
    Map<Resource, Amount> left = new LinkedHashMap<>(amounts);
    other.amounts.forEach(
        (kind, amount) ->
            left.computeIfPresent(
                kind,
                (same, own) -> {
                  Amount rest = own.minus(amount);
                  return rest.isEmpty() ? null : rest;
                }));
    return new MesosResources(left);
  }

  /** Whether all of the other sum could be taken from this one. */
  public boolean contains(MesosResources other) {
    return other.amounts.entrySet().stream()
        .allMatch(
            wanted -> {
              Amount own = amounts.get(wanted.getKey());
              return own != null && own.contains(wanted.getValue());
            });
  }

  /** The same resources, allocated to the role. */
  public MesosResources allocatedTo(String role) {
    AllocationInfo allocation = AllocationInfo.newBuilder().setRole(role).build();
    return eachKind(kind -> kind.toBuilder().setAllocationInfo(allocation).build());
  }

  /** The same resources, allocated to nobody. */
  public MesosResources unallocated() {
    return eachKind(kind -> kind.toBuilder().clearAllocationInfo().build());
  }

  private MesosResources eachKind(java.util.function.UnaryOperator<Resource> change) {
    Map<Resource, Amount> changed = new LinkedHashMap<>();
    amounts.forEach((kind, amount) -> add(changed, change.apply(kind), amount));
    return new MesosResources(changed);
  }

  /** What a framework of the role may have: what is unreserved, and what is reserved for it. */
  public MesosResources usableBy(String role) {
    return only(kind -> reservedFor(kind).equals("*") || reservedFor(kind).equals(role));
  }

  /** What is reserved for nobody. */
  public MesosResources unreserved() {
    return only(kind -> reservedFor(kind).equals("*"));
  }

  /** What is reserved, by role. */
  public Map<String, MesosResources> reserved() {
    Map<String, MesosResources> byRole = new TreeMap<>();
    amounts.forEach(
        (kind, amount) -> {
          String role = reservedFor(kind);
          if (!role.equals("*")) {
            byRole.merge(role, new MesosResources(Map.of(kind, amount)), MesosResources::plus);
          }
        });
    return byRole;
  }

  private static String reservedFor(Resource kind) {
    int count = kind.getReservationsCount();
    return count == 0 ? "*" : kind.getReservations(count - 1).getRole();
  }

  private MesosResources only(Predicate<Resource> wanted) {
    Map<Resource, Amount> kept = new LinkedHashMap<>();
    amounts.forEach(
        (kind, amount) -> {
          if (wanted.test(kind)) {
            kept.put(kind, amount);
          }
        });
    return new MesosResources(kept);
  }

  /** The amount of a scalar over all its entries; 0 when there is none. */
  public double scalar(String name) {
    return scalars().getOrDefault(name, 0L) / 1000.0;
  }

  /** Every scalar's amount over all its entries, in thousandths. */
  public Map<String, Long> scalars() {
    Map<String, Long> sums = new TreeMap<>();
    amounts.forEach(
        (kind, amount) -> {
          if (amount instanceof Scalar scalar) {
            sums.merge(kind.getName(), scalar.thousandths(), Long::sum);
          }
        });
    return sums;
  }

  /** Every resource that is not a scalar, as Mesos' web pages print it, by name. */
  public Map<String, String> texts() {
    Map<String, Amount> sums = new TreeMap<>();
    amounts.forEach(
        (kind, amount) -> {
          if (!(amount instanceof Scalar)) {
            sums.merge(kind.getName(), amount, Amount::plus);
          }
        });
    Map<String, String> texts = new TreeMap<>();
    sums.forEach((name, amount) -> texts.put(name, amount.toString()));
    return texts;
  }

  /** The entries, ranges and sets first, as a master writes them. */
  public List<Resource> toProtos(Format format) {
    List<Resource> entries = new ArrayList<>();
    for (boolean scalars : new boolean[] {false, true}) {
      amounts.forEach(
          (kind, amount) -> {
            if ((amount instanceof Scalar) == scalars) {
              entries.add(entry(kind, amount, format));
            }
          });
    }
    return entries;
  }

  private static Resource entry(Resource kind, Amount amount, Format format) {
    Resource.Builder entry = kind.toBuilder();
    if (amount instanceof Scalar scalar) {
      entry.setScalar(Value.Scalar.newBuilder().setValue(scalar.thousandths() / 1000.0));
    } else if (amount instanceof Numbers numbers) {
      Value.Ranges.Builder ranges = Value.Ranges.newBuilder();
      for (Interval interval : numbers.ranges().intervals()) {
        ranges.addRange(Value.Range.newBuilder().setBegin(interval.begin()).setEnd(interval.end()));
      }
      entry.setRanges(ranges);
    } else if (amount instanceof Items items) {
      entry.setSet(Value.Set.newBuilder().addAllItem(items.items()));
    }
    return format == Format.ROLE ? withRole(entry.build()) : entry.build();
  }

  @SuppressWarnings("deprecation") // role and reservation are what older frameworks read
  private static Resource withRole(Resource refined) {
    Resource.Builder entry = refined.toBuilder().clearReservations();
    if (refined.getReservationsCount() == 0) {
      return entry.setRole("*").build();
    }
    ReservationInfo reservation = refined.getReservations(refined.getReservationsCount() - 1);
    entry.setRole(reservation.getRole());
    if (reservation.getType() == ReservationInfo.Type.DYNAMIC) {
      entry.setReservation(reservation.toBuilder().clearType().clearRole());
    }
    return entry.build();
  }

  /** As Mesos prints it in its messages: {@code cpus(allocated: *):0.5; mem(allocated: *):64}. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (boolean scalars : new boolean[] {false, true}) {
      amounts.forEach(
          (kind, amount) -> {
            if ((amount instanceof Scalar) == scalars) {
              text.append(text.isEmpty() ? "" : "; ")
                  .append(describeKind(kind))
                  .append(':')
                  .append(amount);
            }
          });
    }
    return text.isEmpty() ? "{}" : text.toString();
  }

  /** One entry as Mesos prints it: {@code cpus:-1}. */
  public static String describe(Resource entry) {
    Resource refined = refined(entry);
    String name = describeKind(refined) + ":";
    return switch (entry.getType()) {
      case SCALAR -> name + print(thousandths(entry.getScalar().getValue()));
      case RANGES ->
          name
              + entry.getRanges().getRangeList().stream()
                  .map(range -> range.getBegin() + "-" + range.getEnd())
                  .collect(Collectors.joining(", ", "[", "]"));
      case SET -> name + "{" + String.join(", ", entry.getSet().getItemList()) + "}";
      case TEXT -> name;
    };
  }

  private static String describeKind(Resource kind) {
    StringBuilder text = new StringBuilder(kind.getName());
    if (kind.hasAllocationInfo()) {
      text.append("(allocated: ").append(kind.getAllocationInfo().getRole()).append(')');
    }
    if (kind.getReservationsCount() > 0) {
      text.append(
          kind.getReservationsList().stream()
              .map(reservation -> "(" + reservation.getType() + "," + reservation.getRole() + ")")
              .collect(Collectors.joining(",", "(reservations: [", "])")));
    }
    return text.toString();
  }

  /** A fixed-point number with as many decimals as it needs. */
  private static String print(long thousandths) {
    return java.math.BigDecimal.valueOf(thousandths, 3).stripTrailingZeros().toPlainString();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof MesosResources resources && amounts.equals(resources.amounts);
  }

  @Override
  public int hashCode() {
    return amounts.hashCode();
  }
}
