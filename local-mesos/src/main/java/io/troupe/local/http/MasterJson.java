package io.troupe.local.http;

import static io.troupe.local.http.CommonJson.NODES;
import static io.troupe.local.http.CommonJson.resources;
import static io.troupe.local.http.CommonJson.seconds;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.local.agent.MesosDuration;
import io.troupe.local.allocator.MesosResources;
import io.troupe.local.master.Agent;
import io.troupe.local.master.Framework;
import io.troupe.local.master.Master;
import io.troupe.local.master.Offer;
import io.troupe.local.master.TaskRecord;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.TaskState;

/**
 * What the master's read-only endpoints say, with the names and types of a real master's. To be
 * called on the master's thread.
 */
final class MasterJson {

  private MasterJson() {}

  static ObjectNode state(Master master) {
    ObjectNode state = CommonJson.version();
    String pid = master.info().getPid();
    state
        .put("start_time", seconds(master.started()))
        .put("elected_time", seconds(master.started()))
        .put("id", master.id())
        .put("pid", pid)
        .put("hostname", master.settings().hostname());
    state.set("capabilities", CommonJson.strings(List.of("AGENT_UPDATE", "AGENT_DRAINING")));
    long active = master.agents().stream().filter(Agent::connected).count();
    state
        .put("activated_slaves", (double) active)
        .put("deactivated_slaves", (double) (master.agents().size() - active))
        .put("unreachable_slaves", (double) master.unreachableAgents().size())
        .put("leader", pid);
    state
        .putObject("leader_info")
        .put("id", master.id())
        .put("pid", pid)
        .put("port", master.settings().port())
        .put("hostname", master.settings().hostname());
    state.set("flags", flags(master));
    state.setAll(slaves(master, Optional.empty(), false));
    state.setAll(frameworks(master, Optional.empty()));
    state.putArray("orphan_tasks");
    state.putArray("unregistered_frameworks");
    return state;
  }

  static ObjectNode flags(Master master) {
    return NODES
        .objectNode()
        .put("agent_ping_timeout", MesosDuration.print(master.settings().agentPingTimeout()))
        .put("allocation_interval", MesosDuration.print(master.settings().allocationInterval()))
        .put("hostname", master.settings().hostname())
        .put("ip", master.settings().ip())
        .put("max_agent_ping_timeouts", Integer.toString(master.settings().maxAgentPingTimeouts()))
        .put("port", Integer.toString(master.settings().port()))
        .put("registry", "in_memory");
  }

  static ObjectNode slaves(Master master, Optional<String> only, boolean full) {
    ObjectNode object = NODES.objectNode();
    ArrayNode array = object.putArray("slaves");
    for (Agent agent : master.agents()) {
      if (only.isEmpty() || only.get().equals(agent.id())) {
        array.add(slave(master, agent, full));
      }
    }
    object.putArray("recovered_slaves");
    return object;
  }

  private static ObjectNode slave(Master master, Agent agent, boolean full) {
    MesosResources used = master.usedOn(agent.id());
    MesosResources offered = master.offeredOn(agent.id());
    ObjectNode slave =
        NODES
            .objectNode()
            .put("id", agent.id())
            .put("hostname", agent.info().getHostname())
            .put("port", agent.info().getPort());
    slave.set("attributes", CommonJson.attributes(agent.info().getAttributesList()));
    slave
        .put("pid", "slave(1)@" + agent.ip() + ":" + agent.info().getPort())
        .put("registered_time", seconds(agent.registered()));
    agent.reregistered().ifPresent(time -> slave.put("reregistered_time", seconds(time)));
    slave.set("resources", resources(agent.total()));
    slave.set("used_resources", resources(used));
    slave.set("offered_resources", resources(offered));
    ObjectNode reserved = slave.putObject("reserved_resources");
    agent.total().reserved().forEach((role, sum) -> reserved.set(role, resources(sum)));
    slave.set("unreserved_resources", resources(agent.total().unreserved()));
    slave
        .put("active", agent.connected())
        .put("deactivated", false)
        .put("version", CommonJson.VERSION);
    slave.set("capabilities", CommonJson.strings(CommonJson.AGENT_CAPABILITIES));
    if (full) {
      ObjectNode reservedFull = slave.putObject("reserved_resources_full");
      agent
          .total()
          .reserved()
          .forEach((role, sum) -> reservedFull.set(role, CommonJson.resourcesFull(sum)));
      slave.set("unreserved_resources_full", CommonJson.resourcesFull(agent.total().unreserved()));
      slave.set("used_resources_full", CommonJson.resourcesFull(used));
      slave.set("offered_resources_full", CommonJson.resourcesFull(offered));
    }
    return slave;
  }

