package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The processes of a local cluster: one for the embedded master and its agents, one for the
 * scheduler, and the executors that the agents start. All it keeps stands in one folder.
 */
final class LocalCluster {
  private static final Duration START = Duration.ofSeconds(90);
  private static final Duration STOP = Duration.ofSeconds(20);
  private static final Duration SWEEP = Duration.ofSeconds(5);
  private static final Duration POLL = Duration.ofMillis(20);

  /** An agent that answers no ping for five seconds is lost: this is one machine, not a network. */
  private static final List<String> SHORT_PINGS =
      List.of("--agent-ping-timeout", "1secs", "--max-agent-ping-timeouts", "5");

  /**
   * Akka HTTP takes one step down the stack for each request that a client has sent without waiting
   * for answers, as far as one read goes: some thousands. A stack of the usual size ends there, and
   * with it the process.
   */
  private static final String DEEP_STACKS = "-Xss16m";

  /**
   * The quick compiler alone. Before the optimizing one takes a method, it runs for thousands of
   * calls in a form that counts everything and is half as fast, and then it takes the processors
   * from the jobs: a job at a time takes a third less time so, and a map of no-ops is as fast.
   */
  private static final String QUICK_COMPILER = "-XX:TieredStopAtLevel=1";

  /**
   * A heap that gives back what it does not use. Each program says how small it begins: Java would
   * take a 64th of the memory.
   */
  private static final List<String> SMALL_HEAP =
      List.of("-XX:+UseSerialGC", "-XX:MinHeapFreeRatio=20", "-XX:MaxHeapFreeRatio=40");

  /**
   * Java would look every second, and four times a second, whether there is something to clean up.
   */
  private static final List<String> REST =
      List.of(
          "-XX:+UnlockDiagnosticVMOptions",
          "-XX:GuaranteedSafepointInterval=0",
          "-XX:AsyncDeflationInterval=10000");

  /**
   * For the scheduler, where what is new has as much room as what stays, and with it the work it
   * has. Jobs on their way live through some collections: with less room for what is new, and for
   * what is left of that, they end among what stays, and cleaning that up stops everything for half
   * of the time. Half the room for what is new takes a tenth of the rate of no-ops.
   */
  private static final List<String> GROWING_HEAP =
      List.of(
          "-Xms24m",
          "-Xmx512m",
          "-XX:NewSize=8m",
          "-XX:MaxNewSize=160m",
          "-XX:NewRatio=1",
          "-XX:SurvivorRatio=4",
          "-XX:MinHeapFreeRatio=40",
          "-XX:MaxHeapFreeRatio=60");

  /** What a user may choose. */
  record Wishes(
      int agents,
      boolean agentsGiven,
      @Nullable Double cpus,
      @Nullable Integer memMb,
      boolean scheduler,
      Optional<Path> settings,
      @Nullable Integer mesosPort,
      @Nullable Integer agentPort,
      @Nullable Integer apiPort,
      @Nullable Integer managementPort,
      @Nullable Integer arteryPort) {

    LocalState.Ports ports(LocalState.Ports before) {
      return new LocalState.Ports(
          mesosPort == null ? before.mesos() : mesosPort,
          agentPort == null ? agentPortBeside(before) : agentPort,
          apiPort == null ? before.api() : apiPort,
          managementPort == null ? before.management() : managementPort,
          arteryPort == null ? before.artery() : arteryPort);
    }

    private int agentPortBeside(LocalState.Ports before) {
      return mesosPort == null ? before.agent() : mesosPort + 1;
    }
  }

  private final Path directory;
  private final Path home;
  private final Path conf;
  private final SharedClasses classes;
  private final Terminal terminal;
  private final Map<String, String> environment;

  /**
   * @param directory where it keeps everything; need not exist
   * @param home the unpacked distribution
   * @param conf the folder of local.conf and logback.xml
   * @param classes what the JVMs that it starts share
   * @param environment of the user: the agents pass its PATH on
   */
  LocalCluster(
      Path directory,
      Path home,
      Path conf,
      SharedClasses classes,
      Terminal terminal,
      Map<String, String> environment) {
    this.directory = directory.toAbsolutePath().normalize();
    this.home = home;
    this.conf = conf;
    this.classes = classes;
    this.terminal = terminal;
    this.environment = environment;
  }

