package io.troupe.executor.mesos;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * What the agent tells an executor by its environment.
 *
 * @param frameworkId MESOS_FRAMEWORK_ID
 * @param executorId MESOS_EXECUTOR_ID
 * @param agent where the executor API is
 * @param agentHost the agent's address
 * @param sandbox MESOS_SANDBOX, else MESOS_DIRECTORY, else the working directory
 * @param checkpoint whether the executor outlives a restart of its agent
 * @param recoveryTimeout how long it waits for its agent to come back
 * @param backoffMax the longest pause between two tries to subscribe
 * @param shutdownGrace from SHUTDOWN to SIGKILL
 * @param token for the Authorization header, where agents ask for one
 */
public record MesosEnvironment(
    String frameworkId,
    String executorId,
    URI agent,
    String agentHost,
    Path sandbox,
    boolean checkpoint,
    Duration recoveryTimeout,
    Duration backoffMax,
    Duration shutdownGrace,
    Optional<String> token) {

  private static final String DEFAULT_RECOVERY_TIMEOUT = "15mins";
  private static final String DEFAULT_BACKOFF_MAX = "2secs";
  private static final String DEFAULT_GRACE = "5secs";

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException when something is missing or wrong; the message is one line
   *     for people
   */
  public static MesosEnvironment from(Map<String, String> variables) {
    String endpoint = required(variables, "MESOS_AGENT_ENDPOINT");
    int colon = endpoint.lastIndexOf(':');
    if (colon <= 0) {
      throw new IllegalArgumentException(
          "MESOS_AGENT_ENDPOINT must be ip:port, but is '" + endpoint + "'");
    }
    String checkpoint = variables.getOrDefault("MESOS_CHECKPOINT", "0");
    return new MesosEnvironment(
        required(variables, "MESOS_FRAMEWORK_ID"),
        required(variables, "MESOS_EXECUTOR_ID"),
        URI.create("http://" + endpoint + "/api/v1/executor"),
        endpoint.substring(0, colon),
        Path.of(
            variables.getOrDefault("MESOS_SANDBOX", variables.getOrDefault("MESOS_DIRECTORY", ""))),
        checkpoint.equals("1") || checkpoint.equals("true"),
        duration(variables, "MESOS_RECOVERY_TIMEOUT", DEFAULT_RECOVERY_TIMEOUT),
        duration(variables, "MESOS_SUBSCRIPTION_BACKOFF_MAX", DEFAULT_BACKOFF_MAX),
        duration(variables, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", DEFAULT_GRACE),
        Optional.ofNullable(variables.get("MESOS_EXECUTOR_AUTHENTICATION_TOKEN")));
  }

  private static String required(Map<String, String> variables, String name) {
    String value = variables.get(name);
    if (value == null || value.isEmpty()) {
      throw new IllegalArgumentException(
          name + " is not set: this program is started by a Mesos agent, not by hand");
    }
    return value;
  }

  private static Duration duration(Map<String, String> variables, String name, String standard) {
    try {
      return MesosDuration.parse(variables.getOrDefault(name, standard));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(name + ": " + e.getMessage(), e);
    }
  }
}
