package io.troupe.local.master;

import com.google.protobuf.ByteString;
import io.troupe.local.allocator.Allocator;
import io.troupe.local.allocator.Allocator.Client;
import io.troupe.local.allocator.Allocator.Grant;
import io.troupe.local.allocator.Allocator.Space;
import io.troupe.local.allocator.MesosResources;
import io.troupe.local.allocator.OfferFilters;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.function.BiFunction;
import org.apache.mesos.v1.Protos.Address;
import org.apache.mesos.v1.Protos.AgentID;
import org.apache.mesos.v1.Protos.AgentInfo;
import org.apache.mesos.v1.Protos.Filters;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo.Capability;
import org.apache.mesos.v1.Protos.MasterInfo;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.Protos.TaskStatus.Reason;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The master: which frameworks, agents, tasks and offers there are, and what follows from each call
 * and each piece of news. Every offered or used resource is on the books of exactly one framework.
 * A state machine for one thread; it never blocks, and time comes from the clock and alarms it is
 * given.
 */
public final class Master {

  private static final Logger LOG = LoggerFactory.getLogger(Master.class);
  private static final int KEPT_FRAMEWORKS = 50;

  private final MasterSettings settings;
  private final Clock clock;
  private final Alarms alarms;
  private final Random random;
  private final String id = UUID.randomUUID().toString();
  private final Instant started;
  private final OfferFilters filters;
  private final Map<String, Framework> frameworks = new LinkedHashMap<>();
  private final Deque<Framework> completed = new ArrayDeque<>();
  private final Map<String, Agent> agents = new LinkedHashMap<>();
  private final Map<String, Instant> unreachable = new LinkedHashMap<>();
  private final Map<String, Offer> offers = new LinkedHashMap<>();
  private final Counters counters = new Counters();
  private final Launches launches;
  private int nextFramework;
  private int nextAgent;
  private long nextOffer;

  /** A master with nothing in it; {@link #start} sets its timers going. */
  public Master(MasterSettings settings, Clock clock, Alarms alarms, Random random) {
    this.settings = settings;
    this.clock = clock;
    this.alarms = alarms;
    this.random = random;
    this.started = clock.instant();
    this.filters = new OfferFilters(settings.allocationInterval());
    this.launches = new Launches(clock);
  }

  /** Begins the rounds of offers. */
  public void start() {
    alarms.every("allocation", settings.allocationInterval(), this::allocate);
  }

  // ---- what can be seen from outside

  public String id() {
    return id;
  }

  public MasterSettings settings() {
    return settings;
  }

  public Instant started() {
    return started;
  }

  public Collection<Framework> frameworks() {
    return frameworks.values();
  }

  public Collection<Framework> completedFrameworks() {
    return completed;
  }

  public Collection<Agent> agents() {
    return agents.values();
  }

  /** Agents that stopped answering, and since when. */
  public Map<String, Instant> unreachableAgents() {
    return unreachable;
  }

  public Collection<Offer> offers() {
    return offers.values();
  }

  public Counters counters() {
    return counters;
  }

  /** The resources of the offers that the agent's resources are out on. */
  public MesosResources offeredOn(String agentId) {
    MesosResources sum = MesosResources.NONE;
    for (Offer offer : offers.values()) {
      if (offer.agentId().equals(agentId)) {
        sum = sum.plus(offer.resources());
      }
    }
    return sum;
  }

  /** The resources of the offers that the framework holds. */
  public MesosResources offeredTo(String frameworkId) {
    MesosResources sum = MesosResources.NONE;
    for (Offer offer : offers.values()) {
      if (offer.frameworkId().equals(frameworkId)) {
        sum = sum.plus(offer.resources());
      }
    }
    return sum;
  }

  /** What tasks and executors of all frameworks use on the agent. */
  public MesosResources usedOn(String agentId) {
    MesosResources sum = MesosResources.NONE;
    for (Framework framework : frameworks.values()) {
      sum = sum.plus(framework.usedOn(agentId));
    }
    return sum;
  }

