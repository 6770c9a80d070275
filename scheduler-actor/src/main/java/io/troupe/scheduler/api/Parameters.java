package io.troupe.scheduler.api;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/** The query parameters of a request; each method refuses what it cannot read. */
final class Parameters {
  private static final int DURATIONS_KEPT = 256;

  /** Durations as they are written: to read one takes longer than all else of a submission. */
  private static final Map<String, Duration> DURATIONS = new ConcurrentHashMap<>();

  private final Map<String, String> values;

  private Parameters(Map<String, String> values) {
    this.values = values;
  }

  /** These, of which only the known ones may be there: a misspelt one must not be ignored. */
  static Parameters of(Map<String, String> values, Set<String> known) {
    for (String name : values.keySet()) {
      if (!known.contains(name)) {
        throw new ApiException(
            ApiError.of(
                400,
                "UNKNOWN_PARAMETER",
                "There is no parameter "
                    + ApiError.quoted(name)
                    + " here; there "
                    + (known.isEmpty() ? "are none" : "are " + new TreeSet<>(known))));
      }
    }
    return new Parameters(values);
  }

  Optional<String> text(String name) {
    return Optional.ofNullable(values.get(name)).filter(value -> !value.isEmpty());
  }

  String required(String name, String example) {
    return text(name)
        .orElseThrow(
            () ->
                new ApiException(
                    ApiError.of(
                        400,
                        "MISSING_PARAMETER",
                        "Parameter " + name + " is missing, for example " + example)));
  }

  int integer(String name, int least, int most, int otherwise) {
    Optional<String> value = text(name);
    if (value.isEmpty()) {
      return otherwise;
    }
    try {
      int number = Integer.parseInt(value.get());
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // told below, like a number out of bounds
    }
    throw new ApiException(
        ApiError.badParameter(
            name,
            ApiError.quoted(value.get())
                + " is not a whole number between "
                + least
                + " and "
                + most));
  }

  Duration duration(String name, Duration most, Duration otherwise) {
    Optional<String> value = text(name);
    if (value.isEmpty()) {
      return otherwise;
    }
    try {
      if (!Character.isDigit(value.get().charAt(value.get().length() - 1))) {
        Duration duration = duration(value.get());
        if (!duration.isNegative() && duration.compareTo(most) <= 0) {
          return duration;
        }
      }
    } catch (ConfigException e) {
      // told below, like a duration out of bounds
    }
    throw new ApiException(
        ApiError.badParameter(
            name,
            ApiError.quoted(value.get())
                + " is not a duration with a unit, such as 500ms, 30s or 5m, of at most "
                + most.toSeconds()
                + "s"));
  }

  private static Duration duration(String text) {
    Duration known = DURATIONS.get(text);
    if (known != null) {
      return known;
    }
    Duration read = ConfigFactory.parseMap(Map.of("value", text)).getDuration("value");
    if (DURATIONS.size() < DURATIONS_KEPT) {
      DURATIONS.put(text, read);
    }
    return read;
  }
}