  static ObjectNode frameworks(Master master, Optional<String> only) {
    ObjectNode object = NODES.objectNode();
    ArrayNode active = object.putArray("frameworks");
    ArrayNode completed = object.putArray("completed_frameworks");
    master.frameworks().stream()
        .filter(framework -> only.isEmpty() || only.get().equals(framework.id()))
        .forEach(framework -> active.add(framework(master, framework)));
    master.completedFrameworks().stream()
        .filter(framework -> only.isEmpty() || only.get().equals(framework.id()))
        .forEach(framework -> completed.add(framework(master, framework)));
    object.putArray("unregistered_frameworks");
    return object;
  }

  private static ObjectNode framework(Master master, Framework framework) {
    MesosResources used = framework.used();
    MesosResources offered = master.offeredTo(framework.id());
    ObjectNode object =
        NODES.objectNode().put("id", framework.id()).put("name", framework.info().getName());
    object.set("used_resources", resources(used));
    object.set("offered_resources", resources(offered));
    object.set(
        "capabilities",
        CommonJson.strings(
            framework.info().getCapabilitiesList().stream()
                .map(capability -> capability.getType().name())
                .toList()));
    object
        .put("hostname", framework.info().getHostname())
        .put("webui_url", framework.info().getWebuiUrl())
        .put("active", framework.connected())
        .put("connected", framework.connected())
        .put("recovered", false)
        .put("user", framework.info().getUser())
        .put("failover_timeout", framework.info().getFailoverTimeout())
        .put("checkpoint", framework.info().getCheckpoint())
        .put("registered_time", seconds(framework.registered()))
        .put("unregistered_time", framework.unregistered().map(CommonJson::seconds).orElse(0.0));
    if (framework.info().hasPrincipal()) {
      object.put("principal", framework.info().getPrincipal());
    }
    object.set("resources", resources(used.plus(offered)));
    framework.reregistered().ifPresent(time -> object.put("reregistered_time", seconds(time)));
    CommonJson.roles(object, framework.info());
    putTasks(object, "tasks", framework.tasks());
    putTasks(object, "unreachable_tasks", framework.unreachableTasks());
    putTasks(object, "completed_tasks", framework.completedTasks());
    ArrayNode offers = object.putArray("offers");
    master.offers().stream()
        .filter(offer -> offer.frameworkId().equals(framework.id()))
        .forEach(offer -> offers.add(offer(offer)));
    ArrayNode executors = object.putArray("executors");
    framework
        .executors()
        .forEach(
            (agentId, byId) ->
                byId.values().forEach(info -> executors.add(executor(info, agentId))));
    CommonJson.labels(object, framework.info().getLabels());
    object.putObject("offer_constraints");
    return object;
  }

  private static void putTasks(ObjectNode object, String name, Iterable<TaskRecord> tasks) {
    ArrayNode array = object.putArray(name);
    tasks.forEach(task -> array.add(task(task)));
  }

  private static ObjectNode task(TaskRecord task) {
    return CommonJson.task(
        task.info(),
        task.frameworkId(),
        task.executorId().orElse(""),
        task.state(),
        task.statuses());
  }

  private static ObjectNode offer(Offer offer) {
    ObjectNode object =
        NODES.objectNode().put("id", offer.id()).put("framework_id", offer.frameworkId());
    object.putObject("allocation_info").put("role", offer.role());
    object.put("slave_id", offer.agentId());
    object.set("resources", resources(offer.resources()));
    return object;
  }

