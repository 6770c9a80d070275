package io.troupe.local.agent;

import io.troupe.local.agent.Fetcher.FetchException;
import io.troupe.os.NewProcesses;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Containers as plain child processes, each the leader of a session of its own so that the whole
 * tree can be ended. What blocks runs on the executor that is given for it.
 */
public final class LinuxContainers implements Containers {

  private static final Logger LOG = LoggerFactory.getLogger(LinuxContainers.class);

  /** Begins the message when not even the sandbox could be made ready. */
  static final String NO_SANDBOX = "Failed to create executor directory '";

  /** What Mesos' agents give it unless told otherwise. */
  private static final long CACHE_BYTES = 2L << 30;

  private static final int SIGKILL = 9;
  private static final int SIGNALLED = 128;

  /** Runs the command as a child and notes its status, so that a signal to itself can be told. */
  private static final String LAUNCHER =
      "noted=$1; shift; \"$@\"; status=$?; echo $status > \"$noted\"; exit $status";

  private final Path runtimeDir;
  private final boolean switchUser;
  private final Executor blocking;
  private final Executor agentThread;
  private final Fetcher fetcher;
  private final Set<Running> alive = ConcurrentHashMap.newKeySet();
  private final NewProcesses newProcesses = new NewProcesses();

  /**
   * @param runtimeDir for small notes while containers run
   * @param cacheDir for fetched files, which all containers share
   * @param switchUser whether commands run as the user they name, if this process is root
   * @param blocking where fetching and the killing of trees run
   * @param agentThread where listeners hear
   */
  public LinuxContainers(
      Path runtimeDir, Path cacheDir, boolean switchUser, Executor blocking, Executor agentThread) {
    this.runtimeDir = runtimeDir;
    this.fetcher = new Fetcher(new FetcherCache(cacheDir, CACHE_BYTES));
    this.switchUser = switchUser;
    this.blocking = blocking;
    this.agentThread = agentThread;
  }

  @Override
  public Container launch(Spec spec, Listener listener) {
    Running container = new Running(spec, listener);
    alive.add(container);
    blocking.execute(container::start);
    return container;
  }

  /** Looks which processes belong to which container; to be called now and then. Blocks. */
  public synchronized void lookAround() {
    if (!alive.isEmpty() && newProcesses.possible()) {
      List<ProcessTree.Entry> processes = ProcessTree.processes();
      alive.forEach(container -> container.remember(processes));
    }
  }

  /**
   * Ends what an earlier process left running in sandboxes under the directory, for want of an
   * orderly end. Blocks.
   */
  public static void sweep(Path workDir) {
    ProcessTree.killAllWith("MESOS_DIRECTORY=" + workDir.toAbsolutePath().normalize() + "/");
  }

  /** Ends every process of every container; returns when none is left. Blocks. */
  public void killAll() {
    List.copyOf(alive).forEach(Running::killNow);
  }

  private final class Running implements Container {
    private final Spec spec;
    private final Listener listener;
    private @Nullable ProcessTree tree;
    private boolean killed;

    Running(Spec spec, Listener listener) {
      this.spec = spec;
      this.listener = listener;
    }

    void start() {
      try {
        Files.createDirectories(runtimeDir);
        for (String file : List.of("stdout", "stderr")) {
          Files.write(
              spec.sandbox().resolve(file),
              new byte[0],
              java.nio.file.StandardOpenOption.CREATE,
              java.nio.file.StandardOpenOption.APPEND);
        }
        List<String> prefix = userPrefix();
        fetcher.fetchAll(spec.command().getUrisList(), spec.user(), spec.sandbox());
        run(prefix);
      } catch (FetchException e) {
        LOG.info("Container {}: {}", spec.id(), e.getMessage());
        fail(
            "Failed to fetch all URIs for container '" + spec.id() + "': exited with status 1",
            1 << 8);
      } catch (NoSuchUserException e) {
        fail(NO_SANDBOX + spec.sandbox() + "': " + e.getMessage(), -1);
      } catch (IOException | RuntimeException e) {
        LOG.warn("Container {} could not be started", spec.id(), e);
        fail("Failed to start the command: " + e.getMessage(), -1);
      }
    }

    private void fail(String message, int status) {
      alive.remove(this);
      agentThread.execute(() -> listener.failed(message, status));
    }

