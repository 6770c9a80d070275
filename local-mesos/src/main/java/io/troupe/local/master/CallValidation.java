package io.troupe.local.master;

import com.google.protobuf.ByteString;
import java.util.Optional;
import org.apache.mesos.v1.scheduler.Protos.Call;

/** Whether a scheduler's call has the parts it needs; the texts are a Mesos master's. Pure. */
public final class CallValidation {

  private CallValidation() {}

  /** What is wrong with the call; empty when nothing is. */
  public static Optional<String> error(Call call) {
    if (!call.hasType()) {
      return Optional.of("Expecting 'type' to be present");
    }
    if (call.getType() == Call.Type.SUBSCRIBE) {
      return subscribeError(call);
    }
    if (!call.hasFrameworkId()) {
      return Optional.of("Expecting 'framework_id' to be present");
    }
    return switch (call.getType()) {
      case UNKNOWN, SUBSCRIBE, TEARDOWN, REVIVE, SUPPRESS -> Optional.empty();
      case ACCEPT -> missing(call.hasAccept(), "accept");
      case DECLINE -> missing(call.hasDecline(), "decline");
      case ACCEPT_INVERSE_OFFERS -> missing(call.hasAcceptInverseOffers(), "accept_inverse_offers");
      case DECLINE_INVERSE_OFFERS ->
          missing(call.hasDeclineInverseOffers(), "decline_inverse_offers");
      case KILL -> missing(call.hasKill(), "kill");
      case SHUTDOWN -> missing(call.hasShutdown(), "shutdown");
      case ACKNOWLEDGE -> acknowledgeError(call);
      case ACKNOWLEDGE_OPERATION_STATUS -> acknowledgeOperationError(call);
      case RECONCILE -> missing(call.hasReconcile(), "reconcile");
      case RECONCILE_OPERATIONS -> missing(call.hasReconcileOperations(), "reconcile_operations");
      case MESSAGE -> missing(call.hasMessage(), "message");
      case REQUEST -> missing(call.hasRequest(), "request");
      case UPDATE_FRAMEWORK -> updateFrameworkError(call);
    };
  }

  private static Optional<String> missing(boolean present, String field) {
    return present ? Optional.empty() : Optional.of("Expecting '" + field + "' to be present");
  }

  private static Optional<String> subscribeError(Call call) {
    if (!call.hasSubscribe()) {
      return missing(false, "subscribe");
    }
    boolean outer = call.hasFrameworkId();
    boolean inner = call.getSubscribe().getFrameworkInfo().hasId();
    if (outer != inner
        || (outer
            && !call.getFrameworkId().equals(call.getSubscribe().getFrameworkInfo().getId()))) {
      return Optional.of("'framework_id' differs from 'subscribe.framework_info.id'");
    }
    return Optional.empty();
  }

  private static Optional<String> acknowledgeError(Call call) {
    return call.hasAcknowledge()
        ? uuidError(call.getAcknowledge().getUuid())
        : missing(false, "acknowledge");
  }

  private static Optional<String> acknowledgeOperationError(Call call) {
    if (!call.hasAcknowledgeOperationStatus()) {
      return missing(false, "acknowledge_operation_status");
    }
    Optional<String> uuid = uuidError(call.getAcknowledgeOperationStatus().getUuid());
    if (uuid.isPresent()) {
      return uuid;
    }
    return missing(call.getAcknowledgeOperationStatus().hasAgentId(), "agent_id");
  }

  private static Optional<String> updateFrameworkError(Call call) {
    if (!call.hasUpdateFramework()) {
      return missing(false, "update_framework");
    }
    if (!call.getFrameworkId().equals(call.getUpdateFramework().getFrameworkInfo().getId())) {
      return Optional.of("'framework_id' differs from 'update_framework.framework_info.id'");
    }
    return Optional.empty();
  }

  /**
   * What is wrong with the bytes of a UUID: there must be 16 of them, of the RFC's variant and of
   * version 1 to 5.
   */
  public static Optional<String> uuidError(ByteString uuid) {
    boolean valid =
        uuid.size() == 16
            && (uuid.byteAt(8) & 0xc0) == 0x80
            && ((uuid.byteAt(6) >> 4) & 0xf) >= 1
            && ((uuid.byteAt(6) >> 4) & 0xf) <= 5;
    return valid ? Optional.empty() : Optional.of("Not a valid UUID");
  }
}
