package io.troupe.local.master;

import com.google.protobuf.ByteString;
import java.util.List;
import java.util.Optional;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.KillPolicy;
import org.apache.mesos.v1.Protos.TaskInfo;

/** What the master tells an agent. */
public sealed interface ToAgent {

  /** The agent has its id; it keeps it for life. */
  record Registered(String agentId) implements ToAgent {}

  /** The master knows the returned agent again; tasks it has that the agent did not name. */
  record Reregistered(List<UnknownTask> unknown) implements ToAgent {}

  /** A task that the master believes to be on the agent. */
  record UnknownTask(String frameworkId, String taskId, boolean partitionAware) {}

  /**
   * The task is to run, in the executor or as a command.
   *
   * @param executor empty for a command task
   */
  record RunTask(FrameworkInfo framework, Optional<ExecutorInfo> executor, TaskInfo task)
      implements ToAgent {}

  /** The task is to end. */
  record KillTask(String frameworkId, String taskId, Optional<KillPolicy> policy)
      implements ToAgent {}

  /** The executor is to end. */
  record ShutdownExecutor(String frameworkId, String executorId) implements ToAgent {}

  /** The framework is gone: all its executors are to end. */
  record ShutdownFramework(String frameworkId) implements ToAgent {}

  /** The framework is (again) there, as described; updates held for it are to be sent now. */
  record UpdateFramework(FrameworkInfo framework) implements ToAgent {}

  /** The framework has seen the update. */
  record Acknowledge(String frameworkId, String taskId, ByteString uuid) implements ToAgent {}

  /** A framework's message for its executor. */
  record FrameworkMessage(String frameworkId, String executorId, ByteString data)
      implements ToAgent {}

  /** Is the agent alive? */
  enum Ping implements ToAgent {
    NOW
  }
}
