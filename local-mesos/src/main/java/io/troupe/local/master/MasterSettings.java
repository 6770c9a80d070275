package io.troupe.local.master;

import java.time.Duration;

/**
 * How the master behaves; {@link #defaults} are a real Mesos master's values.
 *
 * @param ip address that it listens at and is advertised by
 * @param hostname its name, as told to frameworks
 * @param port where it listens
 * @param allocationInterval pause between two rounds of offers
 * @param heartbeat pause between two HEARTBEAT events of a stream
 * @param agentPingTimeout how long an agent may take to answer a ping
 * @param maxAgentPingTimeouts after so many unanswered pings in a row the agent is unreachable
 */
public record MasterSettings(
    String ip,
    String hostname,
    int port,
    Duration allocationInterval,
    Duration heartbeat,
    Duration agentPingTimeout,
    int maxAgentPingTimeouts) {

  /** A master at the address with the timers of a real one. */
  public static MasterSettings defaults(String ip, String hostname, int port) {
    return new MasterSettings(
        ip,
        hostname,
        port,
        Duration.ofSeconds(1),
        Duration.ofSeconds(15),
        Duration.ofSeconds(15),
        5);
  }
}
