package io.troupe.local.agent;

import io.troupe.local.master.CallValidation;
import java.util.Optional;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.executor.Protos.Call;

/** Whether an executor's call has the parts it needs; the texts are a Mesos agent's. Pure. */
public final class ExecutorCallValidation {

  private ExecutorCallValidation() {}

  /** What is wrong with the call; empty when nothing is. */
  public static Optional<String> error(Call call) {
    if (!call.hasType()) {
      return Optional.of("Expecting 'type' to be present");
    }
    if (call.getType() == Call.Type.HEARTBEAT) {
      return Optional.empty();
    }
    if (!call.hasExecutorId()) {
      return Optional.of("Expecting 'executor_id' to be present");
    }
    if (!call.hasFrameworkId()) {
      return Optional.of("Expecting 'framework_id' to be present");
    }
    return switch (call.getType()) {
      case SUBSCRIBE ->
          call.hasSubscribe()
              ? Optional.empty()
              : Optional.of("Expecting 'subscribe' to be present");
      case UPDATE -> updateError(call);
      case MESSAGE ->
          call.hasMessage() ? Optional.empty() : Optional.of("Expecting 'message' to be present");
      case HEARTBEAT, UNKNOWN -> Optional.empty();
    };
  }

  private static Optional<String> updateError(Call call) {
    if (!call.hasUpdate()) {
      return Optional.of("Expecting 'update' to be present");
    }
    TaskStatus status = call.getUpdate().getStatus();
    if (!status.hasUuid()) {
      return Optional.of("Expecting 'uuid' to be present");
    }
    Optional<String> uuid = CallValidation.uuidError(status.getUuid());
    if (uuid.isPresent()) {
      return uuid;
    }
    String executor = call.getExecutorId().getValue();
    if (status.hasExecutorId() && !status.getExecutorId().getValue().equals(executor)) {
      return Optional.of(
          "ExecutorID in Call: "
              + executor
              + " does not match ExecutorID in TaskStatus: "
              + status.getExecutorId().getValue());
    }
    String from = "executor " + executor + " of framework " + call.getFrameworkId().getValue();
    if (status.getSource() != TaskStatus.Source.SOURCE_EXECUTOR) {
      return Optional.of(
          "Received Call from " + from + " with invalid source, expecting 'SOURCE_EXECUTOR'");
    }
    return status.getState() == TaskState.TASK_STAGING
        ? Optional.of("Received TASK_STAGING from " + from + " which is not allowed")
        : Optional.empty();
  }
}
