package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "local",
    description = "Run an embedded Mesos and a scheduler on this machine, in the background.",
    subcommands = {
      LocalCommand.Up.class,
      LocalCommand.Down.class,
      LocalCommand.Status.class,
      LocalCommand.AddAgent.class,
      LocalCommand.KillAgent.class,
      LocalCommand.RestartAgent.class,
      LocalCommand.Train.class
    })
final class LocalCommand extends Group {

  /** What all of them have. */
  abstract static class Local extends Leaf {
    @Option(
        names = "--dir",
        paramLabel = "DIR",
        defaultValue = ".troupe",
        description = "Where its state and logs are (default: ${DEFAULT-VALUE}).")
    private Path directory = Path.of(".troupe");

    final LocalCluster cluster() {
      return cluster(directory, new SharedClasses(Path.of(property("troupe.cds")), false));
    }

    final LocalCluster cluster(Path where, SharedClasses classes) {
      Path home = Path.of(property("troupe.home"));
      Path conf = Path.of(property("troupe.conf"));
      return new LocalCluster(where, home, conf, classes, terminal(), System.getenv());
    }

    static String property(String name) {
      String value = System.getProperty(name);
      if (value == null) {
        throw Failure.usage("start this program with bin/troupe");
      }
      return value;
    }
  }

  @Command(
      name = "train",
      hidden = true,
      description = "Run a small cluster once, and note which classes its programs load.")
  static final class Train extends Local {
    private static final Duration JOB = Duration.ofSeconds(60);

    @Override
    int run() {
      SharedClasses classes = new SharedClasses(Path.of(property("troupe.cds")), true);
      LocalCluster cluster = cluster(classes.folder().resolve("training"), classes);
      List<Integer> ports = freePorts(5);
      try {
        LocalState state =
            cluster.up(
                new LocalCluster.Wishes(
                    1,
                    true,
                    0.6,
                    512,
                    true,
                    Optional.empty(),
                    ports.get(0),
                    ports.get(1),
                    ports.get(2),
                    ports.get(3),
                    ports.get(4)));
        work(new SchedulerClient(state.ports().apiUrl(), null));
      } finally {
        cluster.down();
      }
      return 0;
    }

    /** Python's own json module has a function that will do for a job. */
    private static void work(SchedulerClient scheduler) {
      ObjectNode pool = Terminal.JSON.createObjectNode();
      pool.put("name", "training").put("command", "python3 -m troupe.worker json").put("size", 1);
      pool.putObject("resources").put("cpus", 0.2).put("mem", "64 MiB");
      scheduler.post("/v1/pools", pool);
      scheduler.post(
          "/v1/pools/training/jobs?function=dumps&wait=" + JOB.toSeconds() + "s",
          new byte[] {'1'},
          "application/json",
          JOB.plus(SchedulerClient.SOON));
      Management.of(scheduler).tree();
    }

    private static List<Integer> freePorts(int count) {
      List<ServerSocket> sockets = new ArrayList<>();
      try {
        List<Integer> ports = new ArrayList<>();
        for (int i = 0; i < count; i++) {
          ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
          sockets.add(socket);
          ports.add(socket.getLocalPort());
        }
        for (ServerSocket socket : sockets) {
          socket.close();
        }
        return ports;
      } catch (IOException e) {
        throw Failure.of("no free ports: " + e.getMessage());
      }
    }
  }

  @Command(name = "up", description = "Start what does not run yet, and wait until it is ready.")
  static final class Up extends Local {
    @Option(names = "--agents", paramLabel = "N", description = "How many agents (default: 2).")
    private @Nullable Integer agents;

    @Option(names = "--cpus", paramLabel = "C", description = "Of each agent.")
    private @Nullable Double cpus;

    @Option(names = "--mem", paramLabel = "MB", description = "Of each agent, in MiB.")
    private @Nullable Integer mem;

    @Option(names = "--no-scheduler", description = "Only Mesos, for other frameworks to use.")
    private boolean noScheduler;

    @Option(
        names = "--conf",
        paramLabel = "FILE",
        description =
            "The scheduler's settings, in place of those of conf/local.conf; kept for the next up.")
    private @Nullable Path settings;

    @Option(names = "--mesos-port", paramLabel = "PORT", description = "Default: 5050.")
    private @Nullable Integer mesosPort;

    @Option(names = "--agent-port", paramLabel = "PORT", description = "Of the first agent.")
    private @Nullable Integer agentPort;

    @Option(names = "--api-port", paramLabel = "PORT", description = "Default: 7070.")
    private @Nullable Integer apiPort;

    @Option(names = "--management-port", paramLabel = "PORT", description = "Default: 8558.")
    private @Nullable Integer managementPort;

    @Option(names = "--artery-port", paramLabel = "PORT", description = "Default: 25520.")
    private @Nullable Integer arteryPort;