  /** How the master presents itself. */
  public MasterInfo info() {
    return MasterInfo.newBuilder()
        .setId(id)
        .setIp(littleEndian(settings.ip()))
        .setPort(settings.port())
        .setPid("master@" + settings.ip() + ":" + settings.port())
        .setHostname(settings.hostname())
        .setVersion("1.11.0")
        .setAddress(
            Address.newBuilder()
                .setHostname(settings.hostname())
                .setIp(settings.ip())
                .setPort(settings.port()))
        .addCapabilities(
            MasterInfo.Capability.newBuilder().setType(MasterInfo.Capability.Type.AGENT_UPDATE))
        .addCapabilities(
            MasterInfo.Capability.newBuilder().setType(MasterInfo.Capability.Type.AGENT_DRAINING))
        .build();
  }

  /** An IPv4 address in network byte order, read as a number of this machine. */
  private static int littleEndian(String ip) {
    try {
      byte[] bytes = InetAddress.getByName(ip).getAddress();
      return (bytes[0] & 0xff)
          | (bytes[1] & 0xff) << 8
          | (bytes[2] & 0xff) << 16
          | (bytes[3] & 0xff) << 24;
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException("Not an address: " + ip, e);
    }
  }

  // ---- subscribing

  /** A scheduler subscribes: its stream gets SUBSCRIBED, or ERROR and its end. */
  public void subscribe(Call call, String streamId, EventSink stream) {
    FrameworkInfo info = call.getSubscribe().getFrameworkInfo();
    List<String> suppressed = call.getSubscribe().getSuppressedRolesList();
    Optional<String> error =
        FrameworkValidation.error(info, suppressed).or(() -> resubscribeError(info));
    if (error.isPresent()) {
      LOG.info("Refusing subscription of framework '{}': {}", info.getName(), error.get());
      stream.send(Events.error(error.get()));
      stream.complete();
      return;
    }
    Framework framework = frameworks.get(info.getId().getValue());
    if (framework == null) {
      framework = addFramework(info);
    } else {
      failOver(framework, info);
    }
    framework.suppressExactly(suppressed);
    connect(framework, streamId, stream);
    for (Agent agent : agents.values()) {
      agent.tell(new ToAgent.UpdateFramework(framework.info()));
    }
    allocate();
  }

  private Optional<String> resubscribeError(FrameworkInfo info) {
    if (!info.hasId()) {
      return Optional.empty();
    }
    String frameworkId = info.getId().getValue();
    if (completed.stream().anyMatch(gone -> gone.id().equals(frameworkId))) {
      return Optional.of("Framework has been removed");
    }
    Framework known = frameworks.get(frameworkId);
    return known != null && !known.info().getPrincipal().equals(info.getPrincipal())
        ? Optional.of("Changing framework's principal is not allowed.")
        : Optional.empty();
  }

  private Framework addFramework(FrameworkInfo info) {
    String frameworkId =
        info.hasId()
            ? info.getId().getValue()
            : String.format(java.util.Locale.ROOT, "%s-%04d", id, nextFramework++);
    FrameworkInfo identified =
        info.toBuilder().setId(FrameworkID.newBuilder().setValue(frameworkId)).build();
    Framework framework = new Framework(frameworkId, identified, clock.instant());
    frameworks.put(frameworkId, framework);
    LOG.info("Framework {} ({}) subscribed", frameworkId, info.getName());
    return framework;
  }

  /** The framework is there again, on another stream; user and checkpoint stay as they were. */
  private void failOver(Framework framework, FrameworkInfo info) {
    alarms.cancel(failoverAlarm(framework.id()));
    rescindAllBut(FrameworkValidation.rolesOf(info), framework);
    framework.stream()
        .ifPresent(
            old -> {
              old.send(Events.error("Framework failed over"));
              old.complete();
            });
    discardOffers(framework);
    framework.info(
        info.toBuilder()
            .setUser(framework.info().getUser())
            .setCheckpoint(framework.info().getCheckpoint())
            .build());
    framework.reregistered(clock.instant());
    LOG.info("Framework {} subscribed again", framework.id());
  }

