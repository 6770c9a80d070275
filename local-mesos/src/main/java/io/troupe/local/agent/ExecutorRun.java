package io.troupe.local.agent;

import com.google.protobuf.Message;
import io.troupe.local.agent.Containers.Container;
import io.troupe.local.allocator.MesosResources;
import io.troupe.local.master.EventSink;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.jspecify.annotations.Nullable;

/**
 * One run of an executor on an agent: its container, its stream, its tasks. Belongs to the agent's
 * thread.
 */
public final class ExecutorRun {

  private static final int KEPT_TASKS = 200;

  /** Where an executor is in its life. */
  public enum State {
    /** Being fetched or started, or not subscribed yet. */
    REGISTERING,
    /** Subscribed once; whether its stream is open is another matter. */
    RUNNING,
    /** Told to end, or being killed. */
    TERMINATING,
    /** No process of it is left; its tasks' last updates may not be acknowledged yet. */
    TERMINATED
  }

  private final String frameworkId;
  private final ExecutorInfo info;
  private final boolean command;
  private final String containerId;
  private final Path sandbox;
  private State state = State.REGISTERING;
  private @Nullable EventSink stream;
  private @Nullable Container container;
  private @Nullable Long pid;
  private boolean everSentTask;
  private boolean reconnected = true;
  private boolean killRequested;
  private @Nullable Termination termination;
  private final Map<String, TaskInfo> queued = new LinkedHashMap<>();
  private final Map<String, AgentTask> launched = new LinkedHashMap<>();
  private final Map<String, AgentTask> ended = new LinkedHashMap<>();
  private final Deque<AgentTask> completed = new ArrayDeque<>();

  /** Why the agent ends the executor, for the tasks that end with it. */
  record Termination(
      org.apache.mesos.v1.Protos.TaskStatus.Reason reason, String message, boolean gone) {}

  ExecutorRun(
      String frameworkId, ExecutorInfo info, boolean command, String containerId, Path sandbox) {
    this.frameworkId = frameworkId;
    this.info = info;
    this.command = command;
    this.containerId = containerId;
    this.sandbox = sandbox;
  }

  public String frameworkId() {
    return frameworkId;
  }

  public String id() {
    return info.getExecutorId().getValue();
  }

  public ExecutorInfo info() {
    return info;
  }

  /** Whether it was made up by the agent for a command task. */
  public boolean command() {
    return command;
  }

  public String containerId() {
    return containerId;
  }

  public Path sandbox() {
    return sandbox;
  }

  public State state() {
    return state;
  }

  void state(State next) {
    state = next;
  }

  /** The first process of the container, once it runs. */
  public OptionalLong pid() {
    return pid == null ? OptionalLong.empty() : OptionalLong.of(pid);
  }

  void started(long first) {
    pid = first;
  }

  void container(Container running) {
    container = running;
  }

  void kill() {
    killRequested = true;
    if (container != null) {
      container.kill();
    }
  }

  void terminate() {
    if (container != null) {
      container.terminate();
    }
  }

  /** Whether a command task is being killed on purpose. */
  boolean killRequested() {
    return killRequested;
  }

  void killIsRequested() {
    killRequested = true;
  }

  Optional<Termination> termination() {
    return Optional.ofNullable(termination);
  }

  void termination(Termination why) {
    termination = why;
  }

  // ---- its stream

  void connect(EventSink to) {
    if (stream != null) {
      stream.complete();
    }
    stream = to;
    reconnected = true;
  }

  boolean hasStream(EventSink other) {
    return stream == other;
  }

  void disconnect() {
    stream = null;
  }

  void agentCrashed() {
    stream = null;
    reconnected = false;
  }

  /** Whether it subscribed since the agent came back. */
  boolean reconnected() {
    return reconnected;
  }

  void send(Message event) {
    if (stream != null) {
      stream.send(event);
    }
  }

  void completeStream() {
    if (stream != null) {
      stream.complete();
      stream = null;
    }
  }

  // ---- its tasks

  Map<String, TaskInfo> queued() {
    return queued;
  }

  /** Tasks that wait for the executor. */
  public Collection<TaskInfo> queuedTasks() {
    return queued.values();
  }

  Map<String, AgentTask> launched() {
    return launched;
  }

  /** Tasks that the executor has and that have not ended. */
  public Collection<AgentTask> launchedTasks() {
    return launched.values();
  }

  /** Tasks that ended, acknowledged or not. */
  public Collection<AgentTask> endedTasks() {
    Deque<AgentTask> all = new ArrayDeque<>(completed);
    all.addAll(ended.values());
    return all;
  }

  Collection<AgentTask> unacknowledgedTasks() {
    return ended.values();
  }

  boolean everSentTask() {
    return everSentTask;
  }

  /** The task goes to the executor. */
  AgentTask launch(TaskInfo task) {
    everSentTask = true;
    AgentTask running = new AgentTask(task);
    queued.remove(running.id());
    launched.put(running.id(), running);
    return running;
  }

  /** The task as the agent still has it, ended or not. */
  Optional<AgentTask> task(String taskId) {
    AgentTask task = launched.get(taskId);
    return Optional.ofNullable(task == null ? ended.get(taskId) : task);
  }

  /** The task will not run; it is remembered until that is acknowledged. */
  AgentTask dropQueued(String taskId) {
    TaskInfo info = queued.remove(taskId);
    if (info == null) {
      throw new IllegalStateException("Task " + taskId + " is not queued");
    }
    AgentTask dropped = new AgentTask(info);
    launched.put(taskId, dropped);
    return dropped;
  }

  void ended(AgentTask task) {
    launched.remove(task.id(), task);
    ended.put(task.id(), task);
  }

  void acknowledged(String taskId) {
    AgentTask task = ended.remove(taskId);
    if (task != null) {
      if (completed.size() == KEPT_TASKS) {
        completed.removeFirst();
      }
      completed.addLast(task);
    }
  }

  boolean hasUnfinished() {
    return !queued.isEmpty() || !launched.isEmpty() || !ended.isEmpty();
  }

  /** What the executor and its running tasks use. */
  public MesosResources resources() {
    MesosResources sum = command ? MesosResources.NONE : MesosResources.of(info.getResourcesList());
    for (AgentTask task : launched.values()) {
      sum = sum.plus(MesosResources.of(task.info().getResourcesList()));
    }
    return sum;
  }
}
