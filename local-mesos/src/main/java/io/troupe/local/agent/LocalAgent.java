package io.troupe.local.agent;

import com.google.protobuf.ByteString;
import io.troupe.local.agent.ExecutorRun.State;
import io.troupe.local.agent.ExecutorRun.Termination;
import io.troupe.local.master.Alarms;
import io.troupe.local.master.Answer;
import io.troupe.local.master.EventSink;
import io.troupe.local.master.FromAgent;
import io.troupe.local.master.TaskStates;
import io.troupe.local.master.ToAgent;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.function.Consumer;
import org.apache.mesos.v1.Protos.AgentID;
import org.apache.mesos.v1.Protos.AgentInfo;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.ContainerID;
import org.apache.mesos.v1.Protos.ContainerStatus;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo.Capability;
import org.apache.mesos.v1.Protos.NetworkInfo;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.Protos.TaskStatus.Reason;
import org.apache.mesos.v1.executor.Protos.Call;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An agent: the executors it runs, and the updates it owes the master until they are acknowledged.
 * No executor outlives its container, no task its executor. A state machine for one thread; it
 * never blocks, and time comes from the clock and alarms it is given.
 */
public final class LocalAgent {

  private static final Logger LOG = LoggerFactory.getLogger(LocalAgent.class);
  private static final int KEPT_FRAMEWORKS = 50;

  private final AgentSettings settings;
  private final Clock clock;
  private final Alarms alarms;
  private final Containers containers;
  private final Sandboxes sandboxes;
  private final Consumer<FromAgent> master;
  private final Consumer<ToAgent> self;
  private final Instant started;
  private final Map<String, AgentFramework> frameworks = new LinkedHashMap<>();
  private final Deque<AgentFramework> completed = new ArrayDeque<>();
  private final Map<String, UpdateStream> streams = new HashMap<>();
  private final List<Runnable> heldWhileDown = new ArrayList<>();
  private @Nullable String agentId;
  private boolean up = true;
  private boolean lost;
  private boolean registered;
  private Consumer<String> whenRegistered = id -> {};

  /**
   * An agent that does nothing until it is started.
   *
   * @param master hears what the agent says
   * @param self how the master reaches the agent
   */
  public LocalAgent(
      AgentSettings settings,
      Clock clock,
      Alarms alarms,
      Containers containers,
      Consumer<FromAgent> master,
      Consumer<ToAgent> self) {
    this.settings = settings;
    this.clock = clock;
    this.alarms = alarms;
    this.containers = containers;
    this.sandboxes = new Sandboxes(settings.workDir());
    this.master = master;
    this.self = self;
    this.started = clock.instant();
  }

  /**
   * Registers with the master.
   *
   * @param onRegistered gets the agent's id
   */
  public void start(Consumer<String> onRegistered) {
    whenRegistered = onRegistered;
    master.accept(new FromAgent.Register(info(), settings.ip(), self));
  }

  // ---- what can be seen from outside

  public AgentSettings settings() {
    return settings;
  }

  public Instant started() {
    return started;
  }

  /** Its id; empty until it is registered. */
  public Optional<String> id() {
    return Optional.ofNullable(agentId);
  }

  public Collection<AgentFramework> frameworks() {
    return frameworks.values();
  }

  public Collection<AgentFramework> completedFrameworks() {
    return completed;
  }

  private AgentInfo info() {
    AgentInfo.Builder info =
        AgentInfo.newBuilder()
            .setHostname(settings.hostname())
            .setPort(settings.port())
            .addAllResources(settings.resources())
            .addAllAttributes(settings.attributes());
    if (agentId != null) {
      info.setId(AgentID.newBuilder().setValue(agentId));
    }
    return info.build();
  }

  private String registeredId() {
    if (agentId == null) {
      throw new IllegalStateException("The agent is not registered");
    }
    return agentId;
  }

  // ---- from the master