  private void connect(Framework framework, String streamId, EventSink stream) {
    framework.connect(stream, streamId);
    framework.send(
        Events.subscribed(framework.id(), settings.heartbeat().toMillis() / 1000.0, info()));
    framework.send(Events.HEARTBEAT);
    alarms.every(
        heartbeatAlarm(framework.id()),
        settings.heartbeat(),
        () -> framework.send(Events.HEARTBEAT));
  }

  private static String heartbeatAlarm(String frameworkId) {
    return "heartbeat/" + frameworkId;
  }

  private static String failoverAlarm(String frameworkId) {
    return "failover/" + frameworkId;
  }

  /** A scheduler's stream has ended, whoever ended it. */
  public void streamClosed(EventSink stream) {
    for (Framework framework : List.copyOf(frameworks.values())) {
      if (framework.hasStream(stream)) {
        disconnected(framework);
      }
    }
  }

  private void disconnected(Framework framework) {
    framework.disconnect();
    alarms.cancel(heartbeatAlarm(framework.id()));
    discardOffers(framework);
    filters.clearFramework(framework.id());
    Duration timeout =
        Duration.ofNanos((long) (Math.max(0, framework.info().getFailoverTimeout()) * 1e9));
    LOG.info("Framework {} disconnected; removing it in {}", framework.id(), timeout);
    if (timeout.isZero()) {
      remove(framework);
    } else {
      alarms.set(failoverAlarm(framework.id()), timeout, () -> remove(framework));
    }
  }

  private void discardOffers(Framework framework) {
    offers.values().removeIf(offer -> offer.frameworkId().equals(framework.id()));
  }

  /** The framework is gone for good, and with it its tasks and executors everywhere. */
  private void remove(Framework framework) {
    if (frameworks.remove(framework.id()) == null) {
      return;
    }
    alarms.cancel(heartbeatAlarm(framework.id()));
    alarms.cancel(failoverAlarm(framework.id()));
    discardOffers(framework);
    filters.clearFramework(framework.id());
    for (Agent agent : agents.values()) {
      agent.tell(new ToAgent.ShutdownFramework(framework.id()));
    }
    for (TaskRecord task : List.copyOf(framework.tasks())) {
      if (!task.terminal()) {
        task.become(
            Statuses.of(
                    task,
                    TaskState.TASK_KILLED,
                    Reason.REASON_FRAMEWORK_REMOVED,
                    "Framework " + framework.id() + " removed",
                    clock.instant())
                .build());
        counters.ended(TaskState.TASK_KILLED);
      }
      framework.complete(task);
    }
    framework.removeExecutors();
    framework.unregistered(clock.instant());
    framework.stream().ifPresent(EventSink::complete);
    framework.disconnect();
    if (completed.size() == KEPT_FRAMEWORKS) {
      completed.removeFirst();
    }
    completed.addLast(framework);
    LOG.info("Framework {} removed", framework.id());
  }

  /** The operator removes a framework; false when there is none of that id. */
  public boolean teardown(String frameworkId) {
    Framework framework = frameworks.get(frameworkId);
    if (framework == null) {
      return false;
    }
    remove(framework);
    return true;
  }

  // ---- calls

  /** Any call but SUBSCRIBE; it has been checked for its shape. */
  public Answer call(Call call, Optional<String> streamId) {
    Framework framework = frameworks.get(call.getFrameworkId().getValue());
    if (framework == null) {
      return Answer.badRequest("Framework cannot be found");
    }
    if (!framework.connected()) {
      return Answer.forbidden("Framework is not subscribed");
    }
    if (streamId.isEmpty()) {
      return Answer.badRequest(
          "All non-subscribe calls should include the 'Mesos-Stream-Id' header");
    }
    if (!streamId.get().equals(framework.streamId())) {
      return Answer.badRequest(
          "The stream ID '"
              + streamId.get()
              + "' included in this request didn't match the stream ID currently associated with"
              + " framework ID "
              + framework.id());
    }
    return act(call, framework);
  }

