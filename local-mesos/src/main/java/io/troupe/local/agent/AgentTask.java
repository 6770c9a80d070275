package io.troupe.local.agent;

import io.troupe.local.master.TaskStates;
import java.util.ArrayList;
import java.util.List;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;

/** A task on an agent. Belongs to the agent's thread. */
public final class AgentTask {

  private final TaskInfo info;
  private TaskState state = TaskState.TASK_STAGING;
  private final List<TaskStatus> statuses = new ArrayList<>();

  AgentTask(TaskInfo info) {
    this.info = info;
  }

  public TaskInfo info() {
    return info;
  }

  String id() {
    return info.getTaskId().getValue();
  }

  public TaskState state() {
    return state;
  }

  /** What was heard of the task; of several in a row with the same state, the last. */
  public List<TaskStatus> statuses() {
    return statuses;
  }

  boolean terminal() {
    return TaskStates.isTerminal(state);
  }

  void updated(TaskStatus status) {
    state = status.getState();
    TaskStatus kept = status.toBuilder().clearData().build();
    if (!statuses.isEmpty() && statuses.get(statuses.size() - 1).getState() == status.getState()) {
      statuses.set(statuses.size() - 1, kept);
    } else {
      statuses.add(kept);
    }
  }
}