  /** The master tells something; while the agent is down it is not heard. */
  public void receive(ToAgent message) {
    if (!up || lost) {
      return;
    }
    if (message instanceof ToAgent.Registered registration) {
      agentId = registration.agentId();
      registered = true;
      whenRegistered.accept(agentId);
    } else if (message instanceof ToAgent.Reregistered reregistered) {
      reregistered(reregistered);
    } else if (message instanceof ToAgent.RunTask run) {
      run(run);
    } else if (message instanceof ToAgent.KillTask kill) {
      kill(kill);
    } else if (message instanceof ToAgent.ShutdownExecutor shutdown) {
      find(shutdown.frameworkId(), shutdown.executorId()).ifPresent(this::shutdown);
    } else if (message instanceof ToAgent.ShutdownFramework shutdown) {
      shutdownFramework(shutdown.frameworkId());
    } else if (message instanceof ToAgent.UpdateFramework update) {
      updateFramework(update.framework());
    } else if (message instanceof ToAgent.Acknowledge acknowledge) {
      acknowledge(acknowledge);
    } else if (message instanceof ToAgent.FrameworkMessage frameworkMessage) {
      find(frameworkMessage.frameworkId(), frameworkMessage.executorId())
          .filter(executor -> executor.state() == State.RUNNING)
          .ifPresent(executor -> executor.send(ExecutorEvents.message(frameworkMessage.data())));
    } else if (message instanceof ToAgent.Ping) {
      if (agentId != null) {
        master.accept(new FromAgent.Pong(agentId));
      }
    }
  }

  private Optional<ExecutorRun> find(String frameworkId, String executorId) {
    return Optional.ofNullable(frameworks.get(frameworkId))
        .map(framework -> framework.byId().get(executorId));
  }

  private void run(ToAgent.RunTask run) {
    String frameworkId = run.framework().getId().getValue();
    AgentFramework framework =
        frameworks.computeIfAbsent(frameworkId, key -> new AgentFramework(run.framework()));
    if (framework.terminating()) {
      return;
    }
    TaskInfo task = run.task();
    String executorId =
        run.executor()
            .map(info -> info.getExecutorId().getValue())
            .orElse(task.getTaskId().getValue());
    ExecutorRun executor = framework.byId().get(executorId);
    if (executor == null) {
      launch(framework, run.executor(), task);
      return;
    }
    switch (executor.state()) {
      case REGISTERING -> executor.queued().put(task.getTaskId().getValue(), task);
      case RUNNING -> deliver(executor, task);
      case TERMINATING -> refuse(framework, executor, task, "Executor terminating");
      case TERMINATED -> refuse(framework, executor, task, "Executor terminated");
    }
  }

  private static void deliver(ExecutorRun executor, TaskInfo task) {
    executor.launch(task);
    executor.send(ExecutorEvents.launch(task));
  }

  private void refuse(
      AgentFramework framework, ExecutorRun executor, TaskInfo task, String message) {
    update(
        framework,
        Optional.of(executor),
        made(
            framework,
            task.getTaskId().getValue(),
            lostOrDropped(framework),
            Reason.REASON_EXECUTOR_TERMINATED,
            message,
            executor.id()));
  }

  private static TaskState lostOrDropped(AgentFramework framework) {
    return framework.has(Capability.Type.PARTITION_AWARE)
        ? TaskState.TASK_DROPPED
        : TaskState.TASK_LOST;
  }

  private static TaskState lostOrGone(AgentFramework framework) {
    return framework.has(Capability.Type.PARTITION_AWARE)
        ? TaskState.TASK_GONE
        : TaskState.TASK_LOST;
  }

  // ---- starting executors

  private void launch(AgentFramework framework, Optional<ExecutorInfo> custom, TaskInfo task) {
    ExecutorInfo info = custom.orElseGet(() -> CommandTasks.executorFor(task, framework.info()));
    boolean command = custom.isEmpty();
    String containerId = UUID.randomUUID().toString();
    ExecutorRun executor;
    try {
      Path sandbox =
          sandboxes.create(
              registeredId(), framework.id(), info.getExecutorId().getValue(), containerId);
      executor = new ExecutorRun(framework.id(), info, command, containerId, sandbox);
    } catch (UncheckedIOException e) {
      LOG.warn("Executor {}: {}", info.getExecutorId().getValue(), e.getMessage());
      executor = new ExecutorRun(framework.id(), info, command, containerId, Path.of("/"));
      framework.byId().put(executor.id(), executor);
      executor.queued().put(task.getTaskId().getValue(), task);
      executor.termination(
          new Termination(
              Reason.REASON_EXECUTOR_TERMINATED, e.getMessage() + ": " + e.getCause(), true));
      terminated(framework, executor, -1);
      return;
    }
    framework.byId().put(executor.id(), executor);
    executor.queued().put(task.getTaskId().getValue(), task);
    startContainer(framework, executor, task);
    if (!command) {
      armRegistration(executor);
    }
  }