  private Answer act(Call call, Framework framework) {
    switch (call.getType()) {
      case TEARDOWN -> remove(framework);
      case ACCEPT -> accept(framework, call.getAccept());
      case DECLINE -> decline(call.getDecline());
      case REVIVE -> revive(framework, call.getRevive().getRolesList());
      case SUPPRESS -> suppress(framework, call.getSuppress().getRolesList());
      case KILL -> kill(framework, call.getKill());
      case SHUTDOWN -> shutdown(framework, call.getShutdown());
      case ACKNOWLEDGE -> acknowledge(framework, call.getAcknowledge());
      case RECONCILE -> reconcile(framework, call.getReconcile());
      case MESSAGE -> message(framework, call.getMessage());
      case UPDATE_FRAMEWORK -> {
        return update(framework, call.getUpdateFramework());
      }
      // Nothing here makes inverse offers or operations, so there is nothing to do about them.
      case ACCEPT_INVERSE_OFFERS,
          DECLINE_INVERSE_OFFERS,
          ACKNOWLEDGE_OPERATION_STATUS,
          RECONCILE_OPERATIONS,
          REQUEST ->
          LOG.debug("{} of framework {} changes nothing", call.getType(), framework.id());
      case SUBSCRIBE, UNKNOWN -> {
        return new Answer(501, "");
      }
    }
    return Answer.ACCEPTED;
  }

  private void accept(Framework framework, Call.Accept accept) {
    List<Offer> taken = new ArrayList<>();
    Optional<String> error = take(framework, accept, taken);
    Filters acceptFilters = accept.getFilters();
    if (error.isPresent()) {
      launches.refuse(framework, accept, error.get());
      return;
    }
    Agent agent = agents.get(taken.get(0).agentId());
    if (agent == null || !agent.connected()) {
      launches.agentGone(framework, accept, agent != null);
      return;
    }
    MesosResources offered = MesosResources.NONE;
    for (Offer offer : taken) {
      offered = offered.plus(offer.resources());
    }
    String role = taken.get(0).role();
    MesosResources left = launches.launch(framework, agent, role, offered, accept);
    filters.refuse(
        framework.id(), role, agent.id(), left, acceptFilters.getRefuseSeconds(), clock.instant());
  }

  /**
   * Takes the accepted offers off the books; when one of them is no good, the others are free again
   * without a refusal.
   */
  private Optional<String> take(Framework framework, Call.Accept accept, List<Offer> taken) {
    Optional<String> error = OfferValidation.error(accept, framework, offers);
    accept
        .getOfferIdsList()
        .forEach(
            offerId -> {
              Offer offer = offers.get(offerId.getValue());
              if (offer != null && offer.frameworkId().equals(framework.id())) {
                offers.remove(offer.id());
                taken.add(offer);
              }
            });
    return error;
  }

  private void decline(Call.Decline decline) {
    decline
        .getOfferIdsList()
        .forEach(
            offerId -> {
              Offer offer = offers.remove(offerId.getValue());
              if (offer != null) {
                filters.refuse(
                    offer.frameworkId(),
                    offer.role(),
                    offer.agentId(),
                    offer.resources(),
                    decline.getFilters().getRefuseSeconds(),
                    clock.instant());
              }
            });
  }

  private void revive(Framework framework, List<String> named) {
    withRoles(framework, named)
        .ifPresent(
            roles -> {
              framework.suppressed().removeAll(roles);
              filters.clear(framework.id(), roles);
              allocate();
            });
  }

  private void suppress(Framework framework, List<String> named) {
    withRoles(framework, named).ifPresent(roles -> framework.suppressed().addAll(roles));
  }

  /** The roles named, all of the framework's when none is; nothing when one is not its own. */
  private Optional<Set<String>> withRoles(Framework framework, List<String> named) {
    Set<String> own = new HashSet<>(framework.roles());
    if (!own.containsAll(named)) {
      LOG.info("Framework {} names roles that are not its own: {}", framework.id(), named);
      return Optional.empty();
    }
    return Optional.of(named.isEmpty() ? own : new HashSet<>(named));
  }

