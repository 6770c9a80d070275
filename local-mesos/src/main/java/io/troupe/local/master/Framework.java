package io.troupe.local.master;

import com.google.protobuf.Message;
import io.troupe.local.allocator.MesosResources;
import io.troupe.local.allocator.MesosResources.Format;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo.Capability;
import org.jspecify.annotations.Nullable;

/** A framework as the master knows it. Belongs to the master's thread. */
public final class Framework {

  private static final int KEPT_TASKS = 1000;

  private final String id;
  private final Instant registered;
  private FrameworkInfo info;
  private @Nullable EventSink stream;
  private String streamId = "";
  private @Nullable Instant reregistered;
  private @Nullable Instant unregistered;
  private final Set<String> suppressed = new HashSet<>();
  private final Map<String, Long> allocations = new HashMap<>();
  private final Map<String, TaskRecord> tasks = new LinkedHashMap<>();
  private final Map<String, TaskRecord> unreachable = new LinkedHashMap<>();
  private final Deque<TaskRecord> completed = new ArrayDeque<>();
  private final Map<String, Map<String, ExecutorInfo>> executors = new LinkedHashMap<>();

  Framework(String id, FrameworkInfo info, Instant registered) {
    this.id = id;
    this.info = info;
    this.registered = registered;
  }

  public String id() {
    return id;
  }

  public FrameworkInfo info() {
    return info;
  }

  void info(FrameworkInfo changed) {
    info = changed;
  }

  public Instant registered() {
    return registered;
  }

  public Optional<Instant> reregistered() {
    return Optional.ofNullable(reregistered);
  }

  void reregistered(Instant now) {
    reregistered = now;
  }

  public Optional<Instant> unregistered() {
    return Optional.ofNullable(unregistered);
  }

  void unregistered(Instant now) {
    unregistered = now;
  }

  // ---- its stream

  public boolean connected() {
    return stream != null;
  }

  void connect(EventSink to, String newStreamId) {
    stream = to;
    streamId = newStreamId;
  }

  void disconnect() {
    stream = null;
  }

  boolean hasStream(EventSink other) {
    return stream == other;
  }

  Optional<EventSink> stream() {
    return Optional.ofNullable(stream);
  }

  String streamId() {
    return streamId;
  }

  /** Sends the event if the framework is there to get it. */
  void send(Message event) {
    if (stream != null) {
      stream.send(event);
    }
  }

  // ---- what it can and wants

  public boolean has(Capability.Type capability) {
    return FrameworkValidation.has(info, capability);
  }

  public List<String> roles() {
    return FrameworkValidation.rolesOf(info);
  }

  Format format() {
    return has(Capability.Type.RESERVATION_REFINEMENT) ? Format.REFINED : Format.ROLE;
  }

  Set<String> suppressed() {
    return suppressed;
  }

  void suppressExactly(Collection<String> roles) {
    suppressed.clear();
    suppressed.addAll(roles);
  }

  long allocations(String role) {
    return allocations.getOrDefault(role, 0L);
  }

  void countAllocation(String role) {
    allocations.merge(role, 1L, Long::sum);
  }

  // ---- tasks

  /** Tasks that are not finished with: running, or ended but not acknowledged. */
  public Collection<TaskRecord> tasks() {
    return tasks.values();
  }

  public Collection<TaskRecord> unreachableTasks() {
    return unreachable.values();
  }

  public Collection<TaskRecord> completedTasks() {
    return completed;
  }

  Optional<TaskRecord> task(String taskId) {
    return Optional.ofNullable(tasks.get(taskId));
  }

  boolean isUnreachable(String taskId) {
    return unreachable.containsKey(taskId);
  }

  List<TaskRecord> tasksOn(String agentId) {
    return tasks.values().stream().filter(task -> task.agentId().equals(agentId)).toList();
  }

  void add(TaskRecord task) {
    tasks.put(task.id(), task);
    unreachable.remove(task.id());
  }

  void complete(TaskRecord task) {
    tasks.remove(task.id(), task);
    if (completed.size() == KEPT_TASKS) {
      completed.removeFirst();
    }
    completed.addLast(task);
  }

  void becameUnreachable(TaskRecord task) {
    tasks.remove(task.id(), task);
    if (unreachable.size() == KEPT_TASKS) {
      unreachable.remove(unreachable.keySet().iterator().next());
    }
    unreachable.put(task.id(), task);
  }

  // ---- custom executors, by agent

  Optional<ExecutorInfo> executor(String agentId, String executorId) {
    return Optional.ofNullable(executors.getOrDefault(agentId, Map.of()).get(executorId));
  }

  Collection<ExecutorInfo> executorsOn(String agentId) {
    return executors.getOrDefault(agentId, Map.of()).values();
  }

  /** All custom executors, by agent. */
  public Map<String, Map<String, ExecutorInfo>> executors() {
    return executors;
  }

  void addExecutor(String agentId, ExecutorInfo executor) {
    executors
        .computeIfAbsent(agentId, key -> new LinkedHashMap<>())
        .put(executor.getExecutorId().getValue(), executor);
  }

  boolean removeExecutor(String agentId, String executorId) {
    Map<String, ExecutorInfo> there = executors.get(agentId);
    if (there == null || there.remove(executorId) == null) {
      return false;
    }
    if (there.isEmpty()) {
      executors.remove(agentId);
    }
    return true;
  }

  void removeExecutorsOn(String agentId) {
    executors.remove(agentId);
  }

  void removeExecutors() {
    executors.clear();
  }

  /** What its live tasks and its executors use on the agent. */
  public MesosResources usedOn(String agentId) {
    MesosResources used = MesosResources.NONE;
    for (TaskRecord task : tasks.values()) {
      if (task.agentId().equals(agentId) && !task.terminal()) {
        used = used.plus(task.resources());
      }
    }
    for (ExecutorInfo executor : executorsOn(agentId)) {
      used = used.plus(MesosResources.of(executor.getResourcesList()));
    }
    return used;
  }

  /** What its live tasks and its executors use anywhere. */
  public MesosResources used() {
    Set<String> agents = new HashSet<>(executors.keySet());
    for (TaskRecord task : new ArrayList<>(tasks.values())) {
      agents.add(task.agentId());
    }
    MesosResources used = MesosResources.NONE;
    for (String agent : agents) {
      used = used.plus(usedOn(agent));
    }
    return used;
  }
}
