package io.troupe.scheduler.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A process of this machine, told by its pid and the time it started: a pid alone may by now be
 * somebody else's. Reads Linux' /proc.
 *
 * @param pid the process id
 * @param start when it started, in clock ticks since boot
 */
record LocalProcess(long pid, long start) {
  /** Every process of a local cluster has this in its environment, with the cluster's folder. */
  static final String MARKER = "TROUPE_LOCAL";

  private static final Path PROC = Path.of("/proc");

  /** The process that has this pid now. */
  static Optional<LocalProcess> of(long pid) {
    try {
      String stat = Files.readString(PROC.resolve(pid + "/stat"), StandardCharsets.ISO_8859_1);
      // The name stands in brackets and may hold anything; after it come the state and, twentieth
      // of what follows, the start time.
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      return fields[0].equals("Z")
          ? Optional.empty()
          : Optional.of(new LocalProcess(pid, Long.parseLong(fields[19])));
    } catch (IOException gone) {
      return Optional.empty();
    }
  }

  boolean alive() {
    return of(pid).equals(Optional.of(this));
  }

  /** Asks it to end. */
  void terminate() {
    if (alive()) {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroy);
    }
  }

  /** Ends it. */
  void kill() {
    if (alive()) {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  /** What it was started as; empty when it is gone. */
  String command() {
    try {
      byte[] line = Files.readAllBytes(PROC.resolve(pid + "/cmdline"));
      return new String(line, StandardCharsets.UTF_8).replace('\0', ' ').strip();
    } catch (IOException gone) {
      return "";
    }
  }

  /** All processes of the local cluster in a folder, this one aside. */
  static List<LocalProcess> ofCluster(Path directory) {
    List<LocalProcess> found = new ArrayList<>();
    long self = ProcessHandle.current().pid();
    try (Stream<Path> entries = Files.list(PROC)) {
      for (Path entry : (Iterable<Path>) entries::iterator) {
        String name = String.valueOf(entry.getFileName());
        if (name.matches("[0-9]+") && Long.parseLong(name) != self && marked(entry, directory)) {
          of(Long.parseLong(name)).ifPresent(found::add);
        }
      }
    } catch (IOException e) {
      throw Failure.of("cannot read /proc: " + e.getMessage());
    }
    return found;
  }

  private static boolean marked(Path process, Path directory) {
    try {
      byte[] environment = Files.readAllBytes(process.resolve("environ"));
      String wanted = MARKER + "=" + directory;
      for (String variable : new String(environment, StandardCharsets.UTF_8).split("\0", -1)) {
        if (variable.equals(wanted)) {
          return true;
        }
      }
      return false;
    } catch (IOException goneOrNotOurs) {
      return false;
    }
  }
}