  private void kill(Framework framework, Call.Kill kill) {
    String taskId = kill.getTaskId().getValue();
    Optional<TaskRecord> task = framework.task(taskId);
    if (task.isEmpty()) {
      answerFor(framework, taskId, kill.hasAgentId(), kill.getAgentId().getValue());
      return;
    }
    String agentId = task.get().agentId();
    if (kill.hasAgentId() && !kill.getAgentId().getValue().equals(agentId)) {
      LOG.info("Task {} is on agent {}, not on {}", taskId, agentId, kill.getAgentId().getValue());
      return;
    }
    Agent agent = agents.get(agentId);
    if (agent != null) {
      agent.tell(
          new ToAgent.KillTask(
              framework.id(),
              taskId,
              kill.hasKillPolicy() ? Optional.of(kill.getKillPolicy()) : Optional.empty()));
    }
  }

  private void shutdown(Framework framework, Call.Shutdown shutdown) {
    Agent agent = agents.get(shutdown.getAgentId().getValue());
    if (agent != null) {
      agent.tell(new ToAgent.ShutdownExecutor(framework.id(), shutdown.getExecutorId().getValue()));
    }
  }

  private void acknowledge(Framework framework, Call.Acknowledge acknowledge) {
    String agentId = acknowledge.getAgentId().getValue();
    String taskId = acknowledge.getTaskId().getValue();
    ByteString uuid = acknowledge.getUuid();
    Agent agent = agents.get(agentId);
    if (agent == null || !agent.connected()) {
      return;
    }
    Optional<TaskRecord> task =
        framework.task(taskId).filter(known -> known.agentId().equals(agentId));
    if (task.isPresent()) {
      if (!task.get().forwarded()) {
        return;
      }
      if (task.get().endedBy(uuid)) {
        framework.complete(task.get());
      }
    }
    agent.tell(new ToAgent.Acknowledge(framework.id(), taskId, uuid));
  }

  private void reconcile(Framework framework, Call.Reconcile reconcile) {
    if (reconcile.getTasksCount() == 0) {
      for (TaskRecord task : framework.tasks()) {
        framework.send(Events.update(Reconciliation.known(task, clock.instant())));
      }
    }
    for (Call.Reconcile.Task asked : reconcile.getTasksList()) {
      answerFor(
          framework,
          asked.getTaskId().getValue(),
          asked.hasAgentId(),
          asked.getAgentId().getValue());
    }
  }

  private void answerFor(Framework framework, String taskId, boolean withAgent, String namedAgent) {
    Optional<String> agentId = withAgent ? Optional.of(namedAgent) : Optional.empty();
    TaskStatus status =
        framework
            .task(taskId)
            .map(task -> Reconciliation.known(task, clock.instant()))
            .orElseGet(
                () ->
                    Reconciliation.unknown(
                        taskId,
                        agentId,
                        agentId.filter(agents::containsKey).isPresent(),
                        agentId.map(unreachable::get),
                        framework.has(Capability.Type.PARTITION_AWARE),
                        clock.instant()));
    framework.send(Events.update(status));
  }

  private void message(Framework framework, Call.Message message) {
    Agent agent = agents.get(message.getAgentId().getValue());
    if (agent != null && agent.connected()) {
      agent.tell(
          new ToAgent.FrameworkMessage(
              framework.id(), message.getExecutorId().getValue(), message.getData()));
    }
  }

