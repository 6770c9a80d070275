package io.troupe.scheduler.mesos;

import com.google.protobuf.ByteString;
import io.troupe.scheduler.pool.ExecutorContainer;
import io.troupe.scheduler.pool.ExecutorPlan;
import io.troupe.scheduler.pool.ExecutorRecord;
import io.troupe.scheduler.pool.MasterCall;
import java.time.Duration;
import java.util.Optional;
import org.apache.mesos.v1.Protos;
import org.apache.mesos.v1.Protos.AgentID;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.ContainerInfo;
import org.apache.mesos.v1.Protos.ContainerInfo.DockerInfo;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.Filters;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo.Capability;
import org.apache.mesos.v1.Protos.OfferID;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.scheduler.Protos.Call;

/** What the scheduler asks, as calls of the Mesos v1 API. Pure. */
final class Calls {

  private Calls() {}

  /** The framework as the master gets to know it. */
  static FrameworkInfo framework(MesosSettings settings, Optional<String> id) {
    FrameworkInfo.Builder info =
        FrameworkInfo.newBuilder()
            .setUser(settings.user())
            .setName(settings.frameworkName())
            .addAllRoles(settings.roles())
            .setCheckpoint(true)
            .setFailoverTimeout(settings.failoverTimeout().toMillis() / 1000.0)
            .addCapabilities(capability(Capability.Type.PARTITION_AWARE))
            .addCapabilities(capability(Capability.Type.MULTI_ROLE))
            .addCapabilities(capability(Capability.Type.RESERVATION_REFINEMENT))
            .addCapabilities(capability(Capability.Type.TASK_KILLING_STATE));
    id.ifPresent(value -> info.setId(FrameworkID.newBuilder().setValue(value)));
    settings.credentials().ifPresent(c -> info.setPrincipal(c.principal()));
    if (!settings.webUiUrl().isEmpty()) {
      info.setWebuiUrl(settings.webUiUrl());
    }
    return info.build();
  }

  private static Capability capability(Capability.Type type) {
    return Capability.newBuilder().setType(type).build();
  }

  static Call subscribe(MesosSettings settings, MasterCall.Subscribe subscribe) {
    Call.Subscribe.Builder body =
        Call.Subscribe.newBuilder().setFrameworkInfo(framework(settings, subscribe.frameworkId()));
    if (subscribe.suppressed()) {
      body.addAllSuppressedRoles(settings.roles());
    }
    Call.Builder call = Call.newBuilder().setType(Call.Type.SUBSCRIBE).setSubscribe(body);
    subscribe
        .frameworkId()
        .ifPresent(id -> call.setFrameworkId(FrameworkID.newBuilder().setValue(id)));
    return call.build();
  }

  static Call accept(String frameworkId, MasterCall.Accept accept) {
    Protos.Offer.Operation.Launch.Builder launch = Protos.Offer.Operation.Launch.newBuilder();
    for (MasterCall.Launch task : accept.launches()) {
      launch.addTaskInfos(task(frameworkId, accept.agentId(), task));
    }
    return call(frameworkId, Call.Type.ACCEPT)
        .setAccept(
            Call.Accept.newBuilder()
                .addOfferIds(OfferID.newBuilder().setValue(accept.offerId()))
                .addOperations(
                    Protos.Offer.Operation.newBuilder()
                        .setType(Protos.Offer.Operation.Type.LAUNCH)
                        .setLaunch(launch))
                .setFilters(filters(accept.refuse())))
        .build();
  }

  private static TaskInfo task(String frameworkId, String agentId, MasterCall.Launch launch) {
    return TaskInfo.newBuilder()
        .setName(launch.plan().pool() + " worker")
        .setTaskId(TaskID.newBuilder().setValue(launch.taskId()))
        .setAgentId(AgentID.newBuilder().setValue(agentId))
        .addAllResources(Parts.toResources(launch.resources()))
        .setExecutor(executor(frameworkId, launch.plan(), launch.executor()))
        .setData(ByteString.copyFrom(launch.data()))
        .build();
  }

  /** The same for the same plan and record, whenever it is made: the master compares. */
  static ExecutorInfo executor(String frameworkId, ExecutorPlan plan, ExecutorRecord executor) {
    CommandInfo.Builder command = CommandInfo.newBuilder().setShell(true).setValue(plan.command());
    plan.bundle()
        .forEach(
            bundle ->
                command.addUris(
                    uri(executor.filesUrl(), bundle.sha256(), bundle.outputFile())
                        .setExtract(true)));
    plan.files()
        .forEach(
            file ->
                command.addUris(
                    uri(executor.filesUrl(), file.sha256(), file.outputFile()).setExtract(false)));
    ExecutorInfo.Builder info =
        ExecutorInfo.newBuilder()
            .setType(ExecutorInfo.Type.CUSTOM)
            .setExecutorId(ExecutorID.newBuilder().setValue(executor.executorId()))
            .setFrameworkId(FrameworkID.newBuilder().setValue(frameworkId))
            .setName("troupe " + plan.pool())
            .setCommand(command)
            .addAllResources(Parts.toResources(executor.resources()))
            .setShutdownGracePeriod(duration(plan.shutdownGrace()));
    plan.container().ifPresent(container -> info.setContainer(container(container)));
    return info.build();
  }

