package io.troupe.local.agent;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.mesos.v1.Protos.Attribute;
import org.apache.mesos.v1.Protos.Resource;

/**
 * How an agent behaves; {@link #defaults} are a real Mesos agent's values.
 *
 * @param ip address that it listens at
 * @param hostname its name, as told to frameworks
 * @param port where it listens
 * @param workDir under which sandboxes are made
 * @param resources what it has to offer
 * @param attributes what it says of itself
 * @param executorEnvironment variables that every executor gets
 * @param registrationTimeout how long an executor may take to subscribe, fetching included
 * @param reregistrationTimeout how long executors may take to come back after the agent did
 * @param recoveryTimeout how long executors should try to come back
 * @param shutdownGrace between telling an executor to end and killing it
 * @param retryFirst pause before an unacknowledged update is sent again; then it doubles
 * @param retryMost the longest such pause
 * @param heartbeat pause between two HEARTBEAT events to an executor
 * @param switchUser whether commands run as the user that the framework names, if this process may
 */
public record AgentSettings(
    String ip,
    String hostname,
    int port,
    Path workDir,
    List<Resource> resources,
    List<Attribute> attributes,
    Map<String, String> executorEnvironment,
    Duration registrationTimeout,
    Duration reregistrationTimeout,
    Duration recoveryTimeout,
    Duration shutdownGrace,
    Duration retryFirst,
    Duration retryMost,
    Duration heartbeat,
    boolean switchUser) {

  /** Built-in command tasks get this long between SIGTERM and SIGKILL unless they say otherwise. */
  static final Duration KILL_GRACE = Duration.ofSeconds(3);

  public AgentSettings {
    resources = List.copyOf(resources);
    attributes = List.copyOf(attributes);
    executorEnvironment = Map.copyOf(executorEnvironment);
  }

  /** An agent at the address with the timers of a real one. */
  public static AgentSettings defaults(
      String ip, String hostname, int port, Path workDir, List<Resource> resources) {
    return new AgentSettings(
        ip,
        hostname,
        port,
        workDir,
        resources,
        List.of(),
        Map.of(),
        Duration.ofMinutes(1),
        Duration.ofSeconds(2),
        Duration.ofMinutes(15),
        Duration.ofSeconds(5),
        Duration.ofSeconds(10),
        Duration.ofMinutes(10),
        Duration.ofMinutes(30),
        true);
  }
}