  private void startContainer(AgentFramework framework, ExecutorRun executor, TaskInfo task) {
    CommandInfo command = executor.command() ? task.getCommand() : executor.info().getCommand();
    Map<String, String> environment =
        ExecutorEnvironment.of(
            settings,
            registeredId(),
            executor.info(),
            command,
            framework.info().getCheckpoint(),
            executor.sandbox());
    if (executor.command()) {
      environment.putAll(CommandTasks.variables(task));
    }
    String user = command.hasUser() ? command.getUser() : framework.info().getUser();
    LOG.info("Starting executor {} of framework {}", executor.id(), framework.id());
    executor.container(
        containers.launch(
            new Containers.Spec(
                executor.containerId(),
                executor.sandbox(),
                command,
                environment,
                user,
                !executor.command()),
            new ContainerNews(framework, executor)));
  }

  /** What becomes of one executor's container; kept back while the agent is down. */
  private final class ContainerNews implements Containers.Listener {
    private final AgentFramework framework;
    private final ExecutorRun executor;

    ContainerNews(AgentFramework framework, ExecutorRun executor) {
      this.framework = framework;
      this.executor = executor;
    }

    @Override
    public void started(long pid) {
      whenUp(() -> containerStarted(framework, executor, pid));
    }

    @Override
    public void failed(String message, int status) {
      whenUp(
          () -> {
            if (executor.termination().isEmpty()) {
              boolean noSandbox = message.startsWith(LinuxContainers.NO_SANDBOX);
              executor.termination(
                  noSandbox
                      ? new Termination(Reason.REASON_EXECUTOR_TERMINATED, message, true)
                      : new Termination(
                          Reason.REASON_CONTAINER_LAUNCH_FAILED,
                          "Failed to launch container: " + message,
                          false));
            }
            terminated(framework, executor, status);
          });
    }

    @Override
    public void exited(int status) {
      whenUp(() -> containerExited(framework, executor, status));
    }

    private void whenUp(Runnable news) {
      if (up) {
        news.run();
      } else {
        heldWhileDown.add(news);
      }
    }
  }

  private void containerStarted(AgentFramework framework, ExecutorRun executor, long pid) {
    executor.started(pid);
    if (executor.command() && executor.state() == State.REGISTERING) {
      executor.state(State.RUNNING);
      for (TaskInfo task : List.copyOf(executor.queuedTasks())) {
        String taskId = task.getTaskId().getValue();
        executor.launch(task);
        commandUpdate(framework, executor, taskId, TaskState.TASK_STARTING, "");
        commandUpdate(framework, executor, taskId, TaskState.TASK_RUNNING, "");
      }
    }
  }

  private void commandUpdate(
      AgentFramework framework,
      ExecutorRun executor,
      String taskId,
      TaskState state,
      String message) {
    TaskStatus.Builder status =
        TaskStatus.newBuilder()
            .setTaskId(TaskID.newBuilder().setValue(taskId))
            .setState(state)
            .setSource(TaskStatus.Source.SOURCE_EXECUTOR)
            .setExecutorId(executor.info().getExecutorId())
            .setUuid(freshUuid());
    if (!message.isEmpty()) {
      status.setMessage(message);
    }
    update(framework, Optional.of(executor), status);
  }

  private void containerExited(AgentFramework framework, ExecutorRun executor, int status) {
    if (executor.command()) {
      for (AgentTask task : List.copyOf(executor.launchedTasks())) {
        TaskState state =
            executor.killRequested()
                ? TaskState.TASK_KILLED
                : status == 0 ? TaskState.TASK_FINISHED : TaskState.TASK_FAILED;
        commandUpdate(framework, executor, task.id(), state, Signals.describe(status));
      }
    }
    terminated(framework, executor, status);
  }

  private static String registrationAlarm(ExecutorRun executor) {
    return "registration/" + executor.containerId();
  }

  private static String shutdownAlarm(ExecutorRun executor) {
    return "shutdown/" + executor.containerId();
  }

  private static String heartbeatAlarm(ExecutorRun executor) {
    return "heartbeat/" + executor.containerId();
  }

  private void armRegistration(ExecutorRun executor) {
    alarms.set(
        registrationAlarm(executor),
        settings.registrationTimeout(),
        () -> {
          if (executor.state() == State.REGISTERING) {
            destroy(
                executor,
                new Termination(
                    Reason.REASON_EXECUTOR_REGISTRATION_TIMEOUT,
                    "Executor did not register within "
                        + MesosDuration.print(settings.registrationTimeout()),
                    false));
          }
        });
  }

