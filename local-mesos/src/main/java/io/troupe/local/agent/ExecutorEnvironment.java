package io.troupe.local.agent;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.Environment;
import org.apache.mesos.v1.Protos.ExecutorInfo;

/** The variables that an executor starts with; nothing of this process's own. Pure. */
final class ExecutorEnvironment {

  private static final String DEFAULT_PATH =
      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

  private ExecutorEnvironment() {}

  /** Variables of the executor in the sandbox; what comes later in here wins. */
  static Map<String, String> of(
      AgentSettings settings,
      String agentId,
      ExecutorInfo executor,
      CommandInfo command,
      boolean checkpoint,
      Path sandbox) {
    Map<String, String> variables = new LinkedHashMap<>();
    String endpoint = settings.ip() + ":" + settings.port();
    variables.put("LIBPROCESS_IP", settings.ip());
    variables.putAll(settings.executorEnvironment());
    variables.put("LIBPROCESS_PORT", "0");
    variables.put("MESOS_FRAMEWORK_ID", executor.getFrameworkId().getValue());
    variables.put("MESOS_EXECUTOR_ID", executor.getExecutorId().getValue());
    variables.put("MESOS_SLAVE_ID", agentId);
    variables.put("MESOS_SLAVE_PID", "slave(1)@" + endpoint);
    variables.put("MESOS_AGENT_ENDPOINT", endpoint);
    variables.put("MESOS_DIRECTORY", sandbox.toString());
    variables.put("MESOS_CHECKPOINT", checkpoint ? "1" : "0");
    variables.put("MESOS_HTTP_COMMAND_EXECUTOR", "0");
    variables.put(
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
        MesosDuration.print(shutdownGrace(settings, executor)));
    if (checkpoint) {
      variables.put("MESOS_RECOVERY_TIMEOUT", MesosDuration.print(settings.recoveryTimeout()));
      variables.put(
          "MESOS_SUBSCRIPTION_BACKOFF_MAX", MesosDuration.print(settings.reregistrationTimeout()));
    }
    variables.put("MESOS_SANDBOX", sandbox.toString());
    variables.put("PWD", sandbox.toString());
    for (Environment.Variable variable : command.getEnvironment().getVariablesList()) {
      variables.put(variable.getName(), variable.getValue());
    }
    variables.putIfAbsent("PATH", DEFAULT_PATH);
    return variables;
  }

  /** How long the executor may take to end. */
  static Duration shutdownGrace(AgentSettings settings, ExecutorInfo executor) {
    return executor.hasShutdownGracePeriod()
        ? Duration.ofNanos(executor.getShutdownGracePeriod().getNanoseconds())
        : settings.shutdownGrace();
  }
}
