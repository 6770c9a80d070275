package io.troupe.executor.supervision;

import akka.actor.typed.ActorRef;
import io.troupe.protocol.ClusterInfo;

/** Makes nodes of the scheduler's cluster; each can be thrown away without any worker noticing. */
public interface ClusterLinks {

  /**
   * Joins, in the background.
   *
   * @param info where
   * @param generation stands in all that the new node tells
   * @param supervisor told, as {@link Supervisor.LinkFact}s
   */
  Link open(ClusterInfo info, int generation, ActorRef<Supervisor.Command> supervisor);

  /** One node. */
  interface Link {
    /** Leaves, in the background. */
    void close();
  }
}
