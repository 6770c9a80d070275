package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import io.troupe.model.Container;
import io.troupe.protocol.TaskData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Containers for workers, by the command line of the podman or docker of this machine, which is
 * looked for when the first is wanted. Each call of it has a deadline, as a daemon may hang. All
 * containers are labelled with what they belong to, and those of executors that are gone are
 * removed. Any thread; calls block.
 */
public final class Containers {
  private static final Logger log = LoggerFactory.getLogger(Containers.class);
  private static final String MARK_LABEL = "troupe.mark";
  private static final List<String> KNOWN = List.of("podman", "docker");

  /** What podman's --init needs. */
  private static final List<Path> INITS =
      List.of(Path.of("/usr/bin/catatonit"), Path.of("/usr/libexec/podman/catatonit"));

  private static final Path LIMITS = Path.of("/proc/self/limits");

  /** Some engines cannot pass on more, although they might have it. */
  private static final long MOST_BY_DEFAULT = 32_768;

  private static final double SHARES_PER_CPU = 1024;
  private static final double LEAST_SHARES = 2;

  private final String wanted;
  private final Duration callTimeout;
  private final Map<String, String> labels;
  private final String mark;
  private final Path packages;
  private @Nullable Engine engine;

  /** What runs containers here. */
  private record Engine(String program, boolean init) {}

  /**
   * @param config {@code troupe.executor.container}
   * @param labels whose containers they are
   * @param mark of this executor, unique on the machine
   * @param packages folder that holds the {@code troupe} package
   */
  public Containers(Config config, Map<String, String> labels, String mark, Path packages) {
    this.wanted = config.getString("runtime");
    this.callTimeout = config.getDuration("call-timeout");
    this.labels = Map.copyOf(labels);
    this.mark = mark;
    this.packages = packages;
  }

  /** Why no container can be run here; empty when one can. */
  synchronized Optional<String> trouble() {
    if (engine != null) {
      return Optional.empty();
    }
    List<String> tried = wanted.equals("auto") ? KNOWN : List.of(wanted);
    for (String program : tried) {
      if (call(List.of(program, "version")).isPresent()) {
        boolean podman = Path.of(program).endsWith("podman");
        engine = new Engine(program, !podman || INITS.stream().anyMatch(Files::isExecutable));
        log.info("Containers are run by {}", program);
        sweep();
        return Optional.empty();
      }
    }
    return Optional.of(
        "its image needs "
            + String.join(" or ", tried)
            + ", which this agent does not have or which does not answer: install it, or leave"
            + " image out of the pool");
  }

  private synchronized String program() {
    if (engine == null) {
      throw new IllegalStateException("nothing runs containers here");
    }
    return engine.program();
  }

  /** Whether the first process in a container only starts and reaps others. */
  synchronized boolean hasInit() {
    return engine != null && engine.init();
  }

  /** Whether the image is on this machine. */
  boolean has(String image) {
    return call(List.of(program(), "image", "inspect", "--format", "{{.Id}}", image)).isPresent();
  }

  /** The shell command that brings the image to this machine, and prints how far it is. */
  String pull(String image) {
    return program() + " pull " + image;
  }

  /** A command and the environment that it is started with. */
  record Start(List<String> command, Map<String, String> environment) {}

  /**
   * What runs a worker's command in a container.
   *
   * @param name of the container
   * @param taskLabels further labels
   * @param inside the command
   * @param secrets the folder that its secrets are in, if it has some
   * @param variables what it finds in its environment
   * @param environment of the engine's own command line
   */
  Start start(
      String name,
      TaskData.Worker spec,
      Map<String, String> taskLabels,
      List<String> inside,
      Sandbox sandbox,
      Optional<Path> secrets,
      Map<String, String> variables,
      Map<String, String> environment) {
    Container container = spec.container();
    List<String> command = new ArrayList<>(List.of(program(), "run", "--rm", "--interactive"));
    command.addAll(List.of("--name", name, "--pull", "never", "--log-driver", "none"));
    if (hasInit()) {
      command.add("--init");
    }
    Map<String, String> all = new HashMap<>(labels);
    all.putAll(taskLabels);
    all.put(MARK_LABEL, mark);
    all.forEach((label, value) -> command.addAll(List.of("--label", label + "=" + value)));
    command.addAll(List.of("--network", container.network()));
    command.addAll(user(container));
    command.addAll(limits(spec));
    for (Path shared : List.of(sandbox.root(), packages)) {
      command.addAll(List.of("--volume", shared + ":" + shared));
    }
    secrets.ifPresent(folder -> command.addAll(List.of("--volume", folder + ":" + folder + ":ro")));
    container.mounts().forEach(mount -> command.addAll(List.of("--volume", mount)));
    command.addAll(List.of("--workdir", sandbox.files().toString()));
    Map<String, String> own = new HashMap<>(environment);
    own.remove(LocalServers.EXECUTOR_MARK);
    variables.forEach(
        (variable, value) -> {
          // By their names only, so that no other user of the machine sees the values; but what
          // the engine itself goes by must not change, and it must not be taken for the worker.
          if (own.containsKey(variable) || LocalServer.MARKS.contains(variable)) {
            command.addAll(List.of("--env", variable + "=" + value));
          } else {
            command.addAll(List.of("--env", variable));
            own.put(variable, value);
          }
        });
    command.add(container.image());
    command.addAll(inside);
    return new Start(command, own);
  }

