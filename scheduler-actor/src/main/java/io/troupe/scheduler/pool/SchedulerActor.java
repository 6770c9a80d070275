package io.troupe.scheduler.pool;

import akka.actor.typed.ActorRef;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import java.util.List;
import java.util.Map;

/**
 * Makes what runs on Mesos equal to what the pools want: subscribes the framework, matches offers,
 * launches, replaces, drains and reconciles workers.
 */
public final class SchedulerActor {

  /** What it can be told. */
  public sealed interface Command {}

  /** Creates the pool, or changes it if it exists; the answer comes after it is in the store. */
  public record ApplyPool(PoolSpec spec, ActorRef<Answer> replyTo) implements Command {}

  /** Gives an existing pool another size. */
  public record ScalePool(String pool, PoolSize size, ActorRef<Answer> replyTo)
      implements Command {}

  /** Lets the pool's workers finish and leave; the pool stays, with no workers, until applied. */
  public record DrainPool(String pool, ActorRef<Answer> replyTo) implements Command {}

  /** Removes the pool and kills its workers. */
  public record DeletePool(String pool, ActorRef<Answer> replyTo) implements Command {}

  /** Asks for all pools, by name. */
  public record ListPools(ActorRef<List<PoolView>> replyTo) implements Command {}

  /** Asks for all agents that offered something or run something of ours. */
  public record ListAgents(ActorRef<List<AgentView>> replyTo) implements Command {}

  /** Asks why the pool is not larger: answered by {@link Explained} or {@link Refused}. */
  public record Explain(String pool, ActorRef<Answer> replyTo) implements Command {}

  /**
   * Removes the framework from Mesos, and with it every task and executor, and forgets all pools.
   */
  public record Teardown(ActorRef<Answer> replyTo) implements Command {}

  /** Wants to hear every {@link PoolFact}, the current state first; until the listener ends. */
  public record Subscribe(ActorRef<PoolFact> listener) implements Command {}

  /** What a pool has to do, for pools whose size follows load; said once a second by its queue. */
  public record PoolLoad(String pool, int queued, int running) implements Command {}

  /**
   * A supervisor has registered in this scheduler's cluster.
   *
   * @param supervisor executor id + "@" + agent id
   * @param address its node in the cluster, as {@code akka://troupe@host:port}
   */
  public record SupervisorUp(
      String supervisor, String pool, String agentId, String executorId, String address)
      implements Command {}

  /** A supervisor that had registered is not in the cluster any more. */
  public record SupervisorDown(String supervisor) implements Command {}

  /** What the API gets to hear. */
  public sealed interface Answer {}

  /** It has been done, and is in the store. */
  public record Done() implements Answer {}

  /** Nothing was changed; the message is one line for people. */
  public record Refused(Reason reason, String message) implements Answer {}

  /** Why the pool is as large as it is; each line stands for itself. */
  public record Explained(PoolView pool, List<String> lines) implements Answer {
    public Explained {
      lines = List.copyOf(lines);
    }
  }

  /** Why something was refused. */
  public enum Reason {
    /** There is no pool of this name. */
    POOL_NOT_FOUND,
    /** The spec asks for what cannot be. */
    INVALID_POOL,
    /** The master does not talk to this scheduler now: try again later. */
    NOT_SUBSCRIBED,
    /** The store did not take it: see the scheduler's log. */
    STORE_UNAVAILABLE
  }

  /**
   * A pool as it is.
   *
   * @param wanted workers that should run
   * @param running workers whose task Mesos knows to be running
   * @param draining whether it was told to drain
   * @param causes how many workers ended, by kind of cause
   * @param waitingBecause one line for each reason why there are fewer workers than wanted; empty
   *     when there are as many as wanted
   */
  public record PoolView(
      PoolSpec spec,
      int wanted,
      int running,
      boolean draining,
      Map<String, Integer> causes,
      List<String> waitingBecause) {
    public PoolView {
      causes = Map.copyOf(causes);
      waitingBecause = List.copyOf(waitingBecause);
    }
  }

  /**
   * An agent as offers and tasks show it.
   *
   * @param lost whether the master has given it up
   * @param workers how many workers run on it, by pool
   */
  public record AgentView(String id, String hostname, boolean lost, Map<String, Integer> workers) {
    public AgentView {
      workers = Map.copyOf(workers);
    }
  }

  private SchedulerActor() {}
}