    /** What must come before the command so that it runs as its user. */
    private List<String> userPrefix() throws IOException, NoSuchUserException {
      String current = System.getProperty("user.name");
      if (!switchUser || !"root".equals(current) || spec.user().equals(current)) {
        return List.of();
      }
      String user = spec.user();
      boolean exists;
      try (java.util.stream.Stream<String> lines = Files.lines(Path.of("/etc/passwd"))) {
        exists = !user.isEmpty() && lines.anyMatch(line -> line.startsWith(user + ":"));
      }
      if (!exists) {
        throw new NoSuchUserException(
            "Failed to chown directory to '" + user + "': No such user '" + user + "'");
      }
      chown(user);
      return List.of("setpriv", "--reuid=" + user, "--regid=" + user, "--init-groups");
    }

    private void chown(String user) throws IOException {
      java.nio.file.attribute.UserPrincipal owner =
          spec.sandbox()
              .getFileSystem()
              .getUserPrincipalLookupService()
              .lookupPrincipalByName(user);
      Files.setOwner(spec.sandbox(), owner);
      Files.setOwner(spec.sandbox().resolve("stdout"), owner);
      Files.setOwner(spec.sandbox().resolve("stderr"), owner);
    }

    private void run(List<String> prefix) throws IOException {
      synchronized (this) {
        if (killed) {
          alive.remove(this);
          agentThread.execute(() -> listener.exited(SIGKILL));
          return;
        }
        Process process = start(prefix);
        ProcessTree started = new ProcessTree(spec.id(), process.pid());
        tree = started;
        long pid = process.pid();
        agentThread.execute(() -> listener.started(pid));
        CompletionStage<Process> exit = process.onExit();
        exit.thenAcceptAsync(ended -> ended(started, ended.exitValue()), blocking);
      }
    }

    private Process start(List<String> prefix) throws IOException {
      List<String> line = new ArrayList<>(List.of("setsid"));
      line.addAll(prefix);
      if (spec.exactStatus()) {
        line.addAll(List.of("/bin/sh", "-c", LAUNCHER, "mesos-containerizer", noted().toString()));
      }
      line.addAll(commandLine(spec.command()));
      ProcessBuilder builder =
          new ProcessBuilder(line)
              .directory(spec.sandbox().toFile())
              .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
              .redirectOutput(
                  ProcessBuilder.Redirect.appendTo(spec.sandbox().resolve("stdout").toFile()))
              .redirectError(
                  ProcessBuilder.Redirect.appendTo(spec.sandbox().resolve("stderr").toFile()));
      builder.environment().clear();
      builder.environment().putAll(spec.environment());
      return builder.start();
    }

    private Path noted() {
      return runtimeDir.resolve(spec.id() + ".status");
    }

    private void ended(ProcessTree ending, int exitCode) {
      ending.kill();
      alive.remove(this);
      int status = spec.exactStatus() ? waitStatus(exitCode) : exitCode;
      agentThread.execute(() -> listener.exited(status));
    }

    /** The status as wait(2) has it: the code in the second byte, or a signal in the first. */
    private int waitStatus(int exitCode) {
      try {
        return Files.deleteIfExists(noted()) || exitCode <= SIGNALLED
            ? exitCode << 8
            : exitCode - SIGNALLED;
      } catch (IOException e) {
        return exitCode << 8;
      }
    }

    void remember(List<ProcessTree.Entry> processes) {
      ProcessTree current = current();
      if (current != null) {
        current.remember(processes);
      }
    }

    private synchronized @Nullable ProcessTree current() {
      return tree;
    }

    @Override
    public void terminate() {
      blocking.execute(
          () -> {
            ProcessTree current = current();
            if (current != null) {
              current.terminate();
            }
          });
    }

    @Override
    public void kill() {
      blocking.execute(this::killNow);
    }

    void killNow() {
      synchronized (this) {
        killed = true;
      }
      ProcessTree current = current();
      if (current != null) {
        current.kill();
      }
    }
  }

  private static final class NoSuchUserException extends Exception {
    NoSuchUserException(String message) {
      super(message);
    }
  }

  /** The command as words; with {@code shell} it is one line for the shell. */
  static List<String> commandLine(CommandInfo command) {
    if (command.getShell()) {
      return List.of("/bin/sh", "-c", command.getValue());
    }
    List<String> arguments = command.getArgumentsList();
    String program = command.getValue();
    List<String> line = new ArrayList<>();
    String shown = arguments.isEmpty() ? program : arguments.get(0);
    boolean usual = shown.equals(program) || program.endsWith("/" + shown);
    if (!usual && Files.isExecutable(Path.of("/bin/bash"))) {
      // Only bash can give a program another name than the one it is found by.
      line.addAll(List.of("/bin/bash", "-c", "exec -a \"$0\" \"$@\"", shown));
    }
    line.add(program);
    line.addAll(arguments.subList(Math.min(1, arguments.size()), arguments.size()));
    return line;
  }
}