  private void destroy(ExecutorRun executor, Termination why) {
    executor.termination(why);
    executor.state(State.TERMINATING);
    executor.kill();
  }

  /** The executor's last process is gone, or none ever started. */
  private void terminated(AgentFramework framework, ExecutorRun executor, int status) {
    if (executor.state() == State.TERMINATED) {
      return;
    }
    executor.state(State.TERMINATED);
    alarms.cancel(registrationAlarm(executor));
    alarms.cancel(shutdownAlarm(executor));
    alarms.cancel(heartbeatAlarm(executor));
    executor.completeStream();
    LOG.info(
        "Executor {} of framework {} ended with status {}", executor.id(), framework.id(), status);
    if (!executor.command() && !framework.terminating()) {
      master.accept(
          new FromAgent.ExitedExecutor(registeredId(), framework.id(), executor.id(), status));
    }
    Termination why =
        executor
            .termination()
            .orElse(
                new Termination(Reason.REASON_EXECUTOR_TERMINATED, "Executor terminated", false));
    TaskState state = why.gone() ? lostOrGone(framework) : TaskState.TASK_FAILED;
    List<String> unfinished = new ArrayList<>(executor.launched().keySet());
    unfinished.addAll(executor.queued().keySet());
    for (String taskId : unfinished) {
      update(
          framework,
          Optional.of(executor),
          made(framework, taskId, state, why.reason(), why.message(), executor.id()));
    }
    cleanUp(framework, executor);
  }

  private void cleanUp(AgentFramework framework, ExecutorRun executor) {
    boolean done =
        executor.state() == State.TERMINATED
            && (framework.terminating() || !executor.hasUnfinished());
    if (!done) {
      return;
    }
    for (AgentTask task : executor.endedTasks()) {
      forget(framework, task.id());
    }
    framework.complete(executor);
    if (framework.executors().isEmpty() && frameworks.remove(framework.id(), framework)) {
      if (completed.size() == KEPT_FRAMEWORKS) {
        completed.removeFirst();
      }
      completed.removeIf(old -> old.id().equals(framework.id()));
      completed.addLast(framework);
    }
  }

  // ---- ending executors and tasks

  private void shutdownFramework(String frameworkId) {
    AgentFramework framework = frameworks.get(frameworkId);
    if (framework == null) {
      return;
    }
    framework.terminate();
    for (ExecutorRun executor : List.copyOf(framework.executors())) {
      shutdown(executor);
      cleanUp(framework, executor);
    }
  }

  private void shutdown(ExecutorRun executor) {
    if (executor.state() == State.TERMINATING || executor.state() == State.TERMINATED) {
      return;
    }
    alarms.cancel(registrationAlarm(executor));
    executor.send(ExecutorEvents.SHUTDOWN);
    executor.state(State.TERMINATING);
    Duration grace = ExecutorEnvironment.shutdownGrace(settings, executor.info());
    if (executor.command()) {
      executor.killIsRequested();
      executor.terminate();
      grace = AgentSettings.KILL_GRACE;
    }
    alarms.set(shutdownAlarm(executor), grace, executor::kill);
  }

  private void kill(ToAgent.KillTask kill) {
    AgentFramework framework = frameworks.get(kill.frameworkId());
    Optional<ExecutorRun> holder =
        framework == null
            ? Optional.empty()
            : framework.executors().stream()
                .filter(
                    run ->
                        run.queued().containsKey(kill.taskId())
                            || run.launched().containsKey(kill.taskId()))
                .findFirst();
    if (holder.isEmpty()) {
      killUnknown(framework, kill);
      return;
    }
    ExecutorRun executor = holder.get();
    switch (executor.state()) {
      case REGISTERING -> killQueued(framework, executor, kill.taskId());
      case RUNNING -> killRunning(framework, executor, kill);
      case TERMINATING, TERMINATED ->
          LOG.debug("Task {} ends with its executor {}", kill.taskId(), executor.id());
    }
  }

