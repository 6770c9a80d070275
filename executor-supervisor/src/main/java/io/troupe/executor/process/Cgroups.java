package io.troupe.executor.process;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kernel's groups of processes, version 1 or 2, where this executor may make some: one for each
 * worker process, below the executor's own or a delegated one. Whether it may is found out by
 * making one and having a process join it. Any thread; calls do blocking I/O.
 */
public final class Cgroups {
  private static final Logger log = LoggerFactory.getLogger(Cgroups.class);

  /** Before the mark of the executor in the names of its groups; known to guard.py. */
  static final String WORKER_PREFIX = "troupe-worker-";

  /** The group that the executor moves into, so that its own can have others in it. */
  private static final String EXECUTOR_PREFIX = "troupe-executor-";

  private static final String MEMORY = "memory";
  private static final String CPU = "cpu";
  private static final String SUBTREE = "cgroup.subtree_control";
  private static final int JOIN_SECONDS = 10;
  private static final long PROBE_BYTES = 64L << 20;

  private final String mark;
  private final int version;
  private final @Nullable Path memory;
  private final @Nullable Path cpu;

  private Cgroups(String mark, int version, @Nullable Path memory, @Nullable Path cpu) {
    this.mark = mark;
    this.version = version;
    this.memory = memory;
    this.cpu = cpu;
  }

  /** None can be made. */
  static Cgroups none() {
    return new Cgroups("", 0, null, null);
  }

  /**
   * Those that this process may make; none, and a line in the log that says why, when it may not.
   *
   * @param config {@code troupe.executor.cgroup}
   * @param mark of this executor, unique on the machine
   */
  public static Cgroups find(Config config, String mark) {
    try {
      return find(
          config,
          mark,
          Files.readAllLines(Path.of("/proc/self/cgroup")),
          Files.readAllLines(Path.of("/proc/self/mountinfo")));
    } catch (IOException e) {
      log.info("Workers' memory is watched, not limited by the kernel: {}", e.getMessage());
      return none();
    }
  }

  /** The same of what /proc/self/cgroup and mountinfo say. */
  static Cgroups find(Config config, String mark, List<String> own, List<String> mounts) {
    String use = config.getString("use");
    if (use.equals("off")) {
      return none();
    }
    if (!use.equals("auto")) {
      throw new ConfigException.BadValue(
          "troupe.executor.cgroup.use", "must be auto or off, not " + use);
    }
    String parent = config.getString("parent");
    List<String> reasons = new ArrayList<>();
    for (int version : new int[] {1, 2}) {
      try {
        Cgroups found =
            version == 1 ? first(mark, parent, own, mounts) : second(mark, parent, own, mounts);
        found.probe();
        log.info("Workers are limited by cgroups (version {}) in {}", version, found.memory);
        return found;
      } catch (IOException e) {
        reasons.add("version " + version + ": " + e.getMessage());
      }
    }
    log.info(
        "Workers' memory is watched, not limited by the kernel: {}", String.join("; ", reasons));
    return none();
  }

  private static Cgroups first(String mark, String parent, List<String> own, List<String> mounts)
      throws IOException {
    Path memory = place(MEMORY, parent, own, mounts).orElseThrow(() -> notThere("memory"));
    Optional<Path> cpu =
        place(CPU, parent, own, mounts).filter(base -> !isRoot(base, "cpu.cfs_quota_us"));
    return new Cgroups(mark, 1, memory, cpu.orElse(null));
  }

  /**
   * The root has no settings of its own. There all else that runs on the machine would be in no
   * group, and each of its processes weigh more than a worker with its share.
   */
  private static boolean isRoot(Path base, String setting) {
    return !Files.exists(base.resolve(setting));
  }

  private static IOException notThere(String controller) {
    return new IOException("no " + controller + " controller");
  }

  private static Cgroups second(String mark, String parent, List<String> own, List<String> mounts)
      throws IOException {
    Path base = place("", parent, own, mounts).orElseThrow(() -> notThere("memory"));
    List<String> controllers = words(base.resolve("cgroup.controllers"));
    if (!controllers.contains(MEMORY)) {
      throw notThere(MEMORY);
    }
    try {
      enable(base, MEMORY);
    } catch (IOException e) {
      // A group with processes can have none with controllers in it.
      moveOut(base, mark);
      enable(base, MEMORY);
    }
    boolean shares = controllers.contains(CPU) && !isRoot(base, "cpu.max");
    if (shares) {
      try {
        enable(base, CPU);
      } catch (IOException e) {
        log.info("Workers get no shares of the processors: {}", e.getMessage());
        shares = false;
      }
    }
    return new Cgroups(mark, 2, base, shares ? base : null);
  }

