package io.troupe.local.master;

import akka.actor.typed.ActorRef;
import io.troupe.local.allocator.MesosResources;
import java.time.Instant;
import java.util.Optional;
import org.apache.mesos.v1.Protos.AgentInfo;
import org.jspecify.annotations.Nullable;

/** A registered agent as the master knows it. Belongs to the master's thread. */
public final class Agent {

  private final String id;
  private final String ip;
  private AgentInfo info;
  private ActorRef<ToAgent> ref;
  private final Instant registered;
  private @Nullable Instant reregistered;
  private boolean connected = true;
  private int missedPings;

  Agent(String id, String ip, AgentInfo info, ActorRef<ToAgent> ref, Instant registered) {
    this.id = id;
    this.ip = ip;
    this.info = info;
    this.ref = ref;
    this.registered = registered;
  }

  public String id() {
    return id;
  }

  /** The address it listens at. */
  public String ip() {
    return ip;
  }

  public AgentInfo info() {
    return info;
  }

  public MesosResources total() {
    return MesosResources.of(info.getResourcesList());
  }

  public Instant registered() {
    return registered;
  }

  public Optional<Instant> reregistered() {
    return Optional.ofNullable(reregistered);
  }

  /** Whether it can be told anything; while it cannot, nothing of it is offered. */
  public boolean connected() {
    return connected;
  }

  void disconnected() {
    connected = false;
  }

  void reconnected(AgentInfo changed, ActorRef<ToAgent> newRef, Instant now) {
    info = changed;
    ref = newRef;
    connected = true;
    reregistered = now;
    missedPings = 0;
  }

  void tell(ToAgent message) {
    ref.tell(message);
  }

  /** Counts a ping that may go unanswered; the number of those in a row. */
  int pinged() {
    return ++missedPings;
  }

  void ponged() {
    missedPings = 0;
  }
}
