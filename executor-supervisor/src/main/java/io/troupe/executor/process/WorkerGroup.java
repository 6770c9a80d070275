package io.troupe.executor.process;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One worker's group in the kernel: what its processes may have of memory and processors together.
 * Any thread; calls do blocking I/O.
 */
final class WorkerGroup {
  private static final Logger log = LoggerFactory.getLogger(WorkerGroup.class);

  private static final String PROCESSES = "cgroup.procs";
  private static final double SHARES_PER_CPU = 1024;
  private static final long LEAST_SHARES = 2;
  private static final long MOST_SHARES = 262_144;
  private static final long MOST_WEIGHT = 10_000;
  private static final Duration BETWEEN_TRIES = Duration.ofMillis(10);
  private static final int TRIES = 300;

  /** Joins each group that is named before the word --, and becomes the program after it. */
  private static final String JOIN =
      "while [ \"$1\" != -- ]; do echo 0 > \"$1/cgroup.procs\" || exit 1; shift; done; shift;"
          + " exec \"$@\"";

  private final int version;
  private final List<Path> folders;
  private final long bytes;

  /**
   * @param version of the kernel's interface, 1 or 2
   * @param folders of the hierarchies: memory first, then processors where that is another
   * @param bytes of memory that it may have
   */
  WorkerGroup(int version, List<Path> folders, long bytes) {
    this.version = version;
    this.folders = List.copyOf(folders);
    this.bytes = bytes;
  }

  private Path memory() {
    return folders.get(0);
  }

  private Path processors() {
    return folders.get(folders.size() - 1);
  }

  void limitMemory() throws IOException {
    String limit = Long.toString(bytes);
    if (version == 1) {
      Cgroups.write(memory().resolve("memory.limit_in_bytes"), limit);
      writeIfThere(memory().resolve("memory.memsw.limit_in_bytes"), limit);
    } else {
      Cgroups.write(memory().resolve("memory.max"), limit);
      writeIfThere(memory().resolve("memory.swap.max"), "0");
      // A worker of which the kernel has killed a part is no worker.
      writeIfThere(memory().resolve("memory.oom.group"), "1");
    }
  }

  /** What kernels without accounting of swap, or older ones, do not have. */
  private static void writeIfThere(Path file, String value) throws IOException {
    if (Files.exists(file)) {
      Cgroups.write(file, value);
    }
  }

  void share(double cpus) throws IOException {
    long shares = Math.min(MOST_SHARES, Math.max(LEAST_SHARES, Math.round(cpus * SHARES_PER_CPU)));
    if (version == 1) {
      Cgroups.write(processors().resolve("cpu.shares"), Long.toString(shares));
    } else {
      // As runc and systemd do it.
      long weight = 1 + (shares - LEAST_SHARES) * (MOST_WEIGHT - 1) / (MOST_SHARES - LEAST_SHARES);
      Cgroups.write(processors().resolve("cpu.weight"), Long.toString(weight));
    }
  }

  /** Its folders, as one word. */
  String paths() {
    return folders.stream().map(Path::toString).collect(Collectors.joining(":"));
  }

  /** The program and its arguments, begun inside. */
  List<String> joined(List<String> command) {
    List<String> whole = new ArrayList<>(List.of("/bin/sh", "-c", JOIN, "join"));
    folders.forEach(folder -> whole.add(folder.toString()));
    whole.add("--");
    whole.addAll(command);
    return whole;
  }

  /** Why the kernel has killed one of its processes; empty when it has not. */
  String exhausted() {
    Path counts = memory().resolve(version == 1 ? "memory.oom_control" : "memory.events");
    try {
      for (String line : Files.readAllLines(counts)) {
        if (line.startsWith("oom_kill ") && !line.equals("oom_kill 0")) {
          return "the process took %d MiB of memory, all that it may have, and the kernel killed it"
              .formatted(bytes >> 20);
        }
      }
    } catch (IOException e) {
      log.debug("{} cannot be read: {}", counts, e.getMessage());
    }
    return "";
  }

  /** Kills what is in it, though it may have hidden from everything else, and removes it. */
  void remove() {
    for (Path folder : folders) {
      remove(folder);
    }
  }

  private static void remove(Path folder) {
    String trouble = "";
    for (int i = 0; i < TRIES; i++) {
      try (Stream<Path> inside = Files.walk(folder)) {
        for (Path group :
            inside.filter(Files::isDirectory).sorted(Comparator.reverseOrder()).toList()) {
          kill(group);
          Files.delete(group);
        }
        return;
      } catch (NoSuchFileException e) {
        return;
      } catch (DirectoryNotEmptyException e) {
        trouble = "it is not the kernel's";
        break;
      } catch (IOException | UncheckedIOException e) { // the latter from the walk itself
        trouble = String.valueOf(e.getMessage()); // what was killed takes a moment to end
      }
      LockSupport.parkNanos(BETWEEN_TRIES.toNanos());
    }
    log.warn("Cgroup {} stays behind: {}", folder, trouble);
  }

  private static void kill(Path group) throws IOException {
    Path processes = group.resolve(PROCESSES);
    if (!Files.exists(processes)) {
      return; // not one of the kernel, or gone
    }
    for (String pid : Cgroups.words(processes)) {
      if (!pid.equals("0")) { // of another namespace
        ProcessHandle.of(Long.parseLong(pid)).ifPresent(ProcessHandle::destroyForcibly);
      }
    }
  }
}
