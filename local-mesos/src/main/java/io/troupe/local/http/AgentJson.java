package io.troupe.local.http;

import static io.troupe.local.http.CommonJson.NODES;
import static io.troupe.local.http.CommonJson.resources;
import static io.troupe.local.http.CommonJson.seconds;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.local.agent.AgentFramework;
import io.troupe.local.agent.AgentSettings;
import io.troupe.local.agent.AgentTask;
import io.troupe.local.agent.ExecutorRun;
import io.troupe.local.agent.LocalAgent;
import io.troupe.local.agent.MesosDuration;
import io.troupe.local.allocator.MesosResources;
import java.time.Clock;
import java.util.List;
import org.apache.mesos.v1.Protos.TaskState;

/**
 * What the agent's read-only endpoints say, with the names and types of a real agent's. To be
 * called on the agent's thread.
 */
final class AgentJson {

  private AgentJson() {}

  static ObjectNode state(LocalAgent agent) {
    AgentSettings settings = agent.settings();
    MesosResources total = MesosResources.of(settings.resources());
    MesosResources used = used(agent);
    ObjectNode state = CommonJson.version();
    state
        .put("start_time", seconds(agent.started()))
        .put("id", agent.id().orElse(""))
        .put("pid", "slave(1)@" + settings.ip() + ":" + settings.port())
        .put("hostname", settings.hostname());
    state.set("capabilities", CommonJson.strings(CommonJson.AGENT_CAPABILITIES));
    state.set("resources", resources(total));
    ObjectNode reserved = state.putObject("reserved_resources");
    total.reserved().forEach((role, sum) -> reserved.set(role, resources(sum)));
    state.set("unreserved_resources", resources(total.unreserved()));
    ObjectNode reservedFull = state.putObject("reserved_resources_full");
    total.reserved().forEach((role, sum) -> reservedFull.set(role, CommonJson.resourcesFull(sum)));
    state.set("unreserved_resources_full", CommonJson.resourcesFull(total.unreserved()));
    state.putObject("reserved_resources_allocated");
    state.set("unreserved_resources_allocated", resources(used));
    state.putArray("resource_providers");
    state.set("attributes", CommonJson.attributes(settings.attributes()));
    state.put("master_hostname", settings.hostname());
    state.set("flags", flags(agent));
    ArrayNode frameworks = state.putArray("frameworks");
    agent.frameworks().forEach(framework -> frameworks.add(framework(framework)));
    ArrayNode completed = state.putArray("completed_frameworks");
    agent.completedFrameworks().forEach(framework -> completed.add(framework(framework)));
    return state;
  }

  static ObjectNode flags(LocalAgent agent) {
    AgentSettings settings = agent.settings();
    return NODES
        .objectNode()
        .put("executor_registration_timeout", MesosDuration.print(settings.registrationTimeout()))
        .put(
            "executor_reregistration_timeout",
            MesosDuration.print(settings.reregistrationTimeout()))
        .put("executor_shutdown_grace_period", MesosDuration.print(settings.shutdownGrace()))
        .put("hostname", settings.hostname())
        .put("ip", settings.ip())
        .put("isolation", "posix/cpu,posix/mem")
        .put("launcher", "posix")
        .put("port", Integer.toString(settings.port()))
        .put("recovery_timeout", MesosDuration.print(settings.recoveryTimeout()))
        .put("switch_user", Boolean.toString(settings.switchUser()))
        .put("work_dir", settings.workDir().toString());
  }

  private static MesosResources used(LocalAgent agent) {
    MesosResources used = MesosResources.NONE;
    for (AgentFramework framework : agent.frameworks()) {
      for (ExecutorRun executor : framework.executors()) {
        used = used.plus(executor.resources().unallocated());
      }
    }
    return used;
  }

  private static ObjectNode framework(AgentFramework framework) {
    ObjectNode object =
        NODES
            .objectNode()
            .put("id", framework.info().getId().getValue())
            .put("name", framework.info().getName())
            .put("user", framework.info().getUser())
            .put("failover_timeout", framework.info().getFailoverTimeout())
            .put("checkpoint", framework.info().getCheckpoint())
            .put("hostname", framework.info().getHostname());
    if (framework.info().hasPrincipal()) {
      object.put("principal", framework.info().getPrincipal());
    }
    CommonJson.roles(object, framework.info());
    ArrayNode executors = object.putArray("executors");
    framework.executors().forEach(executor -> executors.add(executor(executor)));
    ArrayNode completed = object.putArray("completed_executors");
    framework.completedExecutors().forEach(executor -> completed.add(executor(executor)));
    return object;
  }