  private static ObjectNode executor(ExecutorInfo info, String agentId) {
    ObjectNode object =
        NODES
            .objectNode()
            .put("executor_id", info.getExecutorId().getValue())
            .put("name", info.getName())
            .put("framework_id", info.getFrameworkId().getValue());
    object.set("command", CommonJson.command(info.getCommand()));
    object.set("resources", resources(MesosResources.of(info.getResourcesList())));
    object.put(
        "role",
        info.getResourcesCount() == 0 ? "*" : info.getResources(0).getAllocationInfo().getRole());
    CommonJson.labels(object, info.getLabels());
    if (info.hasType()) {
      object.put("type", info.getType().name());
    }
    return object.put("slave_id", agentId);
  }

  /** Which tasks {@code /tasks} is asked for. */
  record TaskQuery(
      int limit,
      int offset,
      boolean ascending,
      Optional<String> frameworkId,
      Optional<String> taskId) {}

  static ObjectNode tasks(Master master, TaskQuery query) {
    List<TaskRecord> found = new ArrayList<>();
    Stream.concat(master.frameworks().stream(), master.completedFrameworks().stream())
        .filter(
            framework ->
                query.frameworkId().isEmpty() || query.frameworkId().get().equals(framework.id()))
        .forEach(
            framework -> {
              found.addAll(framework.tasks());
              found.addAll(framework.unreachableTasks());
              found.addAll(framework.completedTasks());
            });
    Comparator<TaskRecord> byTime =
        Comparator.comparingDouble(
            task ->
                task.statuses().isEmpty()
                    ? Double.MAX_VALUE
                    : task.statuses().get(0).getTimestamp());
    ObjectNode object = NODES.objectNode();
    ArrayNode array = object.putArray("tasks");
    found.stream()
        .filter(task -> query.taskId().isEmpty() || query.taskId().get().equals(task.id()))
        .sorted(query.ascending() ? byTime : byTime.reversed())
        .skip(query.offset())
        .limit(query.limit())
        .forEach(task -> array.add(task(task)));
    return object;
  }

  static ObjectNode roles(Master master) {
    Map<String, List<Framework>> byRole = new TreeMap<>();
    for (Framework framework : master.frameworks()) {
      for (String role : framework.roles()) {
        byRole.computeIfAbsent(role, key -> new ArrayList<>()).add(framework);
      }
    }
    ObjectNode object = NODES.objectNode();
    ArrayNode array = object.putArray("roles");
    byRole.forEach(
        (role, frameworks) -> {
          MesosResources used = MesosResources.NONE;
          MesosResources offered = MesosResources.NONE;
          for (Framework framework : frameworks) {
            used = used.plus(framework.used());
            offered = offered.plus(master.offeredTo(framework.id()));
          }
          ObjectNode entry = array.addObject().put("name", role).put("weight", 1.0);
          ObjectNode quota = entry.putObject("quota").put("role", role);
          quota.putObject("guarantee");
          quota.putObject("limit");
          quota.set("consumed", CommonJson.quantities(used));
          entry.set("resources", CommonJson.quantities(used.plus(offered)));
          entry.set("allocated", CommonJson.quantities(used));
          entry.set("offered", CommonJson.quantities(offered));
          entry.putObject("reserved");
          entry.set(
              "frameworks", CommonJson.strings(frameworks.stream().map(Framework::id).toList()));
        });
    return object;
  }

  private static final List<TaskState> SUMMED =
      List.of(
          TaskState.TASK_STAGING,
          TaskState.TASK_STARTING,
          TaskState.TASK_RUNNING,
          TaskState.TASK_KILLING,
          TaskState.TASK_FINISHED,
          TaskState.TASK_KILLED,
          TaskState.TASK_FAILED,
          TaskState.TASK_LOST,
          TaskState.TASK_ERROR,
          TaskState.TASK_UNREACHABLE);

