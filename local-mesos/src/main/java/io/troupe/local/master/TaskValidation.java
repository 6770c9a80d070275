package io.troupe.local.master;

import com.google.protobuf.TextFormat;
import io.troupe.local.allocator.MesosResources;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.ContainerInfo;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.HealthCheck;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.TaskInfo;

/**
 * Whether a task may be launched on what was offered; the order of the checks and the texts are a
 * Mesos master's. Pure.
 */
final class TaskValidation {

  private TaskValidation() {}

  /**
   * What the check needs to know beside the task.
   *
   * @param knownTask whether the framework has a task of this id that is not finished with
   * @param unreachableTask whether a task of this id is on an agent that is unreachable
   * @param executor what the framework already runs under the task's executor id on the agent
   * @param available what is left of the offers
   */
  record Context(
      String frameworkId,
      String agentId,
      boolean knownTask,
      boolean unreachableTask,
      Optional<ExecutorInfo> executor,
      MesosResources available) {}

  /** What is wrong with the task; empty when nothing is. */
  static Optional<String> error(TaskInfo task, Context context) {
    return Ids.error(task.getTaskId().getValue())
        .or(() -> knownError(task, context))
        .or(() -> agentError(task, context))
        .or(() -> policyError(task))
        .or(() -> healthCheckError(task))
        .or(() -> taskResourcesError(task))
        .or(() -> environmentError(task.getCommand(), "Task's `CommandInfo` is invalid: "))
        .or(() -> containerError(task))
        .or(() -> executorError(task, context))
        .or(() -> fitError(task, context));
  }

  private static Optional<String> when(boolean wrong, String error) {
    return wrong ? Optional.of(error) : Optional.empty();
  }

  private static Optional<String> knownError(TaskInfo task, Context context) {
    String id = task.getTaskId().getValue();
    return when(context.knownTask(), "Task has duplicate ID: " + id)
        .or(
            () ->
                when(
                    context.unreachableTask(), "Task reuses the ID of an unreachable task: " + id));
  }

  private static Optional<String> agentError(TaskInfo task, Context context) {
    return when(
        !task.getAgentId().getValue().equals(context.agentId()),
        "Task uses invalid agent "
            + task.getAgentId().getValue()
            + " while agent "
            + context.agentId()
            + " is expected");
  }

  private static Optional<String> policyError(TaskInfo task) {
    return when(
            task.getKillPolicy().getGracePeriod().getNanoseconds() < 0,
            "Task's 'kill_policy.grace_period' must be non-negative")
        .or(
            () ->
                when(
                    task.getMaxCompletionTime().getNanoseconds() < 0,
                    "Task's `max_completion_time` must be non-negative"));
  }

  private static Optional<String> healthCheckError(TaskInfo task) {
    if (!task.hasHealthCheck()) {
      return Optional.empty();
    }
    HealthCheck check = task.getHealthCheck();
    String error = null;
    if (!check.hasType()) {
      error = "HealthCheck must specify 'type'";
    } else if (check.getType() == HealthCheck.Type.COMMAND && !check.hasCommand()) {
      error = "Expecting 'command' to be set for COMMAND health check";
    } else if (check.getType() == HealthCheck.Type.HTTP && !check.hasHttp()) {
      error = "Expecting 'http' to be set for HTTP health check";
    } else if (check.getType() == HealthCheck.Type.TCP && !check.hasTcp()) {
      error = "Expecting 'tcp' to be set for TCP health check";
    }
    return Optional.ofNullable(error).map(text -> "Task uses invalid health check: " + text);
  }

  private static Optional<String> taskResourcesError(TaskInfo task) {
    return when(task.getResourcesCount() == 0, "Task uses no resources")
        .or(() -> ResourceValidation.error(task.getResourcesList()))
        .or(() -> allocationError(task.getResourcesList()));
  }

  private static Optional<String> allocationError(List<Resource> resources) {
    long roles =
        resources.stream()
            .map(resource -> resource.getAllocationInfo().getRole())
            .distinct()
            .count();
    return when(roles > 1, "The resources have multiple allocation roles");
  }

  private static Optional<String> environmentError(CommandInfo command, String prefix) {
    return command.getEnvironment().getVariablesList().stream()
        .filter(variable -> variable.getName().isEmpty())
        .findFirst()
        .map(variable -> prefix + "Environment variable has an empty name");
  }

