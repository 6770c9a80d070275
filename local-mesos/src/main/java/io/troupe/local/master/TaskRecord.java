package io.troupe.local.master;

import com.google.protobuf.ByteString;
import io.troupe.local.allocator.MesosResources;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.jspecify.annotations.Nullable;

/** A task as the master knows it. Belongs to the master's thread. */
public final class TaskRecord {

  private final String frameworkId;
  private final TaskInfo info;
  private TaskState state = TaskState.TASK_STAGING;
  private final List<TaskStatus> statuses = new ArrayList<>();
  private @Nullable TaskState forwardedState;
  private @Nullable ByteString forwardedUuid;

  TaskRecord(String frameworkId, TaskInfo info) {
    this.frameworkId = frameworkId;
    this.info = info;
  }

  public String frameworkId() {
    return frameworkId;
  }

  public TaskInfo info() {
    return info;
  }

  public String id() {
    return info.getTaskId().getValue();
  }

  public String agentId() {
    return info.getAgentId().getValue();
  }

  /** Empty for a command task. */
  public Optional<String> executorId() {
    return info.hasExecutor()
        ? Optional.of(info.getExecutor().getExecutorId().getValue())
        : Optional.empty();
  }

  /** The newest state, which the framework may not have been told yet. */
  public TaskState state() {
    return state;
  }

  /** What was heard of the task; of several in a row with the same state, the last. */
  public List<TaskStatus> statuses() {
    return statuses;
  }

  MesosResources resources() {
    return MesosResources.of(info.getResourcesList());
  }

  /** The state that the framework was told last, or else the newest. */
  TaskState toldState() {
    return forwardedState == null ? state : forwardedState;
  }

  Optional<TaskStatus> lastStatus() {
    return statuses.isEmpty() ? Optional.empty() : Optional.of(statuses.get(statuses.size() - 1));
  }

  boolean terminal() {
    return TaskStates.isTerminal(state);
  }

  /** Takes in an update that the framework was told. */
  void updated(TaskStatus status, TaskState latest) {
    forwardedState = status.getState();
    forwardedUuid = status.hasUuid() ? status.getUuid() : null;
    heard(status, latest);
  }

  /** Takes the update in; a terminal state stays. */
  void heard(TaskStatus status, TaskState latest) {
    if (!terminal()) {
      state = latest;
    }
    TaskStatus kept = status.toBuilder().clearData().build();
    if (!statuses.isEmpty() && statuses.get(statuses.size() - 1).getState() == status.getState()) {
      statuses.set(statuses.size() - 1, kept);
    } else {
      statuses.add(kept);
    }
  }

  /** The state changes without an update from an agent. */
  void become(TaskStatus status) {
    state = status.getState();
    statuses.add(status);
  }

  /** The task is there again as the agent knows it. */
  void recovered(TaskState newest, List<TaskStatus> known) {
    state = newest;
    statuses.addAll(known);
    lastStatus().ifPresent(status -> forwardedState = status.getState());
    lastStatus().filter(TaskStatus::hasUuid).ifPresent(status -> forwardedUuid = status.getUuid());
  }

  /** Whether an update was ever passed on, without which an acknowledgement means nothing. */
  boolean forwarded() {
    return forwardedUuid != null;
  }

  /** Whether the acknowledgement of that update is the end of the task. */
  boolean endedBy(ByteString uuid) {
    return uuid.equals(forwardedUuid)
        && forwardedState != null
        && TaskStates.isTerminal(forwardedState);
  }
}
