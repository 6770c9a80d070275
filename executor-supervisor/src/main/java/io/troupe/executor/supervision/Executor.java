package io.troupe.executor.supervision;

/**
 * Who this executor is; known once the agent has answered.
 *
 * @param frameworkId Mesos framework
 * @param executorId of this executor
 * @param agentId of its agent
 * @param host name of its machine
 */
public record Executor(String frameworkId, String executorId, String agentId, String host) {

  /** How the cluster knows its supervisor. */
  public String supervisor() {
    return executorId + "@" + agentId;
  }
}