  Path directory() {
    return directory;
  }

  /** What runs; fails where nothing was ever started. */
  LocalState running() {
    LocalState state = LocalState.read(directory).orElse(LocalState.NOTHING).living();
    if (state.mesos().isEmpty()) {
      throw Failure.of(
          "no local Mesos runs from " + directory + ": start it with 'bin/troupe local up'");
    }
    return state;
  }

  /** What was started and is alive. */
  LocalState state() {
    return LocalState.read(directory).orElse(LocalState.NOTHING).living();
  }

  /** Starts what does not run yet; returns when all of it is ready. */
  LocalState up(Wishes wishes) {
    prepareDirectory();
    try (FileChannel file = lockFile()) {
      lock(file);
      LocalState state = answering(state());
      state = state.withPorts(wishes.ports(state.ports()));
      state = state.withSettings(wishes.settings().or(state::settings));
      if (state.mesos().isEmpty()) {
        sweep(Duration.ZERO, state.scheduler());
        emptySandboxes();
      }
      checkPorts(state, wishes);
      Optional<Daemon> mesos =
          state.mesos().isPresent()
              ? Optional.empty()
              : Optional.of(startMesos(state.ports(), wishes));
      state = state.withMesos(mesos.map(Daemon::identity).or(state::mesos));
      state.write(directory);
      Optional<Daemon> scheduler = Optional.empty();
      try {
        if (state.scheduler().isEmpty() && wishes.scheduler()) {
          scheduler = Optional.of(startScheduler(state, mesos.isPresent()));
          state = state.withScheduler(scheduler.map(Daemon::identity));
          state.write(directory);
        }
        mesos.ifPresent(daemon -> daemon.awaitReady(START));
        awaitAgents(state.ports(), wishes, mesos.isPresent());
        scheduler.ifPresent(daemon -> daemon.awaitReady(START));
        if (scheduler.isPresent()) {
          awaitSubscribed(state.ports());
        }
      } catch (Failure failure) {
        // Nothing half started may stay; what ran before does.
        mesos.ifPresent(daemon -> end(List.of(daemon.identity()), STOP));
        scheduler.ifPresent(daemon -> end(List.of(daemon.identity()), STOP));
        state.living().write(directory);
        throw failure;
      }
      return state;
    } catch (IOException e) {
      throw Failure.of("cannot use the folder " + directory + ": " + e.getMessage());
    }
  }

  /**
   * Stops everything and looks whether anything is left.
   *
   * @return how many processes had to be killed because they did not end themselves
   */
  int down() {
    if (!Files.isDirectory(directory)) {
      return 0;
    }
    try (FileChannel file = lockFile()) {
      lock(file);
      LocalState state = state();
      List<LocalProcess> daemons = new ArrayList<>();
      state.scheduler().ifPresent(daemons::add);
      state.mesos().ifPresent(daemons::add);
      int killed = end(daemons, STOP);
      killed += sweep(SWEEP, Optional.empty());
      List<LocalProcess> left = LocalProcess.ofCluster(directory);
      if (!left.isEmpty()) {
        throw Failure.of("process " + left.get(0).pid() + " does not end, even after SIGKILL");
      }
      LocalState.forget(directory);
      return killed;
    } catch (IOException e) {
      throw Failure.of("cannot use the folder " + directory + ": " + e.getMessage());
    }
  }

  /** Without the processes that were about to end; one that lives and is silent stays. */
  private LocalState answering(LocalState state) {
    LocalState.Ports ports = state.ports();
    return state
        .withMesos(state.mesos().filter(it -> answers(it, ports.mesosUrl() + "/health")))
        .withScheduler(state.scheduler().filter(it -> answers(it, ports.apiUrl() + "/v1/info")));
  }

