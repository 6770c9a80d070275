package io.troupe.scheduler.pool;

import io.troupe.scheduler.pool.WorkerRecord.Phase;
import org.jspecify.annotations.Nullable;

/** What a task's state means for a worker in its phase: one answer for each of both. */
final class TaskTable {

  private TaskTable() {}

  /** What is to be done. */
  enum Reaction {
    /** Nothing has changed. */
    NOTE,
    /** Its process has answered for the first time. */
    RUNS,
    /** It is over. */
    ENDED,
    /** Its agent is out of sight: replace it, and expect it back. */
    OUT_OF_SIGHT,
    /** It was out of sight and is back. */
    BACK,
    /** The master does not know it, yet or any more: ask again, and believe it after a while. */
    DOUBTFUL,
    /** It was told to end and has not heard. */
    KILL_AGAIN,
    /** Nobody here knows it: end it. */
    KILL_STRANGER
  }

  /**
   * The reaction.
   *
   * @param phase null when no such worker is known
   */
  static Reaction of(TaskState state, @Nullable Phase phase) {
    if (phase == null) {
      return stranger(state);
    }
    return switch (phase) {
      case LAUNCHED -> known(state, Reaction.NOTE, Reaction.RUNS);
      case RUNNING -> known(state, Reaction.NOTE, Reaction.NOTE);
      case STOPPING -> known(state, Reaction.KILL_AGAIN, Reaction.KILL_AGAIN);
      case UNREACHABLE -> outOfSight(state);
    };
  }

  private static Reaction stranger(TaskState state) {
    return switch (state) {
      case STAGING, STARTING, RUNNING -> Reaction.KILL_STRANGER;
      case KILLING, UNREACHABLE, UNKNOWN -> Reaction.NOTE;
      case FINISHED, FAILED, KILLED, ERROR, LOST, DROPPED, GONE, GONE_BY_OPERATOR -> Reaction.NOTE;
    };
  }

  private static Reaction known(TaskState state, Reaction onItsWay, Reaction running) {
    return switch (state) {
      case STAGING, STARTING -> onItsWay;
      case RUNNING -> running;
      case KILLING -> Reaction.NOTE;
      case UNREACHABLE -> Reaction.OUT_OF_SIGHT;
      case UNKNOWN -> Reaction.DOUBTFUL;
      case FINISHED, FAILED, KILLED, ERROR, LOST, DROPPED, GONE, GONE_BY_OPERATOR -> Reaction.ENDED;
    };
  }

  private static Reaction outOfSight(TaskState state) {
    return switch (state) {
      case STAGING, STARTING, RUNNING -> Reaction.BACK;
      case KILLING, UNREACHABLE -> Reaction.NOTE;
      case UNKNOWN -> Reaction.ENDED;
      case FINISHED, FAILED, KILLED, ERROR, LOST, DROPPED, GONE, GONE_BY_OPERATOR -> Reaction.ENDED;
    };
  }
}
