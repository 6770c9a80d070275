package io.troupe.protocol;

import akka.actor.typed.ActorRef;
import java.util.List;

/** What a supervisor tells the scheduler node about itself, where {@link SchedulerWatch} says. */
public sealed interface SupervisorToScheduler extends WireMessage {

  /** Who is speaking: one executor on one agent. */
  String supervisor();

  /**
   * Says that the supervisor is here and what it holds; answered with {@link
   * SchedulerToSupervisor.Registered} or {@link SchedulerToSupervisor.Refused}. Sent again until
   * answered, so it must be taken more than once.
   *
   * @param supervisor executor id + "@" + agent id
   * @param version {@link WireMessage#VERSION} it speaks
   * @param epoch {@link ClusterInfo#epoch} it joined by
   * @param host name of its machine
   * @param address its node in the cluster
   * @param held attempts it has and has not settled; they stay its own
   * @param workers all its workers
   * @param replyTo where the answers, and later the jobs, go
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
      implements SupervisorToScheduler {}

  /**
   * All its workers as they are now; sent when one changes and at least every two seconds. Late
   * ones (a lower sequence number) are dropped.
   */
  record Report(String supervisor, long sequence, List<WorkerStatus> workers)
      implements SupervisorToScheduler {}
}
