package io.troupe.scheduler.pool;

import io.troupe.scheduler.offers.Offer;
import java.util.List;

/** What comes from the Mesos master, or from the connection to it. */
public sealed interface MasterEvent {

  /** A master can be reached: subscribe. */
  record Connected() implements MasterEvent {}

  /** The connection is lost, and with it every offer; another one is being sought. */
  record Disconnected() implements MasterEvent {}

  /**
   * The framework is subscribed.
   *
   * @param master {@code host:port} of the leading master
   */
  record Subscribed(String frameworkId, String master) implements MasterEvent {}

  /** Offers, one for each agent and role. */
  record Offered(List<Offer> offers) implements MasterEvent {
    public Offered {
      offers = List.copyOf(offers);
    }
  }

  /** The offer is not valid any more. */
  record Rescinded(String offerId) implements MasterEvent {}

  /** A task's state. */
  record Updated(TaskUpdate update) implements MasterEvent {}

  /**
   * An executor ended.
   *
   * @param status as wait(2) gives it; -1 when unknown
   */
  record ExecutorExited(String agentId, String executorId, int status) implements MasterEvent {}

  /** The master has given the agent up. */
  record AgentRemoved(String agentId) implements MasterEvent {}

  /** The master refuses this framework; in its own words. */
  record Failed(String message) implements MasterEvent {}
}
