package io.troupe.local;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/**
 * What the command line says of the embedded cluster.
 *
 * @param ip where master and agents listen
 * @param hostname by which they are known
 * @param port the master's; 0 for any that is free
 * @param firstAgentPort agents get this one or the next that is free; 0 for any
 * @param agents how many there are at first
 * @param cpus of each agent
 * @param memMiB of each agent
 * @param diskMiB of each agent
 * @param ports range of each agent's offered ports; empty gives each a range of its own
 * @param attributes of each agent
 * @param workDir for everything that is written
 * @param agentPingTimeout pause between two pings of an agent
 * @param maxAgentPingTimeouts unanswered pings until an agent is unreachable
 * @param registrationTimeout for executors
 * @param shutdownGrace for executors
 * @param retryFirst before an update that is not acknowledged is sent again
 * @param restartPause how long a restarted agent is away
 * @param executorEnvironment variables of every executor
 * @param switchUser whether commands run as the user that the framework names
 */
record LocalSettings(
    String ip,
    String hostname,
    int port,
    int firstAgentPort,
    int agents,
    double cpus,
    double memMiB,
    double diskMiB,
    String ports,
    String attributes,
    Path workDir,
    Duration agentPingTimeout,
    int maxAgentPingTimeouts,
    Duration registrationTimeout,
    Duration shutdownGrace,
    Duration retryFirst,
    Duration restartPause,
    Map<String, String> executorEnvironment,
    boolean switchUser) {

  LocalSettings {
    executorEnvironment = Map.copyOf(executorEnvironment);
    workDir = workDir.toAbsolutePath().normalize();
  }
}