    @Override
    int run() {
      if (agents != null && agents < 0) {
        throw Failure.usage("--agents must not be negative");
      }
      LocalCluster cluster = cluster();
      cluster.progress("starting Mesos and the scheduler …");
      LocalState state;
      try {
        state =
            cluster.up(
                new LocalCluster.Wishes(
                    agents == null ? 2 : agents,
                    agents != null,
                    cpus,
                    mem,
                    !noScheduler,
                    Optional.ofNullable(settings).map(Path::toAbsolutePath),
                    mesosPort,
                    agentPort,
                    apiPort,
                    managementPort,
                    arteryPort));
      } finally {
        cluster.progress("");
      }
      LocalState.Ports ports = state.ports();
      StringBuilder words = new StringBuilder();
      words.append("Mesos       ").append(ports.mesosUrl());
      words.append("  (").append(cluster.agents(ports).size()).append(" agents)");
      if (state.scheduler().isPresent()) {
        words.append("\njob API     ").append(ports.apiUrl());
        words.append("\nactor tree  ").append(ports.managementUrl()).append("/troupe/");
      }
      words.append("\nlogs        ").append(cluster.directory().resolve("log"));
      return say(cluster.status(), words.toString());
    }
  }

  @Command(name = "down", description = "Stop everything, and see that nothing is left.")
  static final class Down extends Local {
    @Override
    int run() {
      int killed = cluster().down();
      ObjectNode answer = Terminal.JSON.createObjectNode().put("killed", killed);
      return say(
          answer,
          killed == 0
              ? "nothing runs any more"
              : "nothing runs any more; " + killed + " processes had to be killed");
    }
  }

  @Command(name = "status", description = "Show what runs.")
  static final class Status extends Local {
    @Override
    int run() {
      ObjectNode status = cluster().status();
      if (json()) {
        terminal().json(status);
        return 0;
      }
      Terminal terminal = terminal();
      JsonNode mesos = status.path("mesos");
      JsonNode scheduler = status.path("scheduler");
      terminal
          .out()
          .println(
              mesos.isNull()
                  ? "Mesos      down; start it with 'bin/troupe local up'"
                  : "Mesos      pid "
                      + mesos.path("pid").asLong()
                      + "  "
                      + mesos.path("url").asText());
      terminal
          .out()
          .println(
              scheduler.isNull()
                  ? "scheduler  down; start it with 'bin/troupe local up'"
                  : "scheduler  pid %d  job API %s  tree %s/troupe/"
                      .formatted(
                          scheduler.path("pid").asLong(),
                          scheduler.path("api").asText(),
                          scheduler.path("management").asText()));
      if (!mesos.isNull()) {
        Table table = new Table("AGENT", "HOST", "PORT", "STATE");
        for (JsonNode agent : status.path("agents")) {
          table.row(
              agent.path("id").asText(),
              agent.path("hostname").asText(),
              agent.path("port").asInt(),
              agent.path("state").asText());
        }
        table.print(terminal, "no agents; add one with 'bin/troupe local add-agent'");
      }
      return 0;
    }
  }

  @Command(name = "add-agent", description = "Let one more machine register with Mesos.")
  static final class AddAgent extends Local {
    @Option(names = "--cpus", paramLabel = "C", description = "What it offers.")
    private @Nullable Double cpus;

    @Option(names = "--mem", paramLabel = "MB", description = "What it offers, in MiB.")
    private @Nullable Integer mem;

    @Override
    int run() {
      LocalCluster cluster = cluster();
      JsonNode agent = cluster.addAgent(cluster.running().ports(), cpus, mem);
      return say(
          agent,
          "agent %s is %s on port %d"
              .formatted(
                  agent.path("id").asText(),
                  agent.path("state").asText(),
                  agent.path("port").asInt()));
    }
  }

  /** A command about one agent. */
  abstract static class OneAgent extends Local {
    @Parameters(paramLabel = "ID", description = "As 'bin/troupe local status' shows it.")
    private String id = "";

    final int change(String verb, String words) {
      LocalCluster cluster = cluster();
      JsonNode answer = cluster.changeAgent(cluster.running().ports(), id, verb);
      return say(
          answer.isMissingNode() ? Terminal.JSON.createObjectNode().put("id", id) : answer,
          "agent " + id + " " + words);
    }
  }

  @Command(
      name = "kill-agent",
      description = "Lose a machine: its agent, executors and workers die without a word.")
  static final class KillAgent extends OneAgent {
    @Override
    int run() {
      return change("kill", "is dead; Mesos will notice in some seconds");
    }
  }

  @Command(
      name = "restart-agent",
      description = "Let an agent crash and recover; its executors and workers live on.")
  static final class RestartAgent extends OneAgent {
    @Override
    int run() {
      return change("restart", "has crashed and come back");
    }
  }
}
