package io.troupe.local;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Props;
import akka.actor.typed.SpawnProtocol;
import akka.actor.typed.javadsl.AskPattern;
import akka.http.javadsl.ServerBinding;
import com.typesafe.config.ConfigFactory;
import io.troupe.local.agent.AgentActor;
import io.troupe.local.agent.AgentSettings;
import io.troupe.local.agent.LinuxContainers;
import io.troupe.local.allocator.ResourceText;
import io.troupe.local.http.AgentRoutes;
import io.troupe.local.http.Control;
import io.troupe.local.http.HttpServers;
import io.troupe.local.http.MasterRoutes;
import io.troupe.local.master.Answer;
import io.troupe.local.master.MasterActor;
import io.troupe.local.master.MasterSettings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One master and its agents in this process. Agents can come and go while it runs; closing it
 * leaves no process of theirs behind. Safe for several threads.
 */
final class LocalCluster implements Control, AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(LocalCluster.class);

  private static final int BLOCKING_THREADS = 64;
  private static final int FIRST_OFFERED_PORT = 31000;
  private static final int PORTS_EACH = 100;
  private static final int PORT_RANGES = 10;
  private static final int PORT_TRIES = 200;
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** Why the cluster could not be started; the message is for its user. */
  static final class StartException extends Exception {
    StartException(String message) {
      super(message);
    }
  }

  private static final class Member {
    private final AgentSettings settings;
    private final ActorRef<AgentActor.Command> actor;
    private final LinuxContainers containers;
    private volatile ServerBinding binding;
    private volatile String id = "";
    private volatile String state = "registering";

    Member(
        AgentSettings settings,
        ActorRef<AgentActor.Command> actor,
        LinuxContainers containers,
        ServerBinding binding) {
      this.settings = settings;
      this.actor = actor;
      this.containers = containers;
      this.binding = binding;
    }

    AgentView view() {
      return new AgentView(id, settings.hostname(), settings.port(), state);
    }
  }

  private final LocalSettings settings;
  private final Runnable onShutdown;
  private final ActorSystem<SpawnProtocol.Command> system;
  private final ExecutorService blocking;
  private final ActorRef<MasterActor.Command> master;
  private final MasterSettings masterSettings;
  private final List<Member> members = new ArrayList<>();
  private int added;
  private boolean closed;

  private LocalCluster(LocalSettings settings, Runnable onShutdown) throws StartException {
    this.settings = settings;
    this.onShutdown = onShutdown;
    int port = settings.port() == 0 ? freePort(settings.ip()) : settings.port();
    this.masterSettings =
        new MasterSettings(
            settings.ip(),
            settings.hostname(),
            port,
            Duration.ofSeconds(1),
            Duration.ofSeconds(15),
            settings.agentPingTimeout(),
            settings.maxAgentPingTimeouts());
    this.system =
        ActorSystem.create(
            SpawnProtocol.create(),
            "local-mesos",
            ConfigFactory.parseResources("local-mesos.conf").withFallback(ConfigFactory.load()));
    this.blocking =
        Executors.newFixedThreadPool(
            BLOCKING_THREADS,
            work -> {
              Thread thread = new Thread(work, "blocking");
              thread.setDaemon(true);
              return thread;
            });
    this.master = spawn(MasterActor.create(masterSettings), "master");
  }

  /**
   * A running master with the agents that are asked for.
   *
   * @param onShutdown called when somebody asks over HTTP to end it all
   * @throws StartException saying what is in the way
   */
  static LocalCluster start(LocalSettings settings, Runnable onShutdown) throws StartException {
    LocalCluster cluster = new LocalCluster(settings, onShutdown);
    try {
      cluster.bindMaster();
      // Only now: had the port been taken, what runs in there might be another one's.
      LinuxContainers.sweep(settings.workDir());
      for (int i = 0; i < settings.agents(); i++) {
        await(cluster.addAgent(Optional.empty(), Optional.empty()));
      }
      return cluster;
    } catch (StartException e) {
      cluster.close();
      throw e;
    } catch (CompletionException e) {
      cluster.close();
      throw new StartException(String.valueOf(e.getCause().getMessage()));
    }
  }

  private void bindMaster() throws StartException {
    int port = masterSettings.port();
    try {
      await(
          HttpServers.bind(
              system,
              settings.ip(),
              port,
              new MasterRoutes(system, master, masterSettings, this, consoleOrigins())));
    } catch (CompletionException e) {
      throw new StartException(
          "Cannot listen at "
              + settings.ip()
              + ":"
              + port
              + ": the port is in use or not allowed; free it or choose another with --port");
    }
  }

  private static <T> T await(CompletionStage<T> stage) {
    try {
      return stage.toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new CompletionException(e.getCause());
    } catch (TimeoutException e) {
      throw new CompletionException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CompletionException(e);
    }
  }

  private <T> ActorRef<T> spawn(Behavior<T> behavior, String name) {
    return await(
        AskPattern.<SpawnProtocol.Command, ActorRef<T>>ask(
            system,
            replyTo -> new SpawnProtocol.Spawn<>(behavior, name, Props.empty(), replyTo),
            PATIENCE,
            system.scheduler()));
  }

  /** Where the master listens. */
  String url() {
    return "http://" + settings.ip() + ":" + masterSettings.port();
  }

  int port() {
    return masterSettings.port();
  }

  /** Where the console's page may have been loaded from. */
  private Set<String> consoleOrigins() {
    Set<String> origins = new LinkedHashSet<>();
    for (String host : List.of(settings.ip(), settings.hostname(), "localhost", "127.0.0.1")) {
      origins.add("http://" + host + ":" + masterSettings.port());
    }
    return origins;
  }

  private static int freePort(String ip) {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName(ip))) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException("Looking for a free port at " + ip, e);
    }
  }

  private static boolean isFree(String ip, int port) {
    try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getByName(ip))) {
      return socket.isBound();
    } catch (IOException e) {
      return false;
    }
  }

  // ---- agents

  @Override
  public synchronized List<AgentView> agents() {
    return members.stream().map(Member::view).toList();
  }

  @Override
  public CompletionStage<AgentView> addAgent(Optional<Double> cpus, Optional<Double> memMiB) {
    return CompletableFuture.supplyAsync(
        () -> {
          Member member = newMember(cpus.orElse(settings.cpus()), memMiB.orElse(settings.memMiB()));
          CompletableFuture<String> registered = new CompletableFuture<>();
          member.actor.tell(new AgentActor.Start(registered::complete));
          member.id = await(registered);
          member.state = "active";
          return member.view();
        },
        blocking);
  }

  /** The agents share one machine, so what one of them hands out the others must not. */
  private static String portsOf(int agent) {
    int first = FIRST_OFFERED_PORT + agent % PORT_RANGES * PORTS_EACH;
    return "[" + first + "-" + (first + PORTS_EACH - 1) + "]";
  }

  private synchronized Member newMember(double cpus, double memMiB) {
    if (closed) {
      throw new IllegalStateException("The cluster is shutting down");
    }
    int number = added++;
    String text =
        "cpus:"
            + cpus
            + ";mem:"
            + memMiB
            + ";disk:"
            + settings.diskMiB()
            + ";ports:"
            + (settings.ports().isEmpty() ? portsOf(number) : settings.ports());
    Path workDir = settings.workDir().resolve("agent-" + number);
    for (int attempt = 0; attempt < PORT_TRIES; attempt++) {
      int port =
          settings.firstAgentPort() == 0
              ? freePort(settings.ip())
              : settings.firstAgentPort() + attempt;
      if (!isFree(settings.ip(), port)) {
        continue;
      }
      AgentSettings agent =
          new AgentSettings(
              settings.ip(),
              settings.hostname(),
              port,
              workDir,
              ResourceText.resources(text),
              ResourceText.attributes(settings.attributes()),
              settings.executorEnvironment(),
              settings.registrationTimeout(),
              Duration.ofSeconds(2),
              Duration.ofMinutes(15),
              settings.shutdownGrace(),
              settings.retryFirst(),
              Duration.ofMinutes(10),
              Duration.ofMinutes(30),
              settings.switchUser());
      Optional<Member> member = bindAgent(agent, "agent-" + number + "-" + port);
      if (member.isPresent()) {
        members.add(member.get());
        return member.get();
      }
    }
    throw new IllegalStateException(
        "No free port for an agent at "
            + settings.ip()
            + " from "
            + settings.firstAgentPort()
            + " on");
  }

  private Optional<Member> bindAgent(AgentSettings agent, String name) {
    CompletableFuture<LinuxContainers> made = new CompletableFuture<>();
    ActorRef<AgentActor.Command> actor =
        spawn(
            AgentActor.create(
                agent,
                blocking,
                thread -> {
                  LinuxContainers containers =
                      new LinuxContainers(
                          agent.workDir().resolve("run"),
                          agent.workDir().resolve("fetch"),
                          agent.switchUser(),
                          blocking,
                          thread);
                  made.complete(containers);
                  return containers;
                },
                message -> master.tell(new MasterActor.AgentSays(message))),
            name);
    AgentRoutes routes =
        new AgentRoutes(system, actor, blocking, agent.workDir(), consoleOrigins());
    try {
      ServerBinding binding = await(HttpServers.bind(system, agent.ip(), agent.port(), routes));
      return Optional.of(new Member(agent, actor, await(made), binding));
    } catch (CompletionException e) {
      LOG.info("Port {} was taken meanwhile", agent.port());
      return Optional.empty();
    }
  }

  private synchronized Optional<Member> find(String id, String state) {
    return members.stream()
        .filter(member -> member.id.equals(id) && member.state.equals(state))
        .findFirst();
  }

  @Override
  public CompletionStage<Optional<AgentView>> killAgent(String id) {
    return CompletableFuture.supplyAsync(
        () -> {
          Optional<Member> found = find(id, "active");
          found.ifPresent(
              member -> {
                member.state = "lost";
                CompletionStage<Answer> killed =
                    AskPattern.ask(
                        member.actor, AgentActor.Lose::new, PATIENCE, system.scheduler());
                cut(member);
                await(killed);
              });
          return found.map(Member::view);
        },
        blocking);
  }

  /** Closes the agent's port and all of its connections. */
  private static void cut(Member member) {
    await(member.binding.unbind());
    await(member.binding.terminate(Duration.ofMillis(1)));
  }

  @Override
  public CompletionStage<Optional<AgentView>> restartAgent(String id) {
    return CompletableFuture.supplyAsync(
            () -> {
              Optional<Member> found = find(id, "active");
              found.ifPresent(
                  member -> {
                    member.state = "restarting";
                    member.actor.tell(AgentActor.Crash.NOW);
                    cut(member);
                  });
              return found;
            },
            blocking)
        .thenApplyAsync(
            found -> {
              found.ifPresent(this::comeBack);
              return found.map(Member::view);
            },
            CompletableFuture.delayedExecutor(
                settings.restartPause().toMillis(), TimeUnit.MILLISECONDS, blocking));
  }

  private void comeBack(Member member) {
    AgentRoutes routes =
        new AgentRoutes(
            system, member.actor, blocking, member.settings.workDir(), consoleOrigins());
    member.binding =
        await(HttpServers.bind(system, member.settings.ip(), member.settings.port(), routes));
    member.actor.tell(AgentActor.Recover.NOW);
    member.state = "active";
  }

  // ---- the end

  @Override
  public void shutdown() {
    onShutdown.run();
  }

  /** Asks all executors to end, kills those that do not within their grace, and ends. */
  @Override
  public void close() {
    List<Member> alive;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      alive = members.stream().filter(member -> !member.state.equals("lost")).toList();
    }
    alive.forEach(member -> member.actor.tell(AgentActor.Shutdown.NOW));
    long deadline = System.nanoTime() + settings.shutdownGrace().toNanos();
    while (System.nanoTime() < deadline && !alive.stream().allMatch(this::isIdle)) {
      pause();
    }
    alive.forEach(member -> member.containers.killAll());
    system.terminate();
    try {
      await(system.getWhenTerminated());
    } catch (CompletionException e) {
      LOG.warn("The actor system did not end in time", e);
    }
    blocking.shutdownNow();
  }

  private boolean isIdle(Member member) {
    CompletableFuture<Boolean> idle = new CompletableFuture<>();
    member.actor.tell(new AgentActor.Visit(agent -> idle.complete(agent.idle())));
    try {
      return idle.get(1, TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static void pause() {
    try {
      Thread.sleep(50);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
