package io.troupe.local.master;

import com.google.protobuf.ByteString;
import java.util.List;
import java.util.function.Consumer;
import org.apache.mesos.v1.Protos.AgentInfo;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;

/** What an agent tells the master. */
public sealed interface FromAgent {

  /**
   * A new agent is there; the answer is {@link ToAgent.Registered}.
   *
   * @param info without id
   * @param ip where it listens
   */
  record Register(AgentInfo info, String ip, Consumer<ToAgent> agent) implements FromAgent {}

  /**
   * A known agent is back, with what survived on it; the answer is {@link ToAgent.Reregistered}.
   */
  record Reregister(
      AgentInfo info,
      String ip,
      Consumer<ToAgent> agent,
      List<FrameworkInfo> frameworks,
      List<RunningExecutor> executors,
      List<RunningTask> tasks)
      implements FromAgent {}

  /** A custom executor that is alive on the agent. */
  record RunningExecutor(String frameworkId, ExecutorInfo info) {}

  /** A task that is on the agent, with its newest status first known to the agent. */
  record RunningTask(
      String frameworkId, TaskInfo info, TaskState state, List<TaskStatus> statuses) {}

  /** The connection to the agent is lost, as its process ended. */
  record Disconnected(String agentId) implements FromAgent {}

  /**
   * News of a task.
   *
   * @param latest the newest state that the agent knows, which may be ahead of this update's
   */
  record Update(String agentId, String frameworkId, TaskStatus status, TaskState latest)
      implements FromAgent {}

  /**
   * A custom executor has ended.
   *
   * @param status as of wait(2); -1 when unknown
   */
  record ExitedExecutor(String agentId, String frameworkId, String executorId, int status)
      implements FromAgent {}

  /** An executor's message for its framework. */
  record ExecutorMessage(String agentId, String frameworkId, String executorId, ByteString data)
      implements FromAgent {}

  /** The agent is alive. */
  record Pong(String agentId) implements FromAgent {}
}
