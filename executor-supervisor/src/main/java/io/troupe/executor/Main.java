package io.troupe.executor;

import akka.actor.BootstrapSetup;
import akka.actor.typed.ActorSystem;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import io.troupe.executor.channel.ChannelServer;
import io.troupe.executor.channel.HttpBlobs;
import io.troupe.executor.channel.HttpSecrets;
import io.troupe.executor.channel.NearBlobs;
import io.troupe.executor.mesos.AgentConnection;
import io.troupe.executor.mesos.AgentSettings;
import io.troupe.executor.mesos.MesosEnvironment;
import io.troupe.executor.process.Archives;
import io.troupe.executor.process.Cgroups;
import io.troupe.executor.process.Containers;
import io.troupe.executor.process.Environments;
import io.troupe.executor.process.ExecutorMark;
import io.troupe.executor.process.Guard;
import io.troupe.executor.process.LocalServers;
import io.troupe.executor.process.Sandbox;
import io.troupe.executor.process.SecretFiles;
import io.troupe.executor.process.ServerSettings;
import io.troupe.executor.supervision.ClusterNodes;
import io.troupe.executor.supervision.Supervisor;
import io.troupe.executor.supervision.SupervisorSettings;
import io.troupe.executor.supervision.TaskReports;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.line.EventLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.LoggerFactory;
import scala.concurrent.ExecutionContext;

/**
 * The Mesos executor of one pool on one agent. Started by the agent; takes everything from its
 * environment. Exit code 0 after an orderly end, 64 when the environment is wrong, 1 otherwise.
 */
public final class Main {
  private static final int EXIT_USAGE = 64;
  private static final Duration LEAVE_LIMIT = Duration.ofSeconds(3);

  private Main() {}

  /** Runs the executor until it has nothing more to do. */
  public static void main(String[] arguments) {
    System.setProperty(
        "logback.configurationFile",
        System.getProperty("logback.configurationFile", "troupe-executor-logback.xml"));
    int code;
    try {
      code = run(System.getenv());
    } catch (IllegalArgumentException | ConfigException e) {
      System.err.println("troupe executor: " + e.getMessage());
      code = EXIT_USAGE;
    } catch (IOException e) {
      System.err.println("troupe executor: cannot start: " + e.getMessage());
      code = 1;
    } catch (InterruptedException e) {
      code = 1;
    }
    System.exit(code);
  }

  private static int run(Map<String, String> variables) throws IOException, InterruptedException {
    MesosEnvironment environment = MesosEnvironment.from(variables);
    Config config = ConfigFactory.load();
    AgentEvents events = new AgentEvents(environment.shutdownGrace());
    AgentConnection agent = AgentConnection.open(environment, AgentSettings.from(config), events);

    // The agent has been spoken to: now there is time for everything else.
    Sandbox sandbox = new Sandbox(environment.sandbox());
    ServerSettings servers = ServerSettings.from(config);
    ExecutorHome home = ExecutorHome.from(variables);
    String mark = ExecutorMark.own();
    Path secretsRoot = SecretFiles.root(secretRoots(variables), sandbox.root());
    Cgroups cgroups = Cgroups.find(config.getConfig("troupe.executor.cgroup"), mark);
    List<Path> swept = new ArrayList<>(List.of(secretsRoot));
    swept.addAll(cgroups.folders());
    try (SecretFiles secrets =
            new SecretFiles(new HttpSecrets(TaskData.SECRETS_TIMEOUT), secretsRoot, mark);
        Guard guard = Guard.start(home.python(), home.packages(), mark, swept);
        EventLoop loop = EventLoop.start("troupe-loop");
        ChannelServer channels =
            ChannelServer.open(sandbox.socket(), servers.maxFrameBytes(), loop)) {
      LoggerFactory.getLogger(Main.class).info("The guard is process {}", guard.pid());
      NearBlobs blobs =
          new NearBlobs(sandbox.blobs(), new HttpBlobs(sandbox.blobs(), servers.transferTimeout()));
      LocalServers launcher =
          new LocalServers(
              sandbox,
              servers,
              channels,
              environmentOfProcesses(variables, home),
              new Archives(
                  home.python(), home.packages(), config.getConfig("troupe.executor.archives")),
              new Environments(home.packages(), home.environments(), home.environmentsBytes()),
              cgroups,
              new Containers(
                  config.getConfig("troupe.executor.container"),
                  Map.of(
                      "troupe.framework", environment.frameworkId(),
                      "troupe.executor", environment.executorId()),
                  mark,
                  home.packages()),
              secrets,
              mark);
      ClusterNodes nodes =
          new ClusterNodes(
              environment.agentHost(), config.getConfig("troupe.executor.dispatchers"), loop);
      ActorSystem<Supervisor.Command> system =
          ActorSystem.create(
              Supervisor.create(
                  SupervisorSettings.from(config),
                  launcher,
                  agent,
                  nodes,
                  blobs,
                  System::nanoTime,
                  loop::rest),
              "executor",
              BootstrapSetup.create(localConfig(config))
                  .withDefaultExecutionContext(ExecutionContext.fromExecutor(loop)));
      events.attach(
          system, (task, why) -> agent.report(task, TaskReports.State.FAILED, "USER: " + why));
      system.getWhenTerminated().toCompletableFuture().join();
      agent.awaitAcknowledged(acknowledgeLimit(environment));
      nodes.leaveAll(LEAVE_LIMIT);
      agent.close();
    }
    return 0;
  }

  /**
   * What is left of the grace when the workers have had their part of it, but some time at least.
   */
  private static Duration acknowledgeLimit(MesosEnvironment environment) {
    Duration grace = environment.shutdownGrace();
    return grace.compareTo(Duration.ofSeconds(2)) < 0 ? Duration.ofSeconds(2) : grace;
  }

  /** Where a machine keeps in memory what is in files. */
  private static List<Path> secretRoots(Map<String, String> variables) {
    List<Path> roots = new ArrayList<>(List.of(Path.of("/dev/shm")));
    String ofUser = variables.getOrDefault("XDG_RUNTIME_DIR", "");
    if (ofUser.startsWith("/")) {
      roots.add(Path.of(ofUser));
    }
    roots.add(Path.of("/run"));
    return roots;
  }

  private static Config localConfig(Config config) {
    return config
        .getConfig("troupe.executor.dispatchers")
        .withFallback(ConfigFactory.parseResources("troupe-executor-local.conf"))
        .withFallback(config);
  }

  /** The user's code gets this process's environment, without what is the executor's business. */
  private static Map<String, String> environmentOfProcesses(
      Map<String, String> variables, ExecutorHome home) {
    Map<String, String> clean = new HashMap<>(variables);
    clean
        .keySet()
        .removeIf(
            name ->
                name.startsWith("MESOS_")
                    || name.startsWith("LIBPROCESS_")
                    || name.startsWith("TROUPE_"));
    clean.put("PYTHONPATH", home.packages().toString());
    return clean;
  }
}
