package io.troupe.local.http;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** What can be done to the embedded cluster as a whole while it runs. Safe for several threads. */
public interface Control {

  /**
   * An agent as its operator sees it.
   *
   * @param state {@code registering}, {@code active}, {@code restarting} or {@code lost}
   */
  record AgentView(String id, String hostname, int port, String state) {}

  /** All agents that were ever added, in that order. */
  List<AgentView> agents();

  /**
   * A new agent registers; fails with {@link IllegalArgumentException} when it cannot be.
   *
   * @param cpus how many, or as configured
   * @param memMiB how much, or as configured
   */
  CompletionStage<AgentView> addAgent(Optional<Double> cpus, Optional<Double> memMiB);

  /** The agent's machine is lost; empty when there is no such agent. */
  CompletionStage<Optional<AgentView>> killAgent(String id);

  /** The agent's process crashes and starts again; empty when there is no such agent. */
  CompletionStage<Optional<AgentView>> restartAgent(String id);

  /** Ends everything, then the process. */
  void shutdown();
}
