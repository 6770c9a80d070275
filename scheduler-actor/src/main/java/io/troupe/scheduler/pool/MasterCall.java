package io.troupe.scheduler.pool;

import io.troupe.scheduler.offers.Offer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What the scheduler asks of the Mesos master. Nothing tells whether it arrived. */
public sealed interface MasterCall {

  /**
   * Subscribes the framework.
   *
   * @param frameworkId empty for a new framework
   * @param suppressed whether no offers are wanted for now
   */
  record Subscribe(Optional<String> frameworkId, boolean suppressed) implements MasterCall {}

  /**
   * Launches tasks on an offer and declines the rest of it for a while.
   *
   * @param launches one for each task; none declines the whole offer
   */
  record Accept(String offerId, String agentId, List<Launch> launches, Duration refuse)
      implements MasterCall {
    public Accept {
      launches = List.copyOf(launches);
    }
  }

  /**
   * One task.
   *
   * @param resources parts of the offer
   * @param data for the executor
   */
  @SuppressWarnings("ArrayRecordComponent") // written once, read once
  record Launch(
      String taskId,
      List<Offer.Part> resources,
      byte[] data,
      ExecutorPlan plan,
      ExecutorRecord executor) {
    public Launch {
      resources = List.copyOf(resources);
    }
  }

  /** Does not want these offers, nor like ones for a while. */
  record Decline(List<String> offerIds, Duration refuse) implements MasterCall {
    public Decline {
      offerIds = List.copyOf(offerIds);
    }
  }

  /** Wants no offers until revived. */
  record Suppress() implements MasterCall {}

  /** Wants offers, declined ones included. */
  record Revive() implements MasterCall {}

  /**
   * Ends a task.
   *
   * @param grace how long it may take to finish what it does; empty for the executor's default
   */
  record Kill(String taskId, String agentId, Optional<Duration> grace) implements MasterCall {}

  /** Has stored the update. */
  record Acknowledge(TaskUpdate.Receipt receipt) implements MasterCall {}

  /** Asks for the state of these tasks; of all tasks when none is named. */
  record Reconcile(List<TaskOnAgent> tasks) implements MasterCall {
    public Reconcile {
      tasks = List.copyOf(tasks);
    }
  }

  /** A task and where it should be. */
  record TaskOnAgent(String taskId, String agentId) {}

  /** Tells an executor where the scheduler's cluster is. Best effort. */
  @SuppressWarnings("ArrayRecordComponent") // written once, read once
  record Message(String agentId, String executorId, byte[] data) implements MasterCall {}

  /** Ends an executor and all its tasks. Best effort. */
  record Shutdown(String agentId, String executorId) implements MasterCall {}

  /** Removes the framework and all that it runs. */
  record Teardown() implements MasterCall {}

  /** Drops the connection and seeks another one. */
  record Reconnect() implements MasterCall {}

  /** Drops the connection and seeks no other one, until {@link Reconnect}. */
  record Leave() implements MasterCall {}
}
