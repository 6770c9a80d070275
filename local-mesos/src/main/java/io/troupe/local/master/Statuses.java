package io.troupe.local.master;

import java.time.Instant;
import org.apache.mesos.v1.Protos.AgentID;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.Protos.TimeInfo;

/** Updates that the master makes itself; having no uuid, they are not to be acknowledged. Pure. */
final class Statuses {

  private Statuses() {}

  /** Seconds since the epoch, as Mesos writes times. */
  static double seconds(Instant time) {
    return time.getEpochSecond() + time.getNano() / 1e9;
  }

  static TimeInfo timeInfo(Instant time) {
    return TimeInfo.newBuilder()
        .setNanoseconds(time.getEpochSecond() * 1_000_000_000L + time.getNano())
        .build();
  }

  static TaskStatus.Builder of(
      String taskId, TaskState state, TaskStatus.Reason reason, String message, Instant now) {
    return TaskStatus.newBuilder()
        .setTaskId(TaskID.newBuilder().setValue(taskId))
        .setState(state)
        .setSource(TaskStatus.Source.SOURCE_MASTER)
        .setReason(reason)
        .setMessage(message)
        .setTimestamp(seconds(now));
  }

  static TaskStatus.Builder of(
      TaskRecord task, TaskState state, TaskStatus.Reason reason, String message, Instant now) {
    TaskStatus.Builder status =
        of(task.id(), state, reason, message, now)
            .setAgentId(AgentID.newBuilder().setValue(task.agentId()));
    task.executorId().ifPresent(id -> status.setExecutorId(ExecutorID.newBuilder().setValue(id)));
    return status;
  }

  /** The newest status of the task said once more, for a reason of the master's. */
  static TaskStatus again(
      TaskRecord task, TaskState state, TaskStatus.Reason reason, String message, Instant now) {
    TaskStatus.Builder status = of(task, state, reason, message, now);
    task.lastStatus()
        .ifPresent(
            last -> {
              if (last.hasExecutorId()) {
                status.setExecutorId(last.getExecutorId());
              }
              if (last.hasHealthy()) {
                status.setHealthy(last.getHealthy());
              }
              if (last.hasCheckStatus()) {
                status.setCheckStatus(last.getCheckStatus());
              }
              if (last.hasContainerStatus()) {
                status.setContainerStatus(last.getContainerStatus());
              }
            });
    return status.build();
  }
}