  private void killUnknown(@Nullable AgentFramework framework, ToAgent.KillTask kill) {
    boolean ending =
        framework != null
            && framework.executors().stream()
                .anyMatch(executor -> executor.task(kill.taskId()).isPresent());
    if (ending) {
      return;
    }
    AgentFramework owner =
        framework != null
            ? framework
            : new AgentFramework(
                FrameworkInfo.newBuilder()
                    .setUser("")
                    .setName("")
                    .setId(FrameworkID.newBuilder().setValue(kill.frameworkId()))
                    .build());
    update(
        owner,
        Optional.empty(),
        made(
            owner,
            kill.taskId(),
            lostOrDropped(owner),
            Reason.REASON_EXECUTOR_TERMINATED,
            "Cannot find executor",
            ""));
  }

  private void killQueued(AgentFramework framework, ExecutorRun executor, String taskId) {
    executor.dropQueued(taskId);
    update(
        framework,
        Optional.of(executor),
        made(
            framework,
            taskId,
            TaskState.TASK_KILLED,
            Reason.REASON_TASK_KILLED_DURING_LAUNCH,
            "Killed before delivery to the executor",
            executor.id()));
    if (executor.command()) {
      executor.state(State.TERMINATING);
      executor.kill();
    }
  }

  private void killRunning(AgentFramework framework, ExecutorRun executor, ToAgent.KillTask kill) {
    if (!executor.command()) {
      executor.send(ExecutorEvents.kill(kill.taskId(), kill.policy()));
      return;
    }
    executor.killIsRequested();
    if (framework.has(Capability.Type.TASK_KILLING_STATE)) {
      commandUpdate(framework, executor, kill.taskId(), TaskState.TASK_KILLING, "");
    }
    executor.terminate();
    Duration grace =
        executor
            .task(kill.taskId())
            .map(task -> CommandTasks.killGrace(task.info(), kill.policy()))
            .orElse(AgentSettings.KILL_GRACE);
    alarms.set(shutdownAlarm(executor), grace, executor::kill);
  }

  // ---- updates

  private TaskStatus.Builder made(
      AgentFramework framework,
      String taskId,
      TaskState state,
      Reason reason,
      String message,
      String executorId) {
    LOG.debug("Task {} of framework {}: {} {}", taskId, framework.id(), state, message);
    TaskStatus.Builder status =
        TaskStatus.newBuilder()
            .setTaskId(TaskID.newBuilder().setValue(taskId))
            .setState(state)
            .setSource(TaskStatus.Source.SOURCE_AGENT)
            .setReason(reason)
            .setMessage(message)
            .setUuid(freshUuid());
    if (!executorId.isEmpty()) {
      status.setExecutorId(ExecutorID.newBuilder().setValue(executorId));
    }
    return status;
  }

  private static ByteString freshUuid() {
    UUID uuid = UUID.randomUUID();
    ByteBuffer bytes = ByteBuffer.allocate(16);
    bytes.putLong(uuid.getMostSignificantBits()).putLong(uuid.getLeastSignificantBits()).flip();
    return ByteString.copyFrom(bytes);
  }

  private double now() {
    Instant now = clock.instant();
    return now.getEpochSecond() + now.getNano() / 1e9;
  }

  private static String streamKey(String frameworkId, String taskId) {
    return frameworkId + "/" + taskId;
  }

  /** Takes an update in and sends it on if nothing is in front of it. */
  private void update(
      AgentFramework framework, Optional<ExecutorRun> executor, TaskStatus.Builder status) {
    String taskId = status.getTaskId().getValue();
    status.setAgentId(AgentID.newBuilder().setValue(registeredId()));
    if (!status.hasTimestamp()) {
      status.setTimestamp(now());
    }
    Optional<AgentTask> task = executor.flatMap(run -> taskOf(run, taskId));
    if (task.isPresent() && status.getSource() == TaskStatus.Source.SOURCE_EXECUTOR) {
      executor.ifPresent(run -> addContainerStatus(status, run));
    }
    TaskStatus complete = status.build();
    UpdateStream stream =
        streams.computeIfAbsent(
            streamKey(framework.id(), taskId),
            key -> new UpdateStream(settings.retryFirst(), settings.retryMost()));
    boolean first = stream.head().isEmpty();
    if (!stream.add(complete)) {
      return;
    }
    task.ifPresent(
        known -> {
          known.updated(complete);
          if (known.terminal()) {
            executor.ifPresent(run -> run.ended(known));
          }
        });
    if (first) {
      forward(framework.id(), taskId, stream);
    }
  }

  private static Optional<AgentTask> taskOf(ExecutorRun executor, String taskId) {
    if (executor.queued().containsKey(taskId)) {
      return Optional.of(executor.dropQueued(taskId));
    }
    return executor.task(taskId);
  }

