package io.troupe.protocol;

import java.util.List;

/**
 * What a supervisor tells the job queue of its pool, over its job line ({@link
 * io.troupe.protocol.line}). Every message carries its capacity, so that a lost one does no harm.
 */
public sealed interface SupervisorToQueue {

  /** Who is speaking: {@link SupervisorToScheduler#supervisor()}. */
  String supervisor();

  /**
   * How many attempts, those it has included, the supervisor is ready to hold now; 0 while it
   * drains.
   */
  int capacity();

  /** Asks for jobs. */
  record Pull(String supervisor, int capacity) implements SupervisorToQueue {}

  /**
   * Outcomes; kept, and sent again over each new line, until {@link
   * SchedulerToSupervisor.Assign#settledUpTo} covers the sequence number.
   *
   * @param sequence counts up by one from 1 for each new batch
   * @param outcomes in the order in which they came
   */
  record Settle(String supervisor, long sequence, List<Outcome> outcomes, int capacity)
      implements SupervisorToQueue {}

  /**
   * Renews the leases of all attempts that it holds; sent at least three times in a lease.
   *
   * @param held all attempts it has not settled
   * @param running those of them that have started
   */
  record Renew(String supervisor, List<AttemptRef> held, List<AttemptRef> running, int capacity)
      implements SupervisorToQueue {}
}