  private static ContainerInfo container(ExecutorContainer container) {
    ContainerInfo.Builder info = ContainerInfo.newBuilder();
    for (ExecutorContainer.Volume volume : container.volumes()) {
      info.addVolumes(
          Protos.Volume.newBuilder()
              .setMode(volume.readOnly() ? Protos.Volume.Mode.RO : Protos.Volume.Mode.RW)
              .setContainerPath(volume.container())
              .setHostPath(volume.host()));
    }
    Optional<DockerInfo.Network> ofDocker =
        switch (container.network()) {
          case ExecutorContainer.HOST -> Optional.of(DockerInfo.Network.HOST);
          case "bridge" -> Optional.of(DockerInfo.Network.BRIDGE);
          case "none" -> Optional.of(DockerInfo.Network.NONE);
          default -> Optional.empty();
        };
    boolean named =
        container.type() == ExecutorContainer.Type.MESOS
            ? !container.network().equals(ExecutorContainer.HOST)
            : ofDocker.isEmpty();
    if (named) {
      info.addNetworkInfos(Protos.NetworkInfo.newBuilder().setName(container.network()));
    }
    return switch (container.type()) {
      case MESOS ->
          info.setType(ContainerInfo.Type.MESOS)
              .setMesos(
                  ContainerInfo.MesosInfo.newBuilder()
                      .setImage(
                          Protos.Image.newBuilder()
                              .setType(Protos.Image.Type.DOCKER)
                              .setDocker(
                                  Protos.Image.Docker.newBuilder().setName(container.image()))
                              .setCached(!container.pull())))
              .build();
      case DOCKER ->
          info.setType(ContainerInfo.Type.DOCKER)
              .setDocker(
                  DockerInfo.newBuilder()
                      .setImage(container.image())
                      .setNetwork(ofDocker.orElse(DockerInfo.Network.USER))
                      .setForcePullImage(container.pull()))
              .build();
    };
  }

  private static CommandInfo.URI.Builder uri(String filesUrl, String sha256, String outputFile) {
    return CommandInfo.URI
        .newBuilder()
        .setValue(filesUrl + "/v1/files/" + sha256)
        .setCache(true)
        .setOutputFile(outputFile);
  }

  static Call decline(String frameworkId, MasterCall.Decline decline) {
    Call.Decline.Builder body = Call.Decline.newBuilder().setFilters(filters(decline.refuse()));
    decline.offerIds().forEach(id -> body.addOfferIds(OfferID.newBuilder().setValue(id)));
    return call(frameworkId, Call.Type.DECLINE).setDecline(body).build();
  }

  static Call kill(String frameworkId, MasterCall.Kill kill) {
    Call.Kill.Builder body =
        Call.Kill.newBuilder().setTaskId(TaskID.newBuilder().setValue(kill.taskId()));
    if (!kill.agentId().isEmpty()) {
      body.setAgentId(AgentID.newBuilder().setValue(kill.agentId()));
    }
    kill.grace()
        .ifPresent(
            grace ->
                body.setKillPolicy(Protos.KillPolicy.newBuilder().setGracePeriod(duration(grace))));
    return call(frameworkId, Call.Type.KILL).setKill(body).build();
  }

  static Call acknowledge(String frameworkId, MasterCall.Acknowledge acknowledge) {
    return call(frameworkId, Call.Type.ACKNOWLEDGE)
        .setAcknowledge(
            Call.Acknowledge.newBuilder()
                .setAgentId(AgentID.newBuilder().setValue(acknowledge.receipt().agentId()))
                .setTaskId(TaskID.newBuilder().setValue(acknowledge.receipt().taskId()))
                .setUuid(Events.uuid(acknowledge.receipt().uuid())))
        .build();
  }

  static Call reconcile(String frameworkId, MasterCall.Reconcile reconcile) {
    Call.Reconcile.Builder body = Call.Reconcile.newBuilder();
    for (MasterCall.TaskOnAgent task : reconcile.tasks()) {
      body.addTasks(
          Call.Reconcile.Task.newBuilder()
              .setTaskId(TaskID.newBuilder().setValue(task.taskId()))
              .setAgentId(AgentID.newBuilder().setValue(task.agentId())));
    }
    return call(frameworkId, Call.Type.RECONCILE).setReconcile(body).build();
  }

  static Call message(String frameworkId, MasterCall.Message message) {
    return call(frameworkId, Call.Type.MESSAGE)
        .setMessage(
            Call.Message.newBuilder()
                .setAgentId(AgentID.newBuilder().setValue(message.agentId()))
                .setExecutorId(ExecutorID.newBuilder().setValue(message.executorId()))
                .setData(ByteString.copyFrom(message.data())))
        .build();
  }

  static Call shutdown(String frameworkId, MasterCall.Shutdown shutdown) {
    return call(frameworkId, Call.Type.SHUTDOWN)
        .setShutdown(
            Call.Shutdown.newBuilder()
                .setAgentId(AgentID.newBuilder().setValue(shutdown.agentId()))
                .setExecutorId(ExecutorID.newBuilder().setValue(shutdown.executorId())))
        .build();
  }

  static Call suppress(String frameworkId) {
    return call(frameworkId, Call.Type.SUPPRESS).build();
  }

  static Call revive(String frameworkId) {
    return call(frameworkId, Call.Type.REVIVE).build();
  }

  static Call teardown(String frameworkId) {
    return call(frameworkId, Call.Type.TEARDOWN).build();
  }

  private static Call.Builder call(String frameworkId, Call.Type type) {
    return Call.newBuilder()
        .setType(type)
        .setFrameworkId(FrameworkID.newBuilder().setValue(frameworkId));
  }

  private static Filters filters(Duration refuse) {
    return Filters.newBuilder().setRefuseSeconds(refuse.toMillis() / 1000.0).build();
  }

  private static Protos.DurationInfo duration(Duration duration) {
    return Protos.DurationInfo.newBuilder().setNanoseconds(duration.toNanos()).build();
  }
}