  /** Adds what the agent knows of the container to what the executor said of it. */
  private void addContainerStatus(TaskStatus.Builder update, ExecutorRun executor) {
    ContainerStatus.Builder status =
        update
            .getContainerStatusBuilder()
            .setContainerId(ContainerID.newBuilder().setValue(executor.containerId()));
    if (status.getNetworkInfosCount() == 0) {
      status.addNetworkInfos(
          NetworkInfo.newBuilder()
              .addIpAddresses(NetworkInfo.IPAddress.newBuilder().setIpAddress(settings.ip())));
    }
    OptionalLong pid = executor.pid();
    if (pid.isPresent()) {
      status.setExecutorPid((int) pid.getAsLong());
    }
  }

  private static String retryAlarm(String key) {
    return "retry/" + key;
  }

  /** Sends the head of the stream; while there is no master, it has to wait for that. */
  private void forward(String frameworkId, String taskId, UpdateStream stream) {
    if (!registered) {
      return;
    }
    stream
        .head()
        .ifPresent(
            status -> {
              master.accept(
                  new FromAgent.Update(
                      registeredId(), frameworkId, status, latest(frameworkId, taskId, status)));
              alarms.set(
                  retryAlarm(streamKey(frameworkId, taskId)),
                  stream.nextPause(),
                  () -> forward(frameworkId, taskId, stream));
            });
  }

  private TaskState latest(String frameworkId, String taskId, TaskStatus status) {
    AgentFramework framework = frameworks.get(frameworkId);
    if (framework == null) {
      return status.getState();
    }
    return framework.executors().stream()
        .flatMap(executor -> executor.task(taskId).stream())
        .map(AgentTask::state)
        .findFirst()
        .orElse(status.getState());
  }

  private void acknowledge(ToAgent.Acknowledge acknowledge) {
    String key = streamKey(acknowledge.frameworkId(), acknowledge.taskId());
    UpdateStream stream = streams.get(key);
    if (stream == null || !stream.isHead(acknowledge.uuid())) {
      LOG.debug("Acknowledgement of task {} is not of the update under way", acknowledge.taskId());
      return;
    }
    alarms.cancel(retryAlarm(key));
    stream.acknowledge();
    if (!stream.finished()) {
      forward(acknowledge.frameworkId(), acknowledge.taskId(), stream);
      return;
    }
    streams.remove(key);
    AgentFramework framework = frameworks.get(acknowledge.frameworkId());
    if (framework != null) {
      for (ExecutorRun executor : List.copyOf(framework.executors())) {
        executor.acknowledged(acknowledge.taskId());
        cleanUp(framework, executor);
      }
    }
  }

  private void forget(AgentFramework framework, String taskId) {
    String key = streamKey(framework.id(), taskId);
    streams.remove(key);
    alarms.cancel(retryAlarm(key));
  }

  private void updateFramework(FrameworkInfo info) {
    AgentFramework framework = frameworks.get(info.getId().getValue());
    if (framework != null) {
      framework.info(info);
    }
    resume(info.getId().getValue() + "/");
  }

  /** Sends the heads of the streams at once, as if for the first time. */
  private void resume(String prefix) {
    for (Map.Entry<String, UpdateStream> entry : List.copyOf(streams.entrySet())) {
      if (entry.getKey().startsWith(prefix)) {
        int slash = entry.getKey().indexOf('/');
        entry.getValue().resume();
        forward(
            entry.getKey().substring(0, slash),
            entry.getKey().substring(slash + 1),
            entry.getValue());
      }
    }
  }

  // ---- from executors

  /**
   * An executor subscribes.
   *
   * @return why it may not; empty when its stream is open
   */
  public Optional<Answer> subscribe(Call call, EventSink stream) {
    AgentFramework framework = frameworks.get(call.getFrameworkId().getValue());
    if (framework == null) {
      return Optional.of(Answer.badRequest("Framework cannot be found"));
    }
    ExecutorRun executor = framework.byId().get(call.getExecutorId().getValue());
    if (executor == null) {
      return Optional.of(Answer.badRequest("Executor cannot be found"));
    }
    if (framework.terminating()
        || executor.state() == State.TERMINATING
        || executor.state() == State.TERMINATED) {
      stream.send(ExecutorEvents.SHUTDOWN);
      stream.complete();
      return Optional.empty();
    }
    executor.connect(stream);
    executor.state(State.RUNNING);
    alarms.cancel(registrationAlarm(executor));
    beat(executor);
    dropUnknownToExecutor(framework, executor, call.getSubscribe());
    if (!executor.everSentTask() && executor.queued().isEmpty()) {
      shutdown(executor);
      return Optional.empty();
    }
    executor.send(ExecutorEvents.subscribed(executor, framework.info(), info()));
    for (Call.Update update : call.getSubscribe().getUnacknowledgedUpdatesList()) {
      executorUpdate(framework, executor, update.getStatus());
    }
    for (TaskInfo task : List.copyOf(executor.queuedTasks())) {
      deliver(executor, task);
    }
    return Optional.empty();
  }

