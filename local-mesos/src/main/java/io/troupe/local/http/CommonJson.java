package io.troupe.local.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Message;
import io.troupe.local.allocator.MesosResources;
import io.troupe.mesos.MesosJson;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.mesos.v1.Protos.Attribute;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.Label;
import org.apache.mesos.v1.Protos.Labels;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;

/** Pieces that the JSON of master and agent have in common. Pure. */
final class CommonJson {

  static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final ObjectMapper MAPPER = new ObjectMapper();
  static final String VERSION = "1.11.0";
  private static final double BUILT = 1_795_392_000.0;

  static final List<String> AGENT_CAPABILITIES =
      List.of(
          "MULTI_ROLE",
          "HIERARCHICAL_ROLE",
          "RESERVATION_REFINEMENT",
          "RESOURCE_PROVIDER",
          "RESIZE_VOLUME",
          "AGENT_OPERATION_FEEDBACK",
          "AGENT_DRAINING",
          "TASK_RESOURCE_LIMITS");

  private CommonJson() {}

  static byte[] bytes(JsonNode node) {
    try {
      return MAPPER.writeValueAsBytes(node);
    } catch (IOException e) {
      throw new UncheckedIOException("Writing to memory", e);
    }
  }

  static JsonNode node(Message message) {
    try {
      return MAPPER.readTree(MesosJson.write(message));
    } catch (IOException e) {
      throw new UncheckedIOException("Reading from memory", e);
    }
  }

  static double seconds(Instant time) {
    return time.getEpochSecond() + time.getNano() / 1e9;
  }

  /** What {@code /version} says; clients take the version apart into numbers. */
  static ObjectNode version() {
    return NODES
        .objectNode()
        .put("build_date", "2026-11-23 00:00:00 UTC")
        .put("build_time", BUILT)
        .put("build_user", "troupe")
        .put("version", VERSION);
  }

  static ArrayNode strings(Iterable<String> strings) {
    ArrayNode array = NODES.arrayNode();
    strings.forEach(array::add);
    return array;
  }

  static ObjectNode resources(MesosResources resources) {
    Map<String, Long> scalars = resources.scalars();
    ObjectNode object = NODES.objectNode();
    for (String name : List.of("disk", "mem", "gpus", "cpus")) {
      object.put(name, scalars.getOrDefault(name, 0L) / 1000.0);
    }
    scalars.forEach((name, amount) -> object.put(name, amount / 1000.0));
    resources.texts().forEach(object::put);
    return object;
  }

  /** Scalars only, and only those there are. */
  static ObjectNode quantities(MesosResources resources) {
    ObjectNode object = NODES.objectNode();
    resources.scalars().forEach((name, amount) -> object.put(name, amount / 1000.0));
    return object;
  }

  static ArrayNode resourcesFull(MesosResources resources) {
    ArrayNode array = NODES.arrayNode();
    resources.toProtos(MesosResources.Format.ROLE).forEach(entry -> array.add(node(entry)));
    return array;
  }

  static ObjectNode attributes(List<Attribute> attributes) {
    ObjectNode object = NODES.objectNode();
    for (Attribute attribute : attributes) {
      switch (attribute.getType()) {
        case SCALAR -> object.put(attribute.getName(), attribute.getScalar().getValue());
        case TEXT -> object.put(attribute.getName(), attribute.getText().getValue());
        case RANGES ->
            object.put(
                attribute.getName(),
                attribute.getRanges().getRangeList().stream()
                    .map(range -> range.getBegin() + "-" + range.getEnd())
                    .collect(Collectors.joining(", ", "[", "]")));
        case SET ->
            object.put(
                attribute.getName(),
                "{" + String.join(", ", attribute.getSet().getItemList()) + "}");
      }
    }
    return object;
  }

  static void labels(ObjectNode object, Labels labels) {
    if (labels.getLabelsCount() > 0) {
      ArrayNode array = object.putArray("labels");
      for (Label label : labels.getLabelsList()) {
        ObjectNode entry = array.addObject().put("key", label.getKey());
        if (label.hasValue()) {
          entry.put("value", label.getValue());
        }
      }
    }
  }

  static ObjectNode task(
      TaskInfo info,
      String frameworkId,
      String executorId,
      TaskState state,
      List<TaskStatus> statuses) {
    ObjectNode task =
        NODES
            .objectNode()
            .put("id", info.getTaskId().getValue())
            .put("name", info.getName())
            .put("framework_id", frameworkId)
            .put("executor_id", executorId)
            .put("slave_id", info.getAgentId().getValue())
            .put("state", state.name());
    task.set("resources", resources(MesosResources.of(info.getResourcesList())));
    task.put("role", roleOf(info));
    ArrayNode array = task.putArray("statuses");
    for (TaskStatus status : statuses) {
      ObjectNode entry =
          array
              .addObject()
              .put("state", status.getState().name())
              .put("timestamp", status.getTimestamp());
      labels(entry, status.getLabels());
      if (status.hasContainerStatus()) {
        entry.set(
            "container_status",
            node(status.getContainerStatus().toBuilder().clearExecutorPid().build()));
      }
      if (status.hasHealthy()) {
        entry.put("healthy", status.getHealthy());
      }
    }
    labels(task, info.getLabels());
    if (info.hasDiscovery()) {
      task.set("discovery", node(info.getDiscovery()));
    }
    if (info.hasContainer()) {
      task.set("container", node(info.getContainer()));
    }
    if (info.hasHealthCheck()) {
      task.set("health_check", node(info.getHealthCheck()));
    }
    return task;
  }

  private static String roleOf(TaskInfo info) {
    return info.getResourcesCount() == 0 ? "*" : info.getResources(0).getAllocationInfo().getRole();
  }

  static ObjectNode command(CommandInfo command) {
    ObjectNode object = NODES.objectNode();
    if (!command.getShell()) {
      object.put("shell", false);
    }
    if (command.hasValue()) {
      object.put("value", command.getValue());
    }
    object.set("argv", strings(command.getArgumentsList()));
    if (command.hasEnvironment()) {
      object.set("environment", node(command.getEnvironment()));
    }
    ArrayNode uris = object.putArray("uris");
    command
        .getUrisList()
        .forEach(
            uri ->
                uris.addObject()
                    .put("value", uri.getValue())
                    .put("executable", uri.getExecutable()));
    return object;
  }

  @SuppressWarnings("deprecation") // role is what a framework without MULTI_ROLE has
  static void roles(ObjectNode object, FrameworkInfo info) {
    boolean multiRole =
        info.getCapabilitiesList().stream()
            .anyMatch(known -> known.getType() == FrameworkInfo.Capability.Type.MULTI_ROLE);
    if (multiRole) {
      object.set("roles", strings(info.getRolesList()));
    } else {
      object.put("role", info.getRole().isEmpty() ? "*" : info.getRole());
    }
  }

  /** {@code tasks_running} for TASK_RUNNING. */
  static String metricName(TaskState state) {
    return "tasks_" + state.name().substring("TASK_".length()).toLowerCase(Locale.ROOT);
  }
}
