package io.troupe.local.agent;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.KillPolicy;
import org.apache.mesos.v1.Protos.TaskInfo;

/** What the agent makes up for tasks that are just a command. Pure. */
final class CommandTasks {

  private static final int LONG_COMMAND = 15;
  private static final int SHORTENED = 12;

  private CommandTasks() {}

  /** The executor that the task would have, had it named one. */
  static ExecutorInfo executorFor(TaskInfo task, FrameworkInfo framework) {
    CommandInfo command = task.getCommand();
    String shown =
        command.getShell() ? command.getValue() : String.join(" ", command.getArgumentsList());
    String text = shown.length() > LONG_COMMAND ? shown.substring(0, SHORTENED) + "..." : shown;
    return ExecutorInfo.newBuilder()
        .setExecutorId(ExecutorID.newBuilder().setValue(task.getTaskId().getValue()))
        .setFrameworkId(framework.getId())
        .setCommand(command)
        .setName(
            "Command Executor (Task: "
                + task.getTaskId().getValue()
                + ") (Command: "
                + (command.getShell() ? "sh -c '" + text + "'" : text)
                + ")")
        .build();
  }

  /** Variables that only command tasks get. */
  static Map<String, String> variables(TaskInfo task) {
    String role =
        task.getResourcesCount() == 0 ? "*" : task.getResources(0).getAllocationInfo().getRole();
    return Map.of("MESOS_ALLOCATION_ROLE", role);
  }

  /** How long the task has between SIGTERM and SIGKILL. */
  static Duration killGrace(TaskInfo task, Optional<KillPolicy> policy) {
    KillPolicy own = policy.orElse(task.getKillPolicy());
    return own.hasGracePeriod()
        ? Duration.ofNanos(own.getGracePeriod().getNanoseconds())
        : AgentSettings.KILL_GRACE;
  }
}
