package io.troupe.scheduler.pool;

import io.troupe.model.Cause;
import io.troupe.model.PoolSpec;
import java.util.Map;
import java.util.Optional;

/**
 * What has happened to the framework, its pools, and what Mesos runs for them. Past tense; sent to
 * everyone who {@linkplain SchedulerActor.Subscribe subscribed}, in the order in which it happened.
 * A new subscriber first gets the current state as facts: the framework, then each pool as applied
 * and measured.
 */
public sealed interface PoolFact {

  /** Whether the master talks to this scheduler. */
  enum FrameworkState {
    /** Not subscribed; trying to be. */
    DISCONNECTED,
    /** Subscribed: offers and updates arrive. */
    SUBSCRIBED,
    /** The framework was removed (teardown, or its failover timeout passed): it must start anew. */
    REMOVED,
    /** Another scheduler has taken the framework over; this one has stepped down. */
    FAILED_OVER
  }

  /**
   * The framework is known by this id, at this master, in this state.
   *
   * @param id empty before the first subscription
   * @param master {@code host:port} of the leading master; empty while unknown
   */
  record FrameworkChanged(Optional<String> id, String master, FrameworkState state)
      implements PoolFact {}

  /** The pool exists from now on, or has another spec or size; it is in the store. */
  record PoolApplied(PoolSpec spec) implements PoolFact {}

  /**
   * How far the pool is.
   *
   * @param wanted workers that should run
   * @param running workers whose task Mesos knows to be running
   * @param causes how many workers ended, by {@link Cause.Kind}, since the scheduler started
   */
  record PoolMeasured(String pool, int wanted, int running, Map<String, Integer> causes)
      implements PoolFact {
    public PoolMeasured {
      causes = Map.copyOf(causes);
    }
  }

  /** The pool takes no more jobs; its workers end when they have finished what they have. */
  record PoolDraining(String pool) implements PoolFact {}

  /** The pool is gone from the store; what is left of its workers is being killed. */
  record PoolDeleted(String pool) implements PoolFact {}

  /** A worker's task has been sent to the master. */
  record WorkerLaunched(String pool, String worker, String agentId, String executorId)
      implements PoolFact {}

  /** A worker's process answered its ready check. */
  record WorkerRunning(String pool, String worker, String agentId, String executorId)
      implements PoolFact {}

  /** A worker's task ended, or is lost for good. */
  record WorkerEnded(String pool, String worker, String agentId, String executorId, Cause cause)
      implements PoolFact {}

  /** An executor ended, and all its workers with it. */
  record ExecutorLost(String pool, String agentId, String executorId, Cause cause)
      implements PoolFact {
    /** What its supervisor called itself. */
    public String supervisor() {
      return ExecutorRecord.supervisor(agentId, executorId);
    }
  }

  /** An agent's machine offers resources, and had not before. */
  record AgentFound(String agentId, String hostname) implements PoolFact {}

  /** The master has given an agent up, and all that ran on it. */
  record AgentLost(String agentId, Cause cause) implements PoolFact {}
}