  static ObjectNode stateSummary(Master master) {
    ObjectNode object = NODES.objectNode().put("hostname", master.settings().hostname());
    ArrayNode slaves = object.putArray("slaves");
    for (Agent agent : master.agents()) {
      ObjectNode slave = slave(master, agent, false);
      List<TaskRecord> tasks =
          master.frameworks().stream()
              .flatMap(MasterJson::allTasks)
              .filter(task -> task.agentId().equals(agent.id()))
              .toList();
      counts(slave, tasks);
      slave.set(
          "framework_ids",
          CommonJson.strings(tasks.stream().map(TaskRecord::frameworkId).distinct().toList()));
      slaves.add(slave);
    }
    ArrayNode frameworks = object.putArray("frameworks");
    for (Framework framework : master.frameworks()) {
      ObjectNode entry = framework(master, framework);
      for (String list :
          List.of("tasks", "unreachable_tasks", "completed_tasks", "offers", "executors")) {
        entry.remove(list);
      }
      List<TaskRecord> tasks = allTasks(framework).toList();
      counts(entry, tasks);
      entry.set(
          "slave_ids",
          CommonJson.strings(tasks.stream().map(TaskRecord::agentId).distinct().toList()));
      frameworks.add(entry);
    }
    return object;
  }

  private static Stream<TaskRecord> allTasks(Framework framework) {
    return Stream.of(framework.tasks(), framework.unreachableTasks(), framework.completedTasks())
        .flatMap(tasks -> tasks.stream());
  }

  private static void counts(ObjectNode object, List<TaskRecord> tasks) {
    for (TaskState state : SUMMED) {
      object.put(state.name(), tasks.stream().filter(task -> task.state() == state).count());
    }
  }

  static ObjectNode metrics(Master master) {
    ObjectNode metrics = NODES.objectNode();
    long connected = master.agents().stream().filter(Agent::connected).count();
    long frameworks = master.frameworks().stream().filter(Framework::connected).count();
    metrics
        .put("master/elected", 1.0)
        .put(
            "master/uptime_secs",
            (Clock.systemUTC().millis() - master.started().toEpochMilli()) / 1000.0)
        .put("master/slaves_active", (double) connected)
        .put("master/slaves_connected", (double) connected)
        .put("master/slaves_inactive", (double) (master.agents().size() - connected))
        .put("master/slaves_disconnected", (double) (master.agents().size() - connected))
        .put("master/slaves_unreachable", (double) master.unreachableAgents().size())
        .put("master/frameworks_active", (double) frameworks)
        .put("master/frameworks_connected", (double) frameworks)
        .put("master/frameworks_inactive", (double) (master.frameworks().size() - frameworks))
        .put("master/frameworks_disconnected", (double) (master.frameworks().size() - frameworks))
        .put("master/outstanding_offers", (double) master.offers().size())
        .put("master/valid_status_updates", (double) master.counters().validUpdates())
        .put("master/invalid_status_updates", (double) master.counters().invalidUpdates());
    for (TaskState state : TaskState.values()) {
      boolean gauge =
          switch (state) {
            case TASK_STAGING,
                TASK_STARTING,
                TASK_RUNNING,
                TASK_KILLING,
                TASK_UNREACHABLE,
                TASK_UNKNOWN ->
                true;
            case TASK_FINISHED,
                TASK_FAILED,
                TASK_KILLED,
                TASK_ERROR,
                TASK_LOST,
                TASK_DROPPED,
                TASK_GONE,
                TASK_GONE_BY_OPERATOR ->
                false;
          };
      double count =
          gauge
              ? master.frameworks().stream()
                  .flatMap(MasterJson::allTasks)
                  .filter(task -> task.state() == state)
                  .count()
              : master.counters().tasks(state);
      metrics.put("master/" + CommonJson.metricName(state), count);
    }
    MesosResources total = MesosResources.NONE;
    MesosResources used = MesosResources.NONE;
    for (Agent agent : master.agents()) {
      total = total.plus(agent.total());
      used = used.plus(master.usedOn(agent.id()));
    }
    HostMetrics.putResources(metrics, "master", total, used);
    HostMetrics.putSystem(metrics);
    return metrics;
  }
}
