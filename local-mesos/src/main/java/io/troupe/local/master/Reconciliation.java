package io.troupe.local.master;

import java.time.Instant;
import java.util.Optional;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.Protos.TaskStatus.Reason;

/** What a framework is told of a task it asks for. Pure. */
final class Reconciliation {

  private Reconciliation() {}

  /** The answer for a task that the framework has. */
  static TaskStatus known(TaskRecord task, Instant now) {
    return Statuses.again(
        task,
        task.toldState(),
        Reason.REASON_RECONCILIATION,
        "Reconciliation: Latest task state",
        now);
  }

  /**
   * The answer for a task that the framework does not have.
   *
   * @param agentId where the framework believes it to be
   * @param registered whether that agent is registered
   * @param unreachableSince when that agent became unreachable
   */
  static TaskStatus unknown(
      String taskId,
      Optional<String> agentId,
      boolean registered,
      Optional<Instant> unreachableSince,
      boolean partitionAware,
      Instant now) {
    TaskState aware;
    String message;
    if (registered) {
      aware = TaskState.TASK_GONE;
      message = "Reconciliation: Task is unknown to the agent";
    } else if (unreachableSince.isPresent()) {
      aware = TaskState.TASK_UNREACHABLE;
      message = "Reconciliation: Task is unreachable";
    } else {
      aware = TaskState.TASK_UNKNOWN;
      message = "Reconciliation: Task is unknown";
    }
    TaskStatus.Builder status =
        Statuses.of(
            taskId,
            partitionAware ? aware : TaskState.TASK_LOST,
            Reason.REASON_RECONCILIATION,
            message,
            now);
    agentId.ifPresent(id -> status.setAgentId(agent(id)));
    if (!registered) {
      unreachableSince.ifPresent(since -> status.setUnreachableTime(Statuses.timeInfo(since)));
    }
    return status.build();
  }

  private static org.apache.mesos.v1.Protos.AgentID agent(String id) {
    return org.apache.mesos.v1.Protos.AgentID.newBuilder().setValue(id).build();
  }
}