  private void beat(ExecutorRun executor) {
    alarms.set(
        heartbeatAlarm(executor),
        settings.heartbeat(),
        () -> {
          executor.send(ExecutorEvents.HEARTBEAT);
          beat(executor);
        });
  }

  /** Tasks that were on their way to the executor when the connection broke did not arrive. */
  private void dropUnknownToExecutor(
      AgentFramework framework, ExecutorRun executor, Call.Subscribe subscribe) {
    for (AgentTask task : List.copyOf(executor.launchedTasks())) {
      boolean known =
          subscribe.getUnacknowledgedTasksList().stream()
              .anyMatch(info -> info.getTaskId().equals(task.info().getTaskId()));
      boolean updated =
          subscribe.getUnacknowledgedUpdatesList().stream()
              .anyMatch(update -> update.getStatus().getTaskId().equals(task.info().getTaskId()));
      if (task.state() == TaskState.TASK_STAGING && !known && !updated) {
        update(
            framework,
            Optional.of(executor),
            made(
                framework,
                task.id(),
                lostOrDropped(framework),
                Reason.REASON_AGENT_RESTARTED,
                "Task launched during agent restart",
                executor.id()));
      }
    }
  }

  /** Any call of an executor but SUBSCRIBE and HEARTBEAT; it has been checked for its shape. */
  public Answer call(Call call) {
    AgentFramework framework = frameworks.get(call.getFrameworkId().getValue());
    if (framework == null) {
      return Answer.badRequest("Framework cannot be found");
    }
    ExecutorRun executor = framework.byId().get(call.getExecutorId().getValue());
    if (executor == null) {
      return Answer.badRequest("Executor cannot be found");
    }
    if (executor.state() == State.REGISTERING) {
      return Answer.forbidden("Executor is not subscribed");
    }
    if (call.getType() == Call.Type.UPDATE) {
      executorUpdate(framework, executor, call.getUpdate().getStatus());
    } else if (call.getType() == Call.Type.MESSAGE) {
      master.accept(
          new FromAgent.ExecutorMessage(
              registeredId(), framework.id(), executor.id(), call.getMessage().getData()));
    }
    return Answer.ACCEPTED;
  }

  private void executorUpdate(AgentFramework framework, ExecutorRun executor, TaskStatus status) {
    if (status.hasAgentId() && !status.getAgentId().getValue().equals(agentId)) {
      LOG.info("Ignoring an update of executor {} for another agent", executor.id());
      return;
    }
    if (!framework.terminating()) {
      String taskId = status.getTaskId().getValue();
      Optional<ExecutorRun> holder =
          framework.executors().stream()
              .filter(run -> run.task(taskId).isPresent() || run.queued().containsKey(taskId))
              .findFirst();
      boolean endedBefore =
          holder.flatMap(run -> run.task(taskId)).filter(AgentTask::terminal).isPresent();
      if (!endedBefore || !TaskStates.isTerminal(status.getState())) {
        update(framework, holder, status.toBuilder());
      }
    }
    executor.send(ExecutorEvents.acknowledged(status.getTaskId().getValue(), status.getUuid()));
  }

  /** An executor's stream has ended; nothing follows from that until it comes back or exits. */
  public void streamClosed(EventSink stream) {
    for (AgentFramework framework : frameworks.values()) {
      for (ExecutorRun executor : framework.executors()) {
        if (executor.hasStream(stream)) {
          executor.disconnect();
        }
      }
    }
  }

  // ---- the end of the agent, for a while or for ever

