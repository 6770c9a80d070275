package io.troupe.scheduler.mesos;

import com.google.protobuf.ByteString;
import io.troupe.model.Cause;
import io.troupe.scheduler.offers.Offer;
import io.troupe.scheduler.pool.MasterEvent;
import io.troupe.scheduler.pool.TaskState;
import io.troupe.scheduler.pool.TaskUpdate;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.mesos.v1.Protos;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.scheduler.Protos.Event;

/** Events of the Mesos v1 API as the scheduler hears them. Pure. */
final class Events {
  private static final Pattern CAUSE =
      Pattern.compile(
          "("
              + Stream.of(Cause.Kind.values()).map(Enum::name).collect(Collectors.joining("|"))
              + "): ([^\\n]*)(.*)",
          Pattern.DOTALL);

  private Events() {}

  /** The event; empty for those that mean nothing to the scheduler. */
  static Optional<MasterEvent> translate(Event event) {
    return switch (event.getType()) {
      case SUBSCRIBED -> Optional.of(subscribed(event.getSubscribed()));
      case OFFERS -> Optional.of(new MasterEvent.Offered(offers(event.getOffers())));
      case RESCIND ->
          Optional.of(new MasterEvent.Rescinded(event.getRescind().getOfferId().getValue()));
      case UPDATE -> Optional.of(new MasterEvent.Updated(update(event.getUpdate().getStatus())));
      case FAILURE -> Optional.of(failure(event.getFailure()));
      case ERROR -> Optional.of(new MasterEvent.Failed(event.getError().getMessage()));
      case UNKNOWN,
          HEARTBEAT,
          MESSAGE,
          INVERSE_OFFERS,
          RESCIND_INVERSE_OFFER,
          UPDATE_OPERATION_STATUS ->
          Optional.empty();
    };
  }

  private static MasterEvent subscribed(Event.Subscribed subscribed) {
    Protos.MasterInfo master = subscribed.getMasterInfo();
    String host = master.hasHostname() ? master.getHostname() : master.getAddress().getIp();
    return new MasterEvent.Subscribed(
        subscribed.getFrameworkId().getValue(), host + ":" + master.getPort());
  }

  private static List<Offer> offers(Event.Offers offers) {
    return offers.getOffersList().stream().map(Events::offer).toList();
  }

  private static Offer offer(Protos.Offer offer) {
    return new Offer(
        offer.getId().getValue(),
        offer.getAgentId().getValue(),
        offer.getHostname(),
        offer.getExecutorIdsList().stream()
            .map(Protos.ExecutorID::getValue)
            .collect(Collectors.toSet()),
        Parts.ofResources(offer.getResourcesList()));
  }

  private static MasterEvent failure(Event.Failure failure) {
    String agentId = failure.getAgentId().getValue();
    return failure.hasExecutorId()
        ? new MasterEvent.ExecutorExited(
            agentId,
            failure.getExecutorId().getValue(),
            failure.hasStatus() ? failure.getStatus() : -1)
        : new MasterEvent.AgentRemoved(agentId);
  }

  private static TaskUpdate update(TaskStatus status) {
    String taskId = status.getTaskId().getValue();
    String agentId = status.getAgentId().getValue();
    return new TaskUpdate(
        taskId,
        agentId,
        state(status.getState()),
        status.hasReason() ? status.getReason().name() : "",
        status.getMessage(),
        cause(status.getMessage()),
        status.hasUuid()
            ? Optional.of(
                new TaskUpdate.Receipt(
                    taskId, agentId, HexFormat.of().formatHex(status.getUuid().toByteArray())))
            : Optional.empty());
  }

  static TaskState state(Protos.TaskState state) {
    return switch (state) {
      case TASK_STAGING -> TaskState.STAGING;
      case TASK_STARTING -> TaskState.STARTING;
      case TASK_RUNNING -> TaskState.RUNNING;
      case TASK_KILLING -> TaskState.KILLING;
      case TASK_FINISHED -> TaskState.FINISHED;
      case TASK_FAILED -> TaskState.FAILED;
      case TASK_KILLED -> TaskState.KILLED;
      case TASK_ERROR -> TaskState.ERROR;
      case TASK_LOST -> TaskState.LOST;
      case TASK_DROPPED -> TaskState.DROPPED;
      case TASK_UNREACHABLE -> TaskState.UNREACHABLE;
      case TASK_GONE -> TaskState.GONE;
      case TASK_GONE_BY_OPERATOR -> TaskState.GONE_BY_OPERATOR;
      case TASK_UNKNOWN -> TaskState.UNKNOWN;
    };
  }

  /**
   * Our executors say the cause in the message: {@code KIND: what happened}, then the last lines of
   * output. Of others' words, and of Mesos' own, nothing is made.
   */
  static Optional<Cause> cause(String message) {
    Matcher matcher = CAUSE.matcher(message);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    List<String> output = matcher.group(3).lines().filter(line -> !line.isBlank()).toList();
    return Optional.of(
        new Cause(
            Cause.Kind.valueOf(matcher.group(1)), matcher.group(2).strip(), null, null, output));
  }

  /** The uuid of a receipt as it goes back to the master. */
  static ByteString uuid(String hex) {
    return ByteString.copyFrom(HexFormat.of().parseHex(hex));
  }
}
