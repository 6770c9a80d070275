package io.troupe.executor.mesos;

import io.troupe.executor.supervision.Executor;
import java.time.Duration;
import java.util.Optional;

/** Hears what the agent wants. Called by the connection's own thread, in order. */
public interface AgentListener {

  /** The agent has taken this executor; again after each reconnection. */
  void subscribed(Executor executor);

  /** A task is to be run. */
  void launch(String task, byte[] data);

  /**
   * A task is to be ended.
   *
   * @param grace as the KILL says it; empty when it does not
   */
  void kill(String task, Optional<Duration> grace);

  /** A message of the framework. */
  void message(byte[] data);

  /** All is to end within the grace that the agent gives; also when the agent is lost. */
  void shutdown(String why);
}
