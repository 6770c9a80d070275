package io.troupe.executor.mesos;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations as Mesos writes them: {@code 5secs}, {@code 1.5mins}. */
final class MesosDuration {
  private static final Pattern FORM = Pattern.compile("([0-9.]+) *([a-z]+)");
  private static final Map<String, Duration> UNITS =
      Map.of(
          "ns", Duration.ofNanos(1),
          "us", Duration.ofNanos(1000),
          "ms", Duration.ofMillis(1),
          "secs", Duration.ofSeconds(1),
          "mins", Duration.ofMinutes(1),
          "hrs", Duration.ofHours(1),
          "days", Duration.ofDays(1),
          "weeks", Duration.ofDays(7));

  private MesosDuration() {}

  /**
   * The duration.
   *
   * @throws IllegalArgumentException when the text is not one; the message names it
   */
  static Duration parse(String text) {
    Matcher form = FORM.matcher(text.trim());
    if (!form.matches() || !UNITS.containsKey(form.group(2))) {
      throw new IllegalArgumentException("'" + text + "' is not a Mesos duration such as 5secs");
    }
    try {
      BigDecimal nanos =
          new BigDecimal(form.group(1))
              .multiply(BigDecimal.valueOf(UNITS.get(form.group(2)).toNanos()));
      return Duration.ofNanos(nanos.longValue());
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("'" + text + "' is not a Mesos duration such as 5secs", e);
    }
  }
}
