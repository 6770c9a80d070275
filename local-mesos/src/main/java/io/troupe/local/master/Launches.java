package io.troupe.local.master;

import io.troupe.local.allocator.MesosResources;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo.Capability;
import org.apache.mesos.v1.Protos.Offer.Operation;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.Resource.AllocationInfo;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus.Reason;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Carries out the operations of an ACCEPT, task by task. Belongs to the master's thread. */
final class Launches {

  private static final Logger LOG = LoggerFactory.getLogger(Launches.class);

  private final Clock clock;

  Launches(Clock clock) {
    this.clock = clock;
  }

  /** The offers were no good: no task of the call runs. */
  void refuse(Framework framework, Call.Accept accept, String error) {
    tasksOf(accept)
        .forEach(
            task ->
                tell(
                    framework,
                    task,
                    lostOrDropped(framework),
                    Reason.REASON_INVALID_OFFERS,
                    "Task launched with invalid offers: " + error));
  }

  /** The agent went away meanwhile: no task of the call runs. */
  void agentGone(Framework framework, Call.Accept accept, boolean disconnected) {
    tasksOf(accept)
        .forEach(
            task ->
                tell(
                    framework,
                    task,
                    lostOrDropped(framework),
                    disconnected ? Reason.REASON_AGENT_DISCONNECTED : Reason.REASON_AGENT_REMOVED,
                    disconnected ? "Agent disconnected" : "Agent removed"));
  }

  private static TaskState lostOrDropped(Framework framework) {
    return framework.has(Capability.Type.PARTITION_AWARE)
        ? TaskState.TASK_DROPPED
        : TaskState.TASK_LOST;
  }

  private static Stream<TaskInfo> tasksOf(Call.Accept accept) {
    return accept.getOperationsList().stream()
        .flatMap(
            operation ->
                Stream.concat(
                    operation.getLaunch().getTaskInfosList().stream(),
                    operation.getLaunchGroup().getTaskGroup().getTasksList().stream()));
  }

  private void tell(
      Framework framework, TaskInfo task, TaskState state, Reason reason, String message) {
    LOG.info(
        "Task {} of {} not launched: {}", task.getTaskId().getValue(), framework.id(), message);
    framework.send(
        Events.update(
            Statuses.of(task.getTaskId().getValue(), state, reason, message, clock.instant())
                .setAgentId(task.getAgentId())
                .build()));
  }

  /**
   * Launches what can be launched.
   *
   * @return what is left of the offered resources
   */
  MesosResources launch(
      Framework framework, Agent agent, String role, MesosResources offered, Call.Accept accept) {
    MesosResources left = offered;
    for (Operation operation : accept.getOperationsList()) {
      if (operation.getType() == Operation.Type.LAUNCH) {
        for (TaskInfo task : operation.getLaunch().getTaskInfosList()) {
          left = launch(framework, agent, role, left, task, operation.hasId());
        }
      } else if (operation.getType() == Operation.Type.LAUNCH_GROUP) {
        for (TaskInfo task : operation.getLaunchGroup().getTaskGroup().getTasksList()) {
          tell(
              framework,
              task,
              TaskState.TASK_ERROR,
              Reason.REASON_TASK_GROUP_INVALID,
              "Task groups are not supported by this embedded Mesos");
        }
      } else {
        refuse(framework, agent, operation);
      }
    }
    return left;
  }

  /** Whoever asked to hear of the operation hears that it failed; others would not from Mesos. */
  private static void refuse(Framework framework, Agent agent, Operation operation) {
    LOG.info("Operation {} of {} is not supported", operation.getType(), framework.id());
    if (operation.hasId()) {
      framework.send(Events.operationError(agent.id(), operation));
    }
  }

  private MesosResources launch(
      Framework framework,
      Agent agent,
      String role,
      MesosResources left,
      TaskInfo asked,
      boolean operationId) {
    TaskInfo task = completed(asked, framework, role);
    Optional<ExecutorInfo> running =
        task.hasExecutor()
            ? framework.executor(agent.id(), task.getExecutor().getExecutorId().getValue())
            : Optional.empty();
    Optional<String> error =
        operationId
            ? Optional.of("The `id` field cannot be set on LAUNCH operations")
            : invalid(asked)
                .or(
                    () ->
                        TaskValidation.error(task, context(framework, agent, task, running, left)));
    if (error.isPresent()) {
      tell(framework, task, TaskState.TASK_ERROR, Reason.REASON_TASK_INVALID, error.get());
      return left;
    }
    framework.add(new TaskRecord(framework.id(), task));
    if (task.hasExecutor() && running.isEmpty()) {
      framework.addExecutor(agent.id(), task.getExecutor());
    }
    agent.tell(
        new ToAgent.RunTask(
            framework.info(),
            task.hasExecutor() ? Optional.of(running.orElse(task.getExecutor())) : Optional.empty(),
            task));
    return left.minus(TaskValidation.required(task, running));
  }

  private static Optional<String> invalid(TaskInfo task) {
    return ResourceValidation.error(task.getResourcesList())
        .or(() -> ResourceValidation.error(task.getExecutor().getResourcesList()));
  }

  private static TaskValidation.Context context(
      Framework framework,
      Agent agent,
      TaskInfo task,
      Optional<ExecutorInfo> running,
      MesosResources left) {
    String taskId = task.getTaskId().getValue();
    return new TaskValidation.Context(
        framework.id(),
        agent.id(),
        framework.task(taskId).isPresent(),
        framework.isUnreachable(taskId),
        running,
        left);
  }

  /** The task with what the framework need not say: allocation role, the executor's framework. */
  private static TaskInfo completed(TaskInfo asked, Framework framework, String role) {
    TaskInfo.Builder task = asked.toBuilder().clearResources();
    task.addAllResources(allocated(asked.getResourcesList(), role));
    if (asked.hasExecutor()) {
      ExecutorInfo.Builder executor = task.getExecutorBuilder().clearResources();
      executor.addAllResources(allocated(asked.getExecutor().getResourcesList(), role));
      if (!executor.hasFrameworkId()) {
        executor.setFrameworkId(framework.info().getId());
      }
    }
    return task.build();
  }

  private static List<Resource> allocated(List<Resource> resources, String role) {
    return resources.stream()
        .map(MesosResources::refined)
        .map(
            resource ->
                resource.hasAllocationInfo()
                    ? resource
                    : resource.toBuilder()
                        .setAllocationInfo(AllocationInfo.newBuilder().setRole(role))
                        .build())
        .toList();
  }
}