  @SuppressWarnings("deprecation") // source is still shown by Mesos
  private static ObjectNode executor(ExecutorRun executor) {
    ObjectNode object =
        NODES
            .objectNode()
            .put("id", executor.id())
            .put("name", executor.info().getName())
            .put("source", executor.info().getSource())
            .put("container", executor.containerId())
            .put("directory", executor.sandbox().toString());
    object.set("resources", resources(executor.resources()));
    object.put(
        "role",
        executor.info().getResourcesCount() == 0
            ? "*"
            : executor.info().getResources(0).getAllocationInfo().getRole());
    CommonJson.labels(object, executor.info().getLabels());
    if (executor.info().hasType()) {
      object.put("type", executor.info().getType().name());
    }
    ArrayNode tasks = object.putArray("tasks");
    executor.launchedTasks().forEach(task -> tasks.add(task(executor, task)));
    ArrayNode queued = object.putArray("queued_tasks");
    executor
        .queuedTasks()
        .forEach(
            info ->
                queued.add(
                    CommonJson.task(
                        info,
                        executor.frameworkId(),
                        executor.command() ? "" : executor.id(),
                        TaskState.TASK_STAGING,
                        List.of())));
    ArrayNode completed = object.putArray("completed_tasks");
    executor.endedTasks().forEach(task -> completed.add(task(executor, task)));
    return object;
  }

  private static ObjectNode task(ExecutorRun executor, AgentTask task) {
    return CommonJson.task(
        task.info(),
        executor.frameworkId(),
        executor.command() ? "" : executor.id(),
        task.state(),
        task.statuses());
  }

  /** {@code /containers} and {@code /monitor/statistics}. */
  static ArrayNode containers(LocalAgent agent, boolean withIds) {
    ArrayNode array = NODES.arrayNode();
    for (AgentFramework framework : agent.frameworks()) {
      for (ExecutorRun executor : framework.executors()) {
        if (executor.state() != ExecutorRun.State.TERMINATED) {
          array.add(container(executor, withIds));
        }
      }
    }
    return array;
  }

  @SuppressWarnings("deprecation") // source is still shown by Mesos
  private static ObjectNode container(ExecutorRun executor, boolean withIds) {
    ObjectNode object = NODES.objectNode();
    if (withIds) {
      object.put("container_id", executor.containerId());
    }
    object
        .put("executor_id", executor.id())
        .put("executor_name", executor.info().getName())
        .put("framework_id", executor.frameworkId())
        .put("source", executor.info().getSource());
    double mem = executor.resources().scalar("mem") * (1 << 20);
    object
        .putObject("statistics")
        .put("cpus_soft_limit", executor.resources().scalar("cpus"))
        .put("mem_limit_bytes", (long) mem)
        .put("mem_soft_limit_bytes", (long) mem)
        .put("timestamp", Clock.systemUTC().millis() / 1000.0);
    if (withIds) {
      ObjectNode status = object.putObject("status");
      status.putObject("container_id").put("value", executor.containerId());
      executor.pid().ifPresent(pid -> status.put("executor_pid", pid));
    }
    return object;
  }

  static ObjectNode metrics(LocalAgent agent) {
    ObjectNode metrics = NODES.objectNode();
    metrics
        .put("slave/registered", agent.id().isPresent() ? 1.0 : 0.0)
        .put(
            "slave/uptime_secs",
            (Clock.systemUTC().millis() - agent.started().toEpochMilli()) / 1000.0)
        .put("slave/frameworks_active", (double) agent.frameworks().size())
        .put("slave/recovery_errors", 0.0);
    for (ExecutorRun.State state : ExecutorRun.State.values()) {
      metrics.put(
          "slave/executors_" + state.name().toLowerCase(java.util.Locale.ROOT),
          (double)
              agent.frameworks().stream()
                  .flatMap(framework -> framework.executors().stream())
                  .filter(executor -> executor.state() == state)
                  .count());
    }
    for (TaskState state :
        List.of(
            TaskState.TASK_STAGING,
            TaskState.TASK_STARTING,
            TaskState.TASK_RUNNING,
            TaskState.TASK_KILLING)) {
      metrics.put(
          "slave/" + CommonJson.metricName(state),
          (double)
              agent.frameworks().stream()
                  .flatMap(framework -> framework.executors().stream())
                  .flatMap(executor -> executor.launchedTasks().stream())
                  .filter(task -> task.state() == state)
                  .count());
    }
    HostMetrics.putResources(
        metrics, "slave", MesosResources.of(agent.settings().resources()), used(agent));
    HostMetrics.putSystem(metrics);
    return metrics;
  }
}
