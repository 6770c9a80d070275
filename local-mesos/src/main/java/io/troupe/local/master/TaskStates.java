package io.troupe.local.master;

import org.apache.mesos.v1.Protos.TaskState;

/** Which states of a task are its last. Pure. */
public final class TaskStates {

  private TaskStates() {}

  /** Whether nothing more is to be expected of a task in the state. */
  public static boolean isTerminal(TaskState state) {
    return switch (state) {
      case TASK_FINISHED,
          TASK_FAILED,
          TASK_KILLED,
          TASK_ERROR,
          TASK_LOST,
          TASK_DROPPED,
          TASK_GONE,
          TASK_GONE_BY_OPERATOR ->
          true;
      case TASK_STAGING,
          TASK_STARTING,
          TASK_RUNNING,
          TASK_KILLING,
          TASK_UNREACHABLE,
          TASK_UNKNOWN ->
          false;
    };
  }
}