  private Answer update(Framework framework, Call.UpdateFramework update) {
    FrameworkInfo info = update.getFrameworkInfo();
    Optional<String> error = FrameworkValidation.error(info, update.getSuppressedRolesList());
    if (error.isPresent()) {
      return Answer.badRequest("Supplied FrameworkInfo is not valid: " + error.get());
    }
    FrameworkInfo old = framework.info();
    Optional<String> immutable = FrameworkValidation.immutableError(old, info);
    if (immutable.isPresent()) {
      return Answer.badRequest("FrameworkInfo update is not valid: " + immutable.get());
    }
    framework.info(info);
    rescindAllBut(framework.roles(), framework);
    Set<String> revived = new HashSet<>(framework.suppressed());
    framework.suppressExactly(update.getSuppressedRolesList());
    revived.removeAll(framework.suppressed());
    filters.clear(framework.id(), revived);
    for (Agent agent : agents.values()) {
      agent.tell(new ToAgent.UpdateFramework(info));
    }
    allocate();
    return Answer.OK;
  }

  private void rescindAllBut(List<String> roles, Framework framework) {
    for (Offer offer : List.copyOf(offers.values())) {
      if (offer.frameworkId().equals(framework.id()) && !roles.contains(offer.role())) {
        rescind(offer);
      }
    }
  }

  private void rescind(Offer offer) {
    offers.remove(offer.id());
    Framework framework = frameworks.get(offer.frameworkId());
    if (framework != null) {
      framework.send(Events.rescind(offer.id()));
    }
  }

  // ---- offers

  /** One round of offers: one event for each framework that gets any. */
  public void allocate() {
    List<Client> clients = new ArrayList<>();
    for (Framework framework : frameworks.values()) {
      if (framework.connected()) {
        addClients(framework, clients);
      }
    }
    if (clients.isEmpty()) {
      return;
    }
    List<Space> spaces = new ArrayList<>();
    for (Agent agent : agents.values()) {
      if (agent.connected()) {
        MesosResources taken = usedOn(agent.id()).plus(offeredOn(agent.id())).unallocated();
        spaces.add(new Space(agent.id(), agent.total(), agent.total().minus(taken)));
      }
    }
    Instant now = clock.instant();
    List<Grant> grants =
        Allocator.allocate(
            spaces,
            clients,
            (client, agent, resources) ->
                filters.blocks(client.framework(), client.role(), agent, resources, now),
            random);
    Map<String, List<org.apache.mesos.v1.Protos.Offer>> byFramework = new LinkedHashMap<>();
    for (Grant grant : grants) {
      Offer offer = book(grant);
      Framework framework = frameworks.get(offer.frameworkId());
      byFramework
          .computeIfAbsent(offer.frameworkId(), key -> new ArrayList<>())
          .add(Events.offer(offer, framework, agents.get(offer.agentId())));
    }
    byFramework.forEach(
        (frameworkId, made) -> frameworks.get(frameworkId).send(Events.offers(made)));
  }

  private void addClients(Framework framework, List<Client> clients) {
    MesosResources allocated = framework.used().plus(offeredTo(framework.id()));
    for (String role : new HashSet<>(framework.roles())) {
      if (!framework.suppressed().contains(role)) {
        clients.add(
            new Client(
                framework.id(),
                role,
                allocated,
                framework.allocations(role),
                framework.has(Capability.Type.GPU_RESOURCES)));
      }
    }
  }

  private Offer book(Grant grant) {
    Client client = grant.client();
    Offer offer =
        new Offer(
            id + "-O" + nextOffer++,
            client.framework(),
            grant.agent(),
            client.role(),
            grant.resources());
    offers.put(offer.id(), offer);
    frameworks.get(client.framework()).countAllocation(client.role());
    return offer;
  }

  // ---- news from agents

  /** An agent tells something. */
  public void receive(FromAgent message) {
    if (message instanceof FromAgent.Register register) {
      register(register);
    } else if (message instanceof FromAgent.Reregister reregister) {
      reregister(reregister);
    } else if (message instanceof FromAgent.Disconnected disconnected) {
      disconnected(disconnected.agentId());
    } else if (message instanceof FromAgent.Update update) {
      update(update);
    } else if (message instanceof FromAgent.ExitedExecutor exited) {
      exited(exited);
    } else if (message instanceof FromAgent.ExecutorMessage executorMessage) {
      Framework framework = frameworks.get(executorMessage.frameworkId());
      if (framework != null && agents.containsKey(executorMessage.agentId())) {
        framework.send(
            Events.message(
                executorMessage.agentId(), executorMessage.executorId(), executorMessage.data()));
      }
    } else if (message instanceof FromAgent.Pong pong) {
      Agent agent = agents.get(pong.agentId());
      if (agent != null) {
        agent.ponged();
      }
    }
  }

