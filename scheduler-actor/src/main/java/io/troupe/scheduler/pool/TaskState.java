package io.troupe.scheduler.pool;

/** The states that Mesos gives a task, of frameworks with and without PARTITION_AWARE. */
public enum TaskState {
  STAGING,
  STARTING,
  RUNNING,
  KILLING,
  FINISHED,
  FAILED,
  KILLED,
  ERROR,
  LOST,
  DROPPED,
  UNREACHABLE,
  GONE,
  GONE_BY_OPERATOR,
  UNKNOWN;

  /** Whether the task may still run, or run again; the others are over for good. */
  public boolean mayRun() {
    return switch (this) {
      case STAGING, STARTING, RUNNING, KILLING, UNREACHABLE, UNKNOWN -> true;
      case FINISHED, FAILED, KILLED, ERROR, LOST, DROPPED, GONE, GONE_BY_OPERATOR -> false;
    };
  }
}
