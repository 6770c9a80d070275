package io.troupe.scheduler.watch;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.protocol.SupervisorToScheduler.Register;
import io.troupe.protocol.WorkerStatus;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The tree of nodes, supervisors, workers and processes as facts have told it. No more nodes than
 * the cluster has members are kept. Not thread-safe.
 */
final class Tree {

  /** A member of the cluster. */
  record Member(String address, String role, String status, String host) {}

  /** A supervisor and what it last said of its workers. */
  record Supervisor(Register registration, List<WorkerStatus> workers) {}

  /** What the scheduler node shows of itself. */
  record SchedulerPart(ObjectNode framework, ArrayNode pools, ArrayNode actors) {}

  private final String system;
  private final Map<String, Member> members = new TreeMap<>();
  private final Map<String, Supervisor> supervisors = new HashMap<>();
  private final Set<String> changed = new LinkedHashSet<>();
  private @Nullable SchedulerPart scheduler;
  private String schedulerAddress = "";
  private long seq;

  Tree(String system) {
    this.system = system;
  }

  /** The member is as told. */
  void member(Member member) {
    if (!member.equals(members.put(member.address(), member))) {
      changed.add(member.address());
    }
  }

  /** The member is no more. */
  void memberRemoved(String address) {
    boolean known = members.remove(address) != null;
    known |= supervisors.values().removeIf(each -> each.registration().address().equals(address));
    if (known) {
      changed.add(address);
    }
  }

  /** This node, a scheduler, is as told. */
  void scheduler(String address, SchedulerPart part) {
    if (!part.equals(scheduler) || !address.equals(schedulerAddress)) {
      scheduler = part;
      schedulerAddress = address;
      changed.add(address);
    }
  }

  /** A supervisor has registered; it may have moved to another address. */
  void joined(Register registration) {
    Supervisor before =
        supervisors.put(
            registration.supervisor(), new Supervisor(registration, registration.workers()));
    if (before != null) {
      changed.add(before.registration().address());
    }
    changed.add(registration.address());
  }

  /** A supervisor's workers are as told; ignored if it is not known. */
  void reported(String supervisor, List<WorkerStatus> workers) {
    Supervisor known = supervisors.get(supervisor);
    if (known != null && !known.workers().equals(workers)) {
      supervisors.put(supervisor, new Supervisor(known.registration(), workers));
      changed.add(known.registration().address());
    }
  }

  /** A supervisor that is here. */
  Optional<Supervisor> supervisor(String id) {
    return Optional.ofNullable(supervisors.get(id));
  }

  /** How far the job is, as the worker tells that runs it. */
  Optional<WorkerStatus.Progress> progress(String job) {
    return supervisors.values().stream()
        .flatMap(supervisor -> supervisor.workers().stream())
        .flatMap(worker -> worker.running().stream())
        .filter(running -> job.equals(running.job()))
        .findFirst()
        .map(WorkerStatus.Running::progress);
  }

  /** A supervisor and all below it are gone. */
  void left(String supervisor) {
    Supervisor known = supervisors.remove(supervisor);
    if (known != null) {
      changed.add(known.registration().address());
    }
  }

  /** All supervisors of an agent are gone. */
  void agentLost(String agentId) {
    List.copyOf(supervisors.values()).stream()
        .map(Supervisor::registration)
        .filter(registration -> registration.agentId().equals(agentId))
        .forEach(registration -> left(registration.supervisor()));
  }

  /** Whether something has changed since the last {@link #delta}. */
  boolean hasChanged() {
    return !changed.isEmpty();
  }

  /** The number of the last delta; a snapshot includes all up to it. */
  long seq() {
    return seq;
  }

  /** All supervisors, by id. */
  List<Supervisor> supervisors() {
    List<Supervisor> all = new ArrayList<>(supervisors.values());
    all.sort(Comparator.comparing(each -> each.registration().supervisor()));
    return all;
  }

  /** Everything. */
  ObjectNode snapshot() {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    root.put("system", system);
    root.put("seq", seq);
    ArrayNode nodes = root.putArray("nodes");
    Set<String> addresses = new LinkedHashSet<>(members.keySet());
    if (scheduler != null) {
      addresses.add(schedulerAddress);
    }
    supervisors().forEach(each -> addresses.add(each.registration().address()));
    addresses.forEach(address -> node(address).ifPresent(nodes::add));
    return root;
  }

  /** The nodes that changed since the last call, whole, and those that went; numbered anew. */
  ObjectNode delta() {
    seq++;
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    root.put("seq", seq);
    ArrayNode nodes = root.putArray("nodes");
    ArrayNode removed = root.putArray("removed");
    for (String address : changed) {
      node(address).ifPresentOrElse(nodes::add, () -> removed.add(address));
    }
    changed.clear();
    return root;
  }

  private Optional<ObjectNode> node(String address) {
    if (address.equals(schedulerAddress)) {
      return Optional.of(schedulerNode(address));
    }
    Optional<Supervisor> supervisor =
        supervisors.values().stream()
            .filter(each -> each.registration().address().equals(address))
            .findFirst();
    Member member = members.get(address);
    if (member == null && supervisor.isEmpty()) {
      return Optional.empty();
    }
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("address", address);
    node.put("role", member == null ? "supervisor" : member.role());
    node.put("status", member == null ? "Joining" : member.status());
    node.put("host", supervisor.map(s -> s.registration().host()).orElse(host(member)));
    supervisor.ifPresent(each -> fill(node, each));
    if (supervisor.isEmpty()) {
      node.putArray("actors");
      node.putArray("workers");
    }
    return Optional.of(node);
  }

  private ObjectNode schedulerNode(String address) {
    Member member = members.get(address);
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("address", address);
    node.put("role", "scheduler");
    node.put("status", member == null ? "Up" : member.status());
    node.put("host", host(member));
    SchedulerPart part = scheduler;
    if (part != null) {
      node.set("actors", part.actors());
      node.set("framework", part.framework());
      node.set("pools", part.pools());
    }
    return node;
  }

  private static String host(@Nullable Member member) {
    return member == null ? "" : member.host();
  }

  private static void fill(ObjectNode node, Supervisor supervisor) {
    Register registration = supervisor.registration();
    node.put("supervisor", registration.supervisor());
    node.put("pool", registration.pool());
    node.put("agentId", registration.agentId());
    node.put("executorId", registration.executorId());
    ArrayNode actors = node.putArray("actors");
    actors.addObject().put("path", "supervisor").put("kind", "Supervisor");
    ArrayNode workers = node.putArray("workers");
    for (WorkerStatus worker : supervisor.workers()) {
      actors
          .addObject()
          .put("path", "supervisor/" + worker.id())
          .put("kind", "Worker")
          .put("state", worker.state().name());
      workers.add(TreeJson.worker(worker));
    }
  }
}
