package io.troupe.local.master;

import com.google.protobuf.ByteString;
import io.troupe.local.allocator.MesosResources;
import io.troupe.local.allocator.MesosResources.Format;
import java.util.List;
import org.apache.mesos.v1.Protos.Address;
import org.apache.mesos.v1.Protos.AgentID;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.FrameworkInfo.Capability;
import org.apache.mesos.v1.Protos.MasterInfo;
import org.apache.mesos.v1.Protos.Offer.Operation;
import org.apache.mesos.v1.Protos.OfferID;
import org.apache.mesos.v1.Protos.OperationState;
import org.apache.mesos.v1.Protos.OperationStatus;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.Protos.URL;
import org.apache.mesos.v1.scheduler.Protos.Event;

/** The events of the scheduler API. Pure. */
final class Events {

  static final Event HEARTBEAT = Event.newBuilder().setType(Event.Type.HEARTBEAT).build();

  private Events() {}

  static Event subscribed(String frameworkId, double heartbeatSeconds, MasterInfo master) {
    return Event.newBuilder()
        .setType(Event.Type.SUBSCRIBED)
        .setSubscribed(
            Event.Subscribed.newBuilder()
                .setFrameworkId(FrameworkID.newBuilder().setValue(frameworkId))
                .setHeartbeatIntervalSeconds(heartbeatSeconds)
                .setMasterInfo(master))
        .build();
  }

  static Event error(String message) {
    return Event.newBuilder()
        .setType(Event.Type.ERROR)
        .setError(Event.Error.newBuilder().setMessage(message))
        .build();
  }

  static Event update(TaskStatus status) {
    return Event.newBuilder()
        .setType(Event.Type.UPDATE)
        .setUpdate(Event.Update.newBuilder().setStatus(status))
        .build();
  }

  static Event rescind(String offerId) {
    return Event.newBuilder()
        .setType(Event.Type.RESCIND)
        .setRescind(Event.Rescind.newBuilder().setOfferId(OfferID.newBuilder().setValue(offerId)))
        .build();
  }

  static Event agentFailure(String agentId) {
    return Event.newBuilder()
        .setType(Event.Type.FAILURE)
        .setFailure(Event.Failure.newBuilder().setAgentId(AgentID.newBuilder().setValue(agentId)))
        .build();
  }

  static Event executorFailure(String agentId, String executorId, int status) {
    return Event.newBuilder()
        .setType(Event.Type.FAILURE)
        .setFailure(
            Event.Failure.newBuilder()
                .setAgentId(AgentID.newBuilder().setValue(agentId))
                .setExecutorId(ExecutorID.newBuilder().setValue(executorId))
                .setStatus(status))
        .build();
  }

  static Event message(String agentId, String executorId, ByteString data) {
    return Event.newBuilder()
        .setType(Event.Type.MESSAGE)
        .setMessage(
            Event.Message.newBuilder()
                .setAgentId(AgentID.newBuilder().setValue(agentId))
                .setExecutorId(ExecutorID.newBuilder().setValue(executorId))
                .setData(data))
        .build();
  }

  static Event operationError(String agentId, Operation operation) {
    return Event.newBuilder()
        .setType(Event.Type.UPDATE_OPERATION_STATUS)
        .setUpdateOperationStatus(
            Event.UpdateOperationStatus.newBuilder()
                .setStatus(
                    OperationStatus.newBuilder()
                        .setOperationId(operation.getId())
                        .setState(OperationState.OPERATION_ERROR)
                        .setAgentId(AgentID.newBuilder().setValue(agentId))
                        .setMessage(
                            operation.getType() + " is not supported by this embedded Mesos")))
        .build();
  }

  static Event offers(List<org.apache.mesos.v1.Protos.Offer> offers) {
    return Event.newBuilder()
        .setType(Event.Type.OFFERS)
        .setOffers(Event.Offers.newBuilder().addAllOffers(offers))
        .build();
  }

  /** The offer as the framework may see it, given its capabilities. */
  static org.apache.mesos.v1.Protos.Offer offer(Offer offer, Framework framework, Agent agent) {
    boolean multiRole = framework.has(Capability.Type.MULTI_ROLE);
    Format format = framework.format();
    MesosResources visible = multiRole ? offer.resources() : offer.resources().unallocated();
    org.apache.mesos.v1.Protos.Offer.Builder built =
        org.apache.mesos.v1.Protos.Offer.newBuilder()
            .setId(OfferID.newBuilder().setValue(offer.id()))
            .setFrameworkId(FrameworkID.newBuilder().setValue(offer.frameworkId()))
            .setAgentId(AgentID.newBuilder().setValue(offer.agentId()))
            .setHostname(agent.info().getHostname())
            .setUrl(urlOf(agent))
            .addAllResources(visible.toProtos(format))
            .addAllAttributes(agent.info().getAttributesList());
    for (ExecutorInfo executor : framework.executorsOn(offer.agentId())) {
      built.addExecutorIds(executor.getExecutorId());
    }
    if (multiRole) {
      built.setAllocationInfo(Resource.AllocationInfo.newBuilder().setRole(offer.role()));
    }
    return built.build();
  }

  private static URL urlOf(Agent agent) {
    return URL.newBuilder()
        .setScheme("http")
        .setAddress(
            Address.newBuilder()
                .setHostname(agent.info().getHostname())
                .setIp(agent.ip())
                .setPort(agent.info().getPort()))
        .setPath("/slave(1)")
        .build();
  }
}