  private static Optional<String> containerError(TaskInfo task) {
    return when(
        task.getContainer().getType() == ContainerInfo.Type.DOCKER
            && task.hasContainer()
            && !task.getContainer().hasDocker(),
        "Task's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed"
            + " ContainerInfo");
  }

  private static Optional<String> executorError(TaskInfo task, Context context) {
    if (task.hasExecutor() == task.hasCommand()) {
      return Optional.of(
          "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present");
    }
    if (!task.hasExecutor()) {
      return Optional.empty();
    }
    ExecutorInfo executor = task.getExecutor();
    return Ids.error(executor.getExecutorId().getValue())
        .or(() -> typeError(executor))
        .or(() -> frameworkError(executor, context))
        .or(() -> ResourceValidation.error(executor.getResourcesList()))
        .or(() -> compatibilityError(executor, context))
        .or(() -> environmentError(executor.getCommand(), "Executor's `CommandInfo` is invalid: "));
  }

  private static Optional<String> typeError(ExecutorInfo executor) {
    if (!executor.hasType()) {
      return when(!executor.hasCommand(), "'ExecutorInfo.command' must be set");
    }
    return switch (executor.getType()) {
      case CUSTOM ->
          when(!executor.hasCommand(), "'ExecutorInfo.command' must be set for 'CUSTOM' executor");
      case DEFAULT ->
          when(
                  executor.hasCommand(),
                  "'ExecutorInfo.command' must not be set for 'DEFAULT' executor")
              .or(() -> Optional.of("'ExecutorInfo.type' must be 'CUSTOM'"));
      case UNKNOWN -> Optional.of("'ExecutorInfo.type' must be 'CUSTOM'");
    };
  }

  private static Optional<String> frameworkError(ExecutorInfo executor, Context context) {
    String actual = executor.getFrameworkId().getValue();
    return when(
        !actual.equals(context.frameworkId()),
        "ExecutorInfo has an invalid FrameworkID (Actual: "
            + actual
            + " vs Expected: "
            + context.frameworkId()
            + ")");
  }

  private static Optional<String> compatibilityError(ExecutorInfo executor, Context context) {
    String line = "-".repeat(60) + "\n";
    return context
        .executor()
        .filter(existing -> !sameExecutor(existing, executor))
        .map(
            existing ->
                "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n"
                    + line
                    + "Existing ExecutorInfo:\n"
                    + text(existing)
                    + "\n"
                    + line
                    + "ExecutorInfo:\n"
                    + text(executor)
                    + "\n"
                    + line);
  }

  private static String text(ExecutorInfo executor) {
    return TextFormat.printer().printToString(executor).replaceAll("(value: -?\\d+)\\.0\n", "$1\n");
  }

  /** Labels and the shutdown grace period may differ. */
  static boolean sameExecutor(ExecutorInfo one, ExecutorInfo other) {
    return comparable(one).equals(comparable(other))
        && MesosResources.of(one.getResourcesList())
            .equals(MesosResources.of(other.getResourcesList()))
        && sameCommand(one.getCommand(), other.getCommand());
  }

  private static ExecutorInfo comparable(ExecutorInfo executor) {
    return executor.toBuilder()
        .clearLabels()
        .clearShutdownGracePeriod()
        .clearResources()
        .clearCommand()
        .build();
  }

  private static boolean sameCommand(CommandInfo one, CommandInfo other) {
    return one.toBuilder()
            .clearEnvironment()
            .clearUris()
            .build()
            .equals(other.toBuilder().clearEnvironment().clearUris().build())
        && new HashSet<>(one.getEnvironment().getVariablesList())
            .equals(new HashSet<>(other.getEnvironment().getVariablesList()))
        && new HashSet<>(one.getUrisList()).equals(new HashSet<>(other.getUrisList()));
  }

  /** What the task takes from the offers: its own, and its executor's if that must be started. */
  static MesosResources required(TaskInfo task, Optional<ExecutorInfo> running) {
    MesosResources required = MesosResources.of(task.getResourcesList());
    return task.hasExecutor() && running.isEmpty()
        ? required.plus(MesosResources.of(task.getExecutor().getResourcesList()))
        : required;
  }

  private static Optional<String> fitError(TaskInfo task, Context context) {
    MesosResources required = required(task, context.executor());
    return when(
        !context.available().contains(required),
        "Total resources "
            + required
            + " required by task and its executor is more than available "
            + context.available());
  }
}
