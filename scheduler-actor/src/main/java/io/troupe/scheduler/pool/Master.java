package io.troupe.scheduler.pool;

/**
 * The way to the Mesos master. Its {@link MasterEvent}s arrive at the {@link SchedulerActor}.
 * Thread-safe; never blocks.
 */
@FunctionalInterface
public interface Master {

  /**
   * Sends the call if the framework is subscribed (or the call is what gets it there), else drops
   * it.
   */
  void call(MasterCall call);
}
