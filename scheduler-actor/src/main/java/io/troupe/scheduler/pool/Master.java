package io.troupe.scheduler.pool;

import akka.actor.typed.ActorRef;

/** The way to the Mesos master. Thread-safe; never blocks. */
@FunctionalInterface
public interface Master {

  /**
   * Sends the call if the framework is subscribed (or the call is what gets it there), else drops
   * it.
   */
  void call(MasterCall call);

  /** Makes the way, and begins to look for a master at once. */
  @FunctionalInterface
  interface Connector {
    /**
     * Connects.
     *
     * @param events gets all that comes from the master, in order
     */
    Master connect(ActorRef<MasterEvent> events);
  }
}
