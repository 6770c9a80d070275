package io.troupe.scheduler.pool;

import io.troupe.model.Cause;
import io.troupe.model.Cause.Kind;
import io.troupe.scheduler.pool.WorkerRecord.Phase;

/**
 * Why a worker ended, and whether its pool should wait before it tries again.
 *
 * @param counts whether the pool is to blame; an agent that is lost, an offer that is stale and an
 *     executor that ended before it got the task say nothing about the pool
 */
record Verdict(Cause cause, boolean counts) {

  /** Judges the last update of a worker that was in this phase. */
  static Verdict of(TaskUpdate update, Phase phase) {
    if (phase == Phase.STOPPING) {
      return new Verdict(update.cause().orElse(Cause.of(Kind.DRAINED, text(update))), false);
    }
    if (phase == Phase.UNREACHABLE) {
      return new Verdict(Cause.of(Kind.AGENT_LOST, text(update)), false);
    }
    return switch (update.state()) {
      case FINISHED, FAILED -> new Verdict(failed(update), true);
      case KILLED -> new Verdict(update.cause().orElse(Cause.of(Kind.KILLED, text(update))), true);
      case ERROR -> new Verdict(Cause.of(Kind.INTERNAL, text(update)), true);
      case LOST, GONE_BY_OPERATOR -> new Verdict(Cause.of(Kind.AGENT_LOST, text(update)), false);
      case DROPPED, GONE -> notStarted(update);
      case STAGING, STARTING, RUNNING, KILLING, UNREACHABLE, UNKNOWN ->
          new Verdict(Cause.of(Kind.INTERNAL, text(update)), false);
    };
  }

  /** Whether the agent has dropped it because the executor it was for takes no tasks any more. */
  static boolean executorEnds(TaskUpdate update) {
    return update.state() == TaskState.DROPPED
        && update.reason().equals("REASON_EXECUTOR_TERMINATED");
  }

  private static Verdict notStarted(TaskUpdate update) {
    return switch (update.reason()) {
      case "REASON_CONTAINER_UPDATE_FAILED", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT" ->
          new Verdict(Cause.of(Kind.INTERNAL, text(update)), true);
      case "REASON_AGENT_REMOVED", "REASON_AGENT_DISCONNECTED", "REASON_AGENT_RESTARTED" ->
          new Verdict(Cause.of(Kind.AGENT_LOST, text(update)), false);
      default -> new Verdict(Cause.of(Kind.INTERNAL, text(update)), false);
    };
  }

  private static Cause failed(TaskUpdate update) {
    Kind kind =
        switch (update.reason()) {
          case "REASON_CONTAINER_LIMITATION_MEMORY" -> Kind.OOM;
          case "REASON_MAX_COMPLETION_TIME_REACHED" -> Kind.TIMEOUT;
          case "REASON_EXECUTOR_TERMINATED",
              "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
              "REASON_CONTAINER_LAUNCH_FAILED" ->
              Kind.INTERNAL;
          default -> Kind.USER;
        };
    return update.cause().orElse(Cause.of(kind, text(update)));
  }

  /** The first line: a master that refuses one description for another adds both. */
  private static String text(TaskUpdate update) {
    return update
        .message()
        .lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .findFirst()
        .orElseGet(
            () ->
                "TASK_"
                    + update.state()
                    + (update.reason().isEmpty() ? "" : " (" + update.reason() + ")"));
  }
}
