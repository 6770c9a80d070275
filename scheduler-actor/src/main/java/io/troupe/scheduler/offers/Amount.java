package io.troupe.scheduler.offers;

import io.troupe.model.Resources;

/**
 * An amount of what Mesos accounts, in thousandths as Mesos keeps it, so that sums come out exact.
 *
 * @param cpuMillis thousandths of a processor
 * @param memMillis thousandths of a MiB
 * @param ports how many
 */
public record Amount(long cpuMillis, long memMillis, int ports) {

  /** Nothing. */
  public static final Amount NONE = new Amount(0, 0, 0);

  /** Rounded to the nearest thousandth, as Mesos does. */
  public static Amount of(Resources resources) {
    return new Amount(
        Math.round(resources.cpus() * 1000),
        Math.round(resources.memMb() * 1000),
        resources.ports());
  }

  /** The sum of both. */
  public Amount plus(Amount other) {
    return new Amount(
        cpuMillis + other.cpuMillis, memMillis + other.memMillis, ports + other.ports);
  }

  /** Whether all of the other is in this. */
  public boolean covers(Amount other) {
    return cpuMillis >= other.cpuMillis && memMillis >= other.memMillis && ports >= other.ports;
  }

  @Override
  public String toString() {
    String text = decimal(cpuMillis) + " cpus, " + decimal(memMillis) + " MiB";
    return ports == 0 ? text : text + ", " + ports + (ports == 1 ? " port" : " ports");
  }

  private static String decimal(long millis) {
    return java.math.BigDecimal.valueOf(millis, 3).stripTrailingZeros().toPlainString();
  }
}
