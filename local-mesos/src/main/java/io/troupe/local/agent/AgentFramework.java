package io.troupe.local.agent;

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo.Capability;

/** A framework that has something on an agent. Belongs to the agent's thread. */
public final class AgentFramework {

  private static final int KEPT_EXECUTORS = 150;

  private FrameworkInfo info;
  private boolean terminating;
  private final Map<String, ExecutorRun> executors = new LinkedHashMap<>();
  private final Deque<ExecutorRun> completed = new ArrayDeque<>();

  AgentFramework(FrameworkInfo info) {
    this.info = info;
  }

  String id() {
    return info.getId().getValue();
  }

  public FrameworkInfo info() {
    return info;
  }

  void info(FrameworkInfo changed) {
    info = changed;
  }

  boolean has(Capability.Type capability) {
    return info.getCapabilitiesList().stream().anyMatch(known -> known.getType() == capability);
  }

  boolean terminating() {
    return terminating;
  }

  void terminate() {
    terminating = true;
  }

  Map<String, ExecutorRun> byId() {
    return executors;
  }

  public Collection<ExecutorRun> executors() {
    return executors.values();
  }

  public Collection<ExecutorRun> completedExecutors() {
    return completed;
  }

  void complete(ExecutorRun executor) {
    executors.remove(executor.id(), executor);
    if (completed.size() == KEPT_EXECUTORS) {
      completed.removeFirst();
    }
    completed.addLast(executor);
  }
}
