package io.troupe.protocol;

import akka.actor.typed.ActorRef;
import java.util.List;

/** What a supervisor tells the scheduler node about itself, where {@link SchedulerWatch} says. */
public sealed interface SupervisorToScheduler extends WireMessage {

  /** Who is speaking: one executor on one agent. */
  String supervisor();

  /**
   * Says that the supervisor is here and what it holds; answered with {@link
   * SchedulerToSupervisor.Welcome} or {@link SchedulerToSupervisor.Refused}. Sent again until its
   * line is open, so it must be taken more than once.
   *
   * @param supervisor executor id + "@" + agent id
   * @param version {@link WireMessage#VERSION} it speaks
   * @param epoch {@link ClusterInfo#epoch} it joined by
   * @param host name of its machine
   * @param address its node in the cluster
   * @param held attempts it has and has not settled; they stay its own
   * @param workers all its workers
   * @param replyTo where the answers go
   */
  record Register(
      String supervisor,
      int version,
      long epoch,
      String pool,
      String frameworkId,
      String agentId,
      String executorId,
      String host,
      String address,
      List<AttemptRef> held,
      List<WorkerStatus> workers,
      ActorRef<SchedulerToSupervisor> replyTo)
      implements SupervisorToScheduler {

    /** The same, answered to this one. */
    public Register answeredTo(ActorRef<SchedulerToSupervisor> other) {
      return new Register(
          supervisor,
          version,
          epoch,
          pool,
          frameworkId,
          agentId,
          executorId,
          host,
          address,
          held,
          workers,
          other);
    }
  }

  /**
   * All its workers as they are now; sent when one changes and at least every two seconds. Late
   * ones (a lower sequence number) are dropped.
   */
  record Report(String supervisor, long sequence, List<WorkerStatus> workers)
      implements SupervisorToScheduler {}
}