  private void register(FromAgent.Register register) {
    String agentId = id + "-S" + nextAgent++;
    AgentInfo info =
        register.info().toBuilder().setId(AgentID.newBuilder().setValue(agentId)).build();
    Agent agent = new Agent(agentId, register.ip(), info, register.agent(), clock.instant());
    agents.put(agentId, agent);
    agent.tell(new ToAgent.Registered(agentId));
    LOG.info("Agent {} registered at {}:{}", agentId, register.ip(), info.getPort());
    startPinging(agent);
    allocate();
  }

  private static String pingAlarm(String agentId) {
    return "ping/" + agentId;
  }

  private void startPinging(Agent agent) {
    alarms.every(
        pingAlarm(agent.id()),
        settings.agentPingTimeout(),
        () -> {
          if (agent.pinged() > settings.maxAgentPingTimeouts()) {
            unreachable(agent);
          } else {
            agent.tell(ToAgent.Ping.NOW);
          }
        });
    agent.pinged();
    agent.tell(ToAgent.Ping.NOW);
  }

  /** The agent does not answer any more: its tasks are given up, for now. */
  private void unreachable(Agent agent) {
    Instant now = clock.instant();
    LOG.info("Agent {} is unreachable: health check timed out", agent.id());
    alarms.cancel(pingAlarm(agent.id()));
    agents.remove(agent.id());
    unreachable.put(agent.id(), now);
    filters.clearAgent(agent.id());
    BiFunction<Framework, TaskRecord, TaskStatus> lost =
        (framework, task) ->
            Statuses.of(
                    task,
                    framework.has(Capability.Type.PARTITION_AWARE)
                        ? TaskState.TASK_UNREACHABLE
                        : TaskState.TASK_LOST,
                    Reason.REASON_AGENT_REMOVED,
                    "health check timed out",
                    now)
                .setUnreachableTime(Statuses.timeInfo(now))
                .build();
    for (Framework framework : frameworks.values()) {
      loseTasks(framework, agent, lost, true);
    }
    for (Offer offer : offersOn(agent)) {
      rescind(offer);
    }
    for (Framework framework : frameworks.values()) {
      framework.send(Events.agentFailure(agent.id()));
    }
  }

  private List<Offer> offersOn(Agent agent) {
    return offers.values().stream().filter(offer -> offer.agentId().equals(agent.id())).toList();
  }

  private void loseTasks(
      Framework framework,
      Agent agent,
      BiFunction<Framework, TaskRecord, TaskStatus> lost,
      boolean mayComeBack) {
    for (TaskRecord task : framework.tasksOn(agent.id())) {
      if (task.terminal()) {
        framework.complete(task);
        continue;
      }
      TaskStatus status = lost.apply(framework, task);
      framework.send(Events.update(status));
      task.become(status);
      counters.ended(status.getState());
      if (mayComeBack) {
        framework.becameUnreachable(task);
      } else {
        framework.complete(task);
      }
    }
    framework.removeExecutorsOn(agent.id());
  }

  /** The agent's process ended, but it may start again. */
  private void disconnected(String agentId) {
    Agent agent = agents.get(agentId);
    if (agent == null || !agent.connected()) {
      return;
    }
    LOG.info("Agent {} disconnected", agentId);
    agent.disconnected();
    for (Offer offer : offersOn(agent)) {
      rescind(offer);
    }
    for (Framework framework : frameworks.values()) {
      if (!framework.info().getCheckpoint()) {
        loseTasks(
            framework,
            agent,
            (of, task) ->
                Statuses.of(
                        task,
                        TaskState.TASK_LOST,
                        Reason.REASON_AGENT_DISCONNECTED,
                        "Agent " + agent.info().getHostname() + " disconnected",
                        clock.instant())
                    .build(),
            false);
      }
    }
  }

