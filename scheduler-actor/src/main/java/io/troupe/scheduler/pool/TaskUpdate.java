package io.troupe.scheduler.pool;

import io.troupe.model.Cause;
import java.util.Optional;

/**
 * What the master says of a task.
 *
 * @param agentId empty when the master does not know
 * @param reason Mesos' name for the reason, such as {@code REASON_EXECUTOR_TERMINATED}; empty when
 *     there is none
 * @param message for people; empty when there is none
 * @param cause what the executor says of the end of its process; empty when it says nothing
 * @param receipt to be acknowledged once this is stored; empty when no acknowledgement is wanted
 */
public record TaskUpdate(
    String taskId,
    String agentId,
    TaskState state,
    String reason,
    String message,
    Optional<Cause> cause,
    Optional<Receipt> receipt) {

  /** What an acknowledgement must quote; opaque. */
  public record Receipt(String taskId, String agentId, String uuid) {}
}
