package io.troupe.local.agent;

import com.google.protobuf.ByteString;
import java.util.Optional;
import org.apache.mesos.v1.Protos.AgentInfo;
import org.apache.mesos.v1.Protos.ContainerID;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.KillPolicy;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.executor.Protos.Event;

/** The events of the executor API. Pure. */
final class ExecutorEvents {

  static final Event SHUTDOWN = Event.newBuilder().setType(Event.Type.SHUTDOWN).build();
  static final Event HEARTBEAT = Event.newBuilder().setType(Event.Type.HEARTBEAT).build();

  private ExecutorEvents() {}

  static Event subscribed(ExecutorRun executor, FrameworkInfo framework, AgentInfo agent) {
    return Event.newBuilder()
        .setType(Event.Type.SUBSCRIBED)
        .setSubscribed(
            Event.Subscribed.newBuilder()
                .setExecutorInfo(executor.info())
                .setFrameworkInfo(framework)
                .setAgentInfo(agent)
                .setContainerId(ContainerID.newBuilder().setValue(executor.containerId())))
        .build();
  }

  static Event launch(TaskInfo task) {
    return Event.newBuilder()
        .setType(Event.Type.LAUNCH)
        .setLaunch(Event.Launch.newBuilder().setTask(task))
        .build();
  }

  static Event kill(String taskId, Optional<KillPolicy> policy) {
    Event.Kill.Builder kill =
        Event.Kill.newBuilder().setTaskId(TaskID.newBuilder().setValue(taskId));
    policy.ifPresent(kill::setKillPolicy);
    return Event.newBuilder().setType(Event.Type.KILL).setKill(kill).build();
  }

  static Event acknowledged(String taskId, ByteString uuid) {
    return Event.newBuilder()
        .setType(Event.Type.ACKNOWLEDGED)
        .setAcknowledged(
            Event.Acknowledged.newBuilder()
                .setTaskId(TaskID.newBuilder().setValue(taskId))
                .setUuid(uuid))
        .build();
  }

  static Event message(ByteString data) {
    return Event.newBuilder()
        .setType(Event.Type.MESSAGE)
        .setMessage(Event.Message.newBuilder().setData(data))
        .build();
  }
}
