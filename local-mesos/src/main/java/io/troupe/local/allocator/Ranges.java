package io.troupe.local.allocator;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A set of whole numbers kept as inclusive intervals, sorted, apart from each other and merged
 * where they touch. Immutable.
 */
record Ranges(List<Interval> intervals) {

  /** The numbers from {@code begin} to {@code end}, both of them in it. */
  record Interval(long begin, long end) {}

  static final Ranges NONE = new Ranges(List.of());

  Ranges {
    intervals = List.copyOf(intervals);
  }

  /** The union of the intervals, in whatever order and overlap they come. */
  static Ranges of(List<Interval> unordered) {
    List<Interval> sorted = new ArrayList<>(unordered);
    sorted.sort(Comparator.comparingLong(Interval::begin));
    List<Interval> merged = new ArrayList<>();
    for (Interval next : sorted) {
      Interval last = merged.isEmpty() ? null : merged.get(merged.size() - 1);
      if (last != null && next.begin() <= last.end() + 1) {
        merged.set(merged.size() - 1, new Interval(last.begin(), Math.max(last.end(), next.end())));
      } else {
        merged.add(next);
      }
    }
    return new Ranges(merged);
  }

  boolean isEmpty() {
    return intervals.isEmpty();
  }

  Ranges plus(Ranges other) {
    List<Interval> all = new ArrayList<>(intervals);
    all.addAll(other.intervals);
    return of(all);
  }

  Ranges minus(Ranges other) {
    List<Interval> left = intervals;
    for (Interval taken : other.intervals) {
      left = without(left, taken);
    }
    return new Ranges(left);
  }

  private static List<Interval> without(List<Interval> from, Interval taken) {
    List<Interval> left = new ArrayList<>();
    for (Interval interval : from) {
      if (taken.end() < interval.begin() || taken.begin() > interval.end()) {
        left.add(interval);
        continue;
      }
      if (interval.begin() < taken.begin()) {
        left.add(new Interval(interval.begin(), taken.begin() - 1));
      }
      if (taken.end() < interval.end()) {
        left.add(new Interval(taken.end() + 1, interval.end()));
      }
    }
    return left;
  }

  boolean contains(Ranges other) {
    return other.intervals.stream()
        .allMatch(
            wanted ->
                intervals.stream()
                    .anyMatch(own -> own.begin() <= wanted.begin() && wanted.end() <= own.end()));
  }

  /** As Mesos prints it: {@code [31000-31005, 31007-32000]}. */
  @Override
  public String toString() {
    return intervals.stream()
        .map(interval -> interval.begin() + "-" + interval.end())
        .collect(Collectors.joining(", ", "[", "]"));
  }
}
