package io.troupe.model;

/**
 * What one worker, or the executor it runs in, takes of an agent.
 *
 * @param cpus processors, in thousandths when compared (Mesos keeps three decimals)
 * @param memMb memory in MiB
 * @param ports how many ports of the offer
 */
public record Resources(double cpus, double memMb, int ports) {
  public Resources {
    if (!(cpus >= 0) || !(memMb >= 0) || ports < 0) {
      throw new IllegalArgumentException(
          "resources must not be negative: cpus " + cpus + ", mem " + memMb + ", ports " + ports);
    }
  }
}