  private List<String> user(Container container) {
    if (!container.user().isEmpty()) {
      return List.of("--user", container.user());
    }
    Optional<Long> self = attribute("unix:uid");
    Optional<Long> group = attribute("unix:gid");
    if (self.isEmpty() || group.isEmpty()) {
      return List.of();
    }
    List<String> user = new ArrayList<>(List.of("--user", self.get() + ":" + group.get()));
    if (self.get() != 0 && Path.of(program()).endsWith("podman")) {
      user.addAll(List.of("--userns", "keep-id"));
    }
    return user;
  }

  private static Optional<Long> attribute(String name) {
    try {
      return Optional.of(((Integer) Files.getAttribute(Path.of("/proc/self"), name)).longValue());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /**
   * Memory is a hard limit, processor time a share, as Mesos has it; open files and processes are
   * no more than this process could have, as an engine may ask for more than it is granted.
   */
  private static List<String> limits(TaskData.Worker spec) {
    double memMb = LocalServer.memMb(spec);
    long bytes = Math.round(memMb * (1 << 20));
    List<String> limits = new ArrayList<>(List.of("--memory", bytes + "b"));
    long shares = Math.round(Math.max(LEAST_SHARES, spec.cpus() * SHARES_PER_CPU));
    limits.addAll(List.of("--cpu-shares", Long.toString(shares)));
    limit("nofile", spec.upkeep().files(), "Max open files")
        .ifPresent(limit -> limits.addAll(List.of("--ulimit", limit)));
    limit("nproc", spec.upkeep().processes(), "Max processes")
        .ifPresent(limit -> limits.addAll(List.of("--ulimit", limit)));
    if (spec.upkeep().coreMb() >= 0) {
      long core = (long) spec.upkeep().coreMb() << 20;
      limits.addAll(List.of("--ulimit", "core=" + core + ":" + core));
    }
    return limits;
  }

  private static Optional<String> limit(String name, int most, String own) {
    if (most > 0) {
      return Optional.of(name + "=" + most + ":" + most);
    }
    Pattern line = Pattern.compile(Pattern.quote(own) + "\\s+(\\d+)\\s+(\\d+)\\s.*");
    try {
      return Files.readAllLines(LIMITS).stream()
          .map(line::matcher)
          .filter(Matcher::matches)
          .map(match -> name + "=" + least(match.group(1)) + ":" + least(match.group(2)))
          .findFirst();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static long least(String limit) {
    return Math.min(MOST_BY_DEFAULT, Long.parseLong(limit));
  }

  /** Ends the container and removes it; without effect when it is not there. */
  void remove(String name) {
    call(List.of(program(), "rm", "--force", name));
  }

  /** Removes what executors have left behind that are gone together with all that looked after. */
  private void sweep() {
    Optional<String> ids =
        call(List.of(program(), "ps", "--all", "--quiet", "--filter", "label=" + MARK_LABEL));
    Set<String> all =
        ids.stream().flatMap(String::lines).collect(Collectors.toCollection(HashSet::new));
    if (all.isEmpty()) {
      return;
    }
    List<String> inspect = new ArrayList<>(List.of(program(), "container", "inspect", "--format"));
    inspect.add("{{.Id}} {{index .Config.Labels \"" + MARK_LABEL + "\"}}");
    inspect.addAll(all);
    for (String line : call(inspect).orElse("").lines().toList()) {
      String[] words = line.strip().split(" ", 2);
      if (words.length == 2 && ExecutorMark.isGone(words[1])) {
        log.info("Removing container {}, which an executor has left behind", words[0]);
        remove(words[0]);
      }
    }
  }

  /** What the command prints; empty when it fails or takes too long. */
  private Optional<String> call(Collection<String> command) {
    Process process;
    try {
      process = new ProcessBuilder(List.copyOf(command)).redirectErrorStream(true).start();
    } catch (IOException e) {
      log.debug("{} cannot be run: {}", command, e.getMessage());
      return Optional.empty();
    }
    CompletableFuture<byte[]> printed =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return process.getInputStream().readAllBytes();
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    try {
      String text =
          new String(printed.get(callTimeout.toMillis(), TimeUnit.MILLISECONDS), UTF_8).strip();
      if (process.waitFor(callTimeout.toMillis(), TimeUnit.MILLISECONDS)
          && process.exitValue() == 0) {
        return Optional.of(text);
      }
      log.debug("{} failed: {}", command, text);
    } catch (TimeoutException | ExecutionException e) {
      log.warn("{} did not answer within {} s", command, callTimeout.toSeconds());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      process.destroyForcibly();
    }
    return Optional.empty();
  }
}