  private static void enable(Path base, String controller) throws IOException {
    if (!words(base.resolve(SUBTREE)).contains(controller)) {
      write(base.resolve(SUBTREE), "+" + controller);
    }
  }

  /** Moves this process into a group of its own in its group, if it is the only one there. */
  private static void moveOut(Path base, String mark) throws IOException {
    String self = Long.toString(ProcessHandle.current().pid());
    if (!words(base.resolve("cgroup.procs")).equals(List.of(self))) {
      throw new IOException(
          base
              + " has other processes; a group of its own would do"
              + " (troupe.executor.cgroup.parent)");
    }
    Path leaf = Files.createDirectory(base.resolve(EXECUTOR_PREFIX + mark));
    write(leaf.resolve("cgroup.procs"), self);
  }

  /**
   * The folder of this process's group.
   *
   * @param controller whose hierarchy is meant; empty for that of version 2
   * @param parent another group than the process's own; empty for that
   */
  private static Optional<Path> place(
      String controller, String parent, List<String> own, List<String> mounts) {
    for (String line : own) {
      String[] group = line.split(":", 3);
      if (group.length < 3 || !Arrays.asList(group[1].split(",", -1)).contains(controller)) {
        continue;
      }
      for (String mount : mounts) {
        Optional<Path> found =
            mounted(controller, mount, parent.isEmpty() ? group[2] : parent, parent.isEmpty());
        if (found.isPresent()) {
          return found;
        }
      }
    }
    return Optional.empty();
  }

  /** ID PARENT DEVICE ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS, as proc(5) has it. */
  private static Optional<Path> mounted(
      String controller, String mount, String group, boolean fromRoot) {
    String[] halves = mount.split(" - ", 2);
    if (halves.length < 2) {
      return Optional.empty();
    }
    String[] where = halves[0].split(" ", -1);
    String[] what = halves[1].split(" ", -1);
    boolean right =
        controller.isEmpty()
            ? what[0].equals("cgroup2")
            : what[0].equals("cgroup")
                && Arrays.asList(what[what.length - 1].split(",", -1)).contains(controller);
    if (!right || where.length < 5) {
      return Optional.empty();
    }
    Path root = Path.of(where[3]);
    Path wanted = Path.of(group).normalize();
    if (fromRoot && !wanted.startsWith(root)) {
      return Optional.empty(); // it is not in what is mounted here
    }
    Path inside = fromRoot ? root.relativize(wanted) : Path.of("/").relativize(wanted);
    Path found = Path.of(where[4]).resolve(inside);
    return Files.isDirectory(found) ? Optional.of(found) : Optional.empty();
  }

  private void probe() throws IOException {
    WorkerGroup group = create("probe", PROBE_BYTES, 1);
    try {
      Process process =
          new ProcessBuilder(group.joined(List.of("true")))
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (!process.waitFor(JOIN_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
        process.destroyForcibly();
        throw new IOException("no process can join a group in " + memory);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    } finally {
      group.remove();
    }
  }

  /** Where groups of executors are; empty where none can be made. */
  public List<Path> folders() {
    List<Path> folders = new ArrayList<>();
    if (memory != null) {
      folders.add(memory);
    }
    if (cpu != null && !cpu.equals(memory)) {
      folders.add(cpu);
    }
    return folders;
  }

  /**
   * A group for a worker's process, which joins it by itself; empty where none can be made.
   *
   * @param name unique in this executor
   * @param bytes of memory that it may have, swap included
   * @param cpus its share of the processors, as Mesos has it
   */
  Optional<WorkerGroup> make(String name, long bytes, double cpus) {
    if (memory == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(create(name, bytes, cpus));
    } catch (IOException e) {
      log.warn("{} has no cgroup, its memory is watched: {}", name, e.getMessage());
      return Optional.empty();
    }
  }

  private WorkerGroup create(String name, long bytes, double cpus) throws IOException {
    List<Path> own = folders().stream().map(base -> base.resolve(nameOf(name))).toList();
    WorkerGroup group = new WorkerGroup(version, own, bytes);
    try {
      for (Path folder : own) {
        Files.createDirectories(folder);
      }
      group.limitMemory();
      if (cpu != null) {
        group.share(cpus);
      }
      return group;
    } catch (IOException e) {
      group.remove();
      throw e;
    }
  }

  private String nameOf(String name) {
    return WORKER_PREFIX + mark + "." + name;
  }

  static List<String> words(Path file) throws IOException {
    return Arrays.stream(Files.readString(file).split("\\s+"))
        .filter(word -> !word.isEmpty())
        .toList();
  }

  /** A file of the kernel, which is there or cannot be written. */
  static void write(Path file, String value) throws IOException {
    try {
      Files.writeString(
          file, value, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
    } catch (IOException e) {
      throw new IOException(file + " cannot be written: " + e.getMessage(), e);
    }
  }
}