  private boolean answers(LocalProcess process, String address) {
    SchedulerClient client = new SchedulerClient(address, environment.get("TROUPE_TOKEN"));
    long end = System.nanoTime() + SWEEP.toNanos();
    while (process.alive() && System.nanoTime() < end) {
      try {
        client.get("", SWEEP);
        return true;
      } catch (Failure notNow) {
        MapRun.pause(POLL);
      }
    }
    return process.alive();
  }

  private void prepareDirectory() {
    try {
      Files.createDirectories(directory.resolve("tmp"));
      Files.createDirectories(directory.resolve("log"));
      Files.createDirectories(directory.resolve("mesos"));
      Files.createDirectories(directory.resolve("scheduler"));
    } catch (IOException e) {
      throw Failure.of("cannot make the folder " + directory + ": choose another with --dir");
    }
  }

  private FileChannel lockFile() throws IOException {
    return FileChannel.open(
        directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
  }

  /** Held until the file is closed. */
  private void lock(FileChannel file) throws IOException {
    long end = System.nanoTime() + START.plus(STOP).toNanos();
    while (System.nanoTime() < end) {
      if (file.tryLock() != null) {
        return;
      }
      MapRun.pause(POLL);
    }
    throw Failure.of(
        "another 'bin/troupe local' is busy with " + directory + ": wait for it to end");
  }

  /** Sandboxes of earlier runs go, when no agent is there to want them. */
  private void emptySandboxes() throws IOException {
    try (Stream<Path> all = Files.walk(directory.resolve("mesos"))) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        if (!path.equals(directory.resolve("mesos"))) {
          Files.delete(path);
        }
      }
    }
  }

  private static void checkPorts(LocalState state, Wishes wishes) {
    LocalState.Ports ports = state.ports();
    if (state.mesos().isEmpty()) {
      checkFree(ports.mesos(), "the Mesos master", "--mesos-port");
    }
    if (state.scheduler().isEmpty() && wishes.scheduler()) {
      checkFree(ports.api(), "the job API", "--api-port");
      checkFree(ports.management(), "Akka Management", "--management-port");
      checkFree(ports.artery(), "the Akka cluster", "--artery-port");
    }
  }

  private static void checkFree(int port, String whose, String option) {
    try (ServerSocket socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    } catch (IOException e) {
      throw Failure.of(
          "port %d, for %s, is in use: stop what listens there, or choose another port with %s"
              .formatted(port, whose, option));
    } catch (IllegalArgumentException e) {
      throw Failure.usage(option + " must be a port from 1 to 65535, not " + port);
    }
  }

  private Daemon startMesos(LocalState.Ports ports, Wishes wishes) {
    List<String> command = java("mesos", List.of("-Xms20m", "-XX:NewSize=4m", "-Xmx256m"));
    command.add("io.troupe.local.Main");
    command.addAll(List.of("--ip", "127.0.0.1"));
    command.addAll(List.of("--port", String.valueOf(ports.mesos())));
    command.addAll(List.of("--agent-port", String.valueOf(ports.agent())));
    command.addAll(List.of("--agents", String.valueOf(wishes.agents())));
    if (wishes.cpus() != null) {
      command.addAll(List.of("--cpus", String.valueOf(wishes.cpus())));
    }
    if (wishes.memMb() != null) {
      command.addAll(List.of("--mem", String.valueOf(wishes.memMb())));
    }
    command.addAll(List.of("--work-dir", directory.resolve("mesos").toString()));
    command.addAll(SHORT_PINGS);
    command.addAll(List.of("--executor-environment", executorEnvironment()));
    return start("the local Mesos", "mesos.log", command);
  }

  private Daemon startScheduler(LocalState state, boolean newMesos) {
    LocalState.Ports ports = state.ports();
    List<String> command = java("scheduler", GROWING_HEAP);
    command.add("-Dtroupe.api.port=" + ports.api());
    command.add("-Dakka.management.http.port=" + ports.management());
    command.add("-Dakka.remote.artery.canonical.port=" + ports.artery());
    command.add("-Dtroupe.executor.home=" + home);
    command.add("-Dtroupe.executor.environments.folder=" + directory.resolve("environments"));
    command.add("-Dtroupe.executor.java=" + javaCommand());
    command.add("-Dtroupe.executor.java-options=" + executorOptions());
    command.add("io.troupe.scheduler.Main");
    command.addAll(List.of("--master", ports.mesosUrl()));
    Path settings = state.settings().orElse(conf.resolve("local.conf"));
    command.addAll(List.of("--conf", settings.toString()));
    command.addAll(List.of("--dir", directory.resolve("scheduler").toString()));
    if (newMesos) {
      // It knows none of the workers of the one before, which took them along; asking it would take
      // a minute.
      command.add("--new-framework");
    }
    return start("the scheduler", "scheduler.log", command);
  }

  private String executorOptions() {
    List<String> options = new ArrayList<>(List.of("-Xms24m", "-XX:NewSize=5m", "-Xmx128m"));
    options.addAll(SMALL_HEAP);
    options.addAll(REST);
    options.addAll(List.of(QUICK_COMPILER, "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError"));
    options.add("-Djava.io.tmpdir=" + directory.resolve("tmp"));
    options.addAll(classes.options("executor"));
    // A shell reads them.
    return String.join(
        " ", options.stream().map(it -> "'" + it.replace("'", "'\\''") + "'").toList());
  }

  private Daemon start(String name, String log, List<String> command) {
    Map<String, String> marked = new HashMap<>();
    marked.put(LocalProcess.MARKER, directory.toString());
    marked.put("TMPDIR", directory.resolve("tmp").toString());
    marked.put("MALLOC_ARENA_MAX", "2");
    return Daemon.start(name, command, directory, directory.resolve("log/" + log), marked);
  }

  private List<String> java(String archive, List<String> heap) {
    List<String> command = new ArrayList<>();
    command.add(javaCommand());
    command.addAll(SMALL_HEAP);
    command.addAll(REST);
    command.addAll(heap);
    command.add(DEEP_STACKS);
    command.add(QUICK_COMPILER);
    command.addAll(classes.options(archive));
    command.add("-XX:-UsePerfData");
    command.add("-XX:+ExitOnOutOfMemoryError");
    command.add("-Djava.io.tmpdir=" + directory.resolve("tmp"));
    command.add("-Dlogback.configurationFile=" + conf.resolve("logback.xml"));
    command.addAll(List.of("-cp", home.resolve("lib") + "/*"));
    return command;
  }

  private static String javaCommand() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  /**
   * Agents give executors nothing of their own environment. The user's PATH makes python3 the same
   * Python for workers as for the user.
   */
  private String executorEnvironment() {
    ObjectNode variables = Terminal.JSON.createObjectNode();
    for (String name : List.of("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE")) {
      String value = environment.get(name);
      if (value != null) {
        variables.put(name, value);
      }
    }
    variables.put("TMPDIR", directory.resolve("tmp").toString());
    variables.put("PYTHONDONTWRITEBYTECODE", "1");
    variables.put("MALLOC_ARENA_MAX", "2");
    variables.put(LocalProcess.MARKER, directory.toString());
    return variables.toString();
  }

  private void awaitAgents(LocalState.Ports ports, Wishes wishes, boolean fresh) {
    if (!fresh && wishes.agentsGiven()) {
      for (int missing = wishes.agents() - registered(ports); missing > 0; missing--) {
        addAgent(ports, wishes.cpus(), wishes.memMb());
      }
    }
    long end = System.nanoTime() + START.toNanos();
    while (fresh && registered(ports) < wishes.agents()) {
      if (System.nanoTime() > end) {
        throw Failure.of(
            "the agents did not register in time (log: " + directory + "/log/mesos.log)");
      }
      MapRun.pause(POLL);
    }
  }

  private void awaitSubscribed(LocalState.Ports ports) {
    SchedulerClient scheduler =
        new SchedulerClient(ports.apiUrl(), environment.get("TROUPE_TOKEN"));
    long end = System.nanoTime() + START.toNanos();
    while (!scheduler
        .get("/v1/info")
        .json()
        .path("framework")
        .path("state")
        .asText()
        .equals("SUBSCRIBED")) {
      if (System.nanoTime() > end) {
        throw Failure.of(
            "the scheduler did not get through to Mesos (log: "
                + directory
                + "/log/scheduler.log)");
      }
      MapRun.pause(POLL);
    }
  }

  private int registered(LocalState.Ports ports) {
    int count = 0;
    for (JsonNode agent : agents(ports)) {
      count += agent.path("state").asText().matches("(?i)active|registered|up|running") ? 1 : 0;
    }
    return count;
  }

  /** The agents as the local Mesos lists them. */
  JsonNode agents(LocalState.Ports ports) {
    JsonNode answer = control(ports).get("/local/agents").json();
    return answer.isArray() ? answer : answer.path("agents");
  }

  JsonNode addAgent(LocalState.Ports ports, @Nullable Double cpus, @Nullable Integer memMb) {
    ObjectNode wish = Terminal.JSON.createObjectNode();
    if (cpus != null) {
      wish.put("cpus", cpus);
    }
    if (memMb != null) {
      wish.put("mem", memMb);
    }
    return control(ports).post("/local/agents", wish).json();
  }

  JsonNode changeAgent(LocalState.Ports ports, String id, String verb) {
    for (JsonNode agent : agents(ports)) {
      if (agent.path("id").asText().equals(id)) {
        return control(ports)
            .post("/local/agents/" + SchedulerClient.encode(id) + "/" + verb)
            .json();
      }
    }
    throw Failure.of("there is no agent " + id + ": 'bin/troupe local status' lists them");
  }

  private static SchedulerClient control(LocalState.Ports ports) {
    return new SchedulerClient(ports.mesosUrl(), null);
  }

  /** Kills what is left of the cluster once it had time to go, {@code spared} aside. */
  private int sweep(Duration grace, Optional<LocalProcess> spared) {
    long end = System.nanoTime() + grace.toNanos();
    List<LocalProcess> left = leftOver(spared);
    while (!left.isEmpty() && System.nanoTime() < end) {
      MapRun.pause(POLL);
      left = leftOver(spared);
    }
    left.forEach(LocalProcess::kill);
    awaitEnd(left, SWEEP);
    return left.size();
  }

  private List<LocalProcess> leftOver(Optional<LocalProcess> spared) {
    return LocalProcess.ofCluster(directory).stream()
        .filter(process -> !Optional.of(process).equals(spared))
        .toList();
  }

  private int end(List<LocalProcess> processes, Duration grace) {
    processes.forEach(LocalProcess::terminate);
    awaitEnd(processes, grace);
    List<LocalProcess> stubborn = processes.stream().filter(LocalProcess::alive).toList();
    stubborn.forEach(LocalProcess::kill);
    awaitEnd(stubborn, SWEEP);
    return stubborn.size();
  }

  private static void awaitEnd(List<LocalProcess> processes, Duration grace) {
    long end = System.nanoTime() + grace.toNanos();
    while (processes.stream().anyMatch(LocalProcess::alive) && System.nanoTime() < end) {
      MapRun.pause(POLL);
    }
  }

  /** As {@code local status --json} says it; the terminal gets the same in words. */
  ObjectNode status() {
    LocalState state = state();
    LocalState.Ports ports = state.ports();
    ObjectNode status = Terminal.JSON.createObjectNode().put("dir", directory.toString());
    status.putNull("mesos");
    status.putArray("agents");
    status.putNull("scheduler");
    state
        .mesos()
        .ifPresent(
            process -> {
              status.putObject("mesos").put("pid", process.pid()).put("url", ports.mesosUrl());
              status.set("agents", agents(ports));
            });
    state
        .scheduler()
        .ifPresent(
            process ->
                status
                    .putObject("scheduler")
                    .put("pid", process.pid())
                    .put("api", ports.apiUrl())
                    .put("management", ports.managementUrl()));
    return status;
  }

  /** One line of progress, where a person waits. */
  void progress(String line) {
    if (terminal.errIsTerminal()) {
      terminal.err().print("\r\033[K" + line);
      terminal.err().flush();
    }
  }
}