  /** The agent's process is gone; containers run on, and nothing is heard or said. */
  public void crash() {
    up = false;
    registered = false;
    for (AgentFramework framework : frameworks.values()) {
      for (ExecutorRun executor : framework.executors()) {
        alarms.cancel(registrationAlarm(executor));
        alarms.cancel(heartbeatAlarm(executor));
        alarms.cancel(shutdownAlarm(executor));
        executor.agentCrashed();
      }
    }
    streams.keySet().forEach(key -> alarms.cancel(retryAlarm(key)));
    if (agentId != null) {
      master.accept(new FromAgent.Disconnected(agentId));
    }
  }

  /** The agent's process starts again and finds what it had written down before. */
  public void recover() {
    up = true;
    for (AgentFramework framework : List.copyOf(frameworks.values())) {
      if (!framework.info().getCheckpoint()) {
        frameworks.remove(framework.id());
        for (ExecutorRun executor : framework.executors()) {
          executor.state(State.TERMINATED);
          executor.kill();
        }
        streams.keySet().removeIf(key -> key.startsWith(framework.id() + "/"));
      }
    }
    List<Runnable> held = List.copyOf(heldWhileDown);
    heldWhileDown.clear();
    held.forEach(Runnable::run);
    alarms.set("recovery", settings.reregistrationTimeout(), this::recovered);
  }

  /** Executors had their chance to come back; the master hears of those that did. */
  private void recovered() {
    for (AgentFramework framework : List.copyOf(frameworks.values())) {
      for (ExecutorRun executor : List.copyOf(framework.executors())) {
        boolean missing = !executor.command() && !executor.reconnected();
        if (missing && executor.state() != State.TERMINATED) {
          destroy(
              executor,
              new Termination(
                  Reason.REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
                  "Executor did not reregister within "
                      + MesosDuration.print(settings.reregistrationTimeout()),
                  true));
        }
      }
    }
    List<FrameworkInfo> infos = new ArrayList<>();
    List<FromAgent.RunningExecutor> executors = new ArrayList<>();
    List<FromAgent.RunningTask> tasks = new ArrayList<>();
    for (AgentFramework framework : frameworks.values()) {
      infos.add(framework.info());
      for (ExecutorRun executor : framework.executors()) {
        if (!executor.command() && executor.state() != State.TERMINATED) {
          executors.add(new FromAgent.RunningExecutor(framework.id(), executor.info()));
        }
        executor
            .queuedTasks()
            .forEach(
                task ->
                    tasks.add(
                        new FromAgent.RunningTask(
                            framework.id(), task, TaskState.TASK_STAGING, List.of())));
        executor.launchedTasks().forEach(task -> tasks.add(running(framework, task)));
        executor.unacknowledgedTasks().forEach(task -> tasks.add(running(framework, task)));
      }
    }
    master.accept(new FromAgent.Reregister(info(), settings.ip(), self, infos, executors, tasks));
  }

  private static FromAgent.RunningTask running(AgentFramework framework, AgentTask task) {
    return new FromAgent.RunningTask(
        framework.id(), task.info(), task.state(), List.copyOf(task.statuses()));
  }

  private void reregistered(ToAgent.Reregistered reregistered) {
    registered = true;
    for (ToAgent.UnknownTask unknown : reregistered.unknown()) {
      FrameworkInfo.Builder info =
          FrameworkInfo.newBuilder()
              .setUser("")
              .setName("")
              .setId(FrameworkID.newBuilder().setValue(unknown.frameworkId()));
      if (unknown.partitionAware()) {
        info.addCapabilities(
            FrameworkInfo.Capability.newBuilder().setType(Capability.Type.PARTITION_AWARE));
      }
      AgentFramework framework = new AgentFramework(info.build());
      update(
          framework,
          Optional.empty(),
          made(
              framework,
              unknown.taskId(),
              lostOrDropped(framework),
              Reason.REASON_RECONCILIATION,
              "Reconciliation: task unknown to the agent",
              ""));
    }
    resume("");
  }

  /** The machine is gone: every process ends at once and nothing is said to anybody. */
  void lose() {
    lost = true;
    up = false;
    for (AgentFramework framework : frameworks.values()) {
      framework.executors().forEach(ExecutorRun::kill);
    }
  }

  /** Asks all executors to end in order; they are killed when their grace is over. */
  void shutdownAll() {
    for (AgentFramework framework : List.copyOf(frameworks.values())) {
      shutdownFramework(framework.id());
    }
  }

  /** Whether no executor has a process any more. */
  public boolean idle() {
    return frameworks.values().stream()
        .flatMap(framework -> framework.executors().stream())
        .allMatch(executor -> executor.state() == State.TERMINATED);
  }
}
