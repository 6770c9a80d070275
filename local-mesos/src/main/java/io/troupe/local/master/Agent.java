package io.troupe.local.master;

import io.troupe.local.allocator.MesosResources;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.mesos.v1.Protos.AgentInfo;
import org.jspecify.annotations.Nullable;

/** A registered agent as the master knows it. Belongs to the master's thread. */
public final class Agent {

  private final String id;
  private final String ip;
  private AgentInfo info;
  private Consumer<ToAgent> link;
  private final Instant registered;
  private @Nullable Instant reregistered;
  private boolean connected = true;
  private int missedPings;

  Agent(String id, String ip, AgentInfo info, Consumer<ToAgent> link, Instant registered) {
    this.id = id;
    this.ip = ip;
    this.info = info;
    this.link = link;
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

  void reconnected(AgentInfo changed, Consumer<ToAgent> newLink, Instant now) {
    info = changed;
    link = newLink;
    connected = true;
    reregistered = now;
    missedPings = 0;
  }

  void tell(ToAgent message) {
    link.accept(message);
  }

  /** Counts a ping that may go unanswered; the number of those in a row. */
  int pinged() {
    return ++missedPings;
  }

  void ponged() {
    missedPings = 0;
  }
}