  private void reregister(FromAgent.Reregister message) {
    String agentId = message.info().getId().getValue();
    Agent known = agents.get(agentId);
    boolean wasUnreachable = unreachable.remove(agentId) != null;
    if (known == null) {
      known = new Agent(agentId, message.ip(), message.info(), message.agent(), clock.instant());
      agents.put(agentId, known);
      startPinging(known);
    }
    known.reconnected(message.info(), message.agent(), clock.instant());
    LOG.info("Agent {} registered again", agentId);
    known.tell(new ToAgent.Reregistered(recover(message, known, wasUnreachable)));
    for (FrameworkInfo framework : message.frameworks()) {
      recognise(framework, known);
    }
    allocate();
  }

  /** Frameworks that are gone have no business on the agent any more. */
  private void recognise(FrameworkInfo info, Agent agent) {
    String frameworkId = info.getId().getValue();
    Framework framework = frameworks.get(frameworkId);
    if (framework != null) {
      agent.tell(new ToAgent.UpdateFramework(framework.info()));
    } else {
      agent.tell(new ToAgent.ShutdownFramework(frameworkId));
    }
  }

  private List<ToAgent.UnknownTask> recover(
      FromAgent.Reregister message, Agent agent, boolean wasUnreachable) {
    for (FromAgent.RunningExecutor executor : message.executors()) {
      Framework framework = frameworks.get(executor.frameworkId());
      if (framework != null) {
        framework.addExecutor(agent.id(), executor.info());
      }
    }
    Set<String> named = new HashSet<>();
    for (FromAgent.RunningTask running : message.tasks()) {
      Framework framework = frameworks.get(running.frameworkId());
      String taskId = running.info().getTaskId().getValue();
      named.add(running.frameworkId() + "/" + taskId);
      if (framework != null && framework.task(taskId).isEmpty()) {
        TaskRecord task = new TaskRecord(framework.id(), running.info());
        task.recovered(running.state(), running.statuses());
        framework.add(task);
        if (wasUnreachable) {
          framework.send(
              Events.update(
                  Statuses.again(
                      task,
                      task.state(),
                      Reason.REASON_AGENT_REREGISTERED,
                      "Unreachable agent re-reregistered",
                      clock.instant())));
        }
      }
    }
    List<ToAgent.UnknownTask> unknown = new ArrayList<>();
    for (Framework framework : frameworks.values()) {
      for (TaskRecord task : framework.tasksOn(agent.id())) {
        if (!named.contains(framework.id() + "/" + task.id())) {
          unknown.add(
              new ToAgent.UnknownTask(
                  framework.id(), task.id(), framework.has(Capability.Type.PARTITION_AWARE)));
        }
      }
    }
    return unknown;
  }

  private void update(FromAgent.Update update) {
    Framework framework = frameworks.get(update.frameworkId());
    if (framework == null || !agents.containsKey(update.agentId())) {
      counters.invalidUpdate();
      return;
    }
    counters.validUpdate();
    TaskStatus status = update.status();
    framework.send(Events.update(status));
    framework
        .task(status.getTaskId().getValue())
        .filter(task -> task.agentId().equals(update.agentId()))
        .ifPresent(
            task -> {
              boolean wasTerminal = task.terminal();
              if (framework.connected()) {
                task.updated(status, update.latest());
              } else {
                task.heard(status, update.latest());
              }
              if (task.terminal() && !wasTerminal) {
                counters.ended(task.state());
              }
            });
  }

  private void exited(FromAgent.ExitedExecutor exited) {
    Framework framework = frameworks.get(exited.frameworkId());
    if (framework == null || !agents.containsKey(exited.agentId())) {
      return;
    }
    framework.removeExecutor(exited.agentId(), exited.executorId());
    framework.send(Events.executorFailure(exited.agentId(), exited.executorId(), exited.status()));
  }
}
