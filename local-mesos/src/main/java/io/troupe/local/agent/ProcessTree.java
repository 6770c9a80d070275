package io.troupe.local.agent;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * All processes of one container: the session and process group of its first process, their
 * descendants, and whoever inherited the container's id in its environment, however it was forked.
 * Reads {@code /proc}; blocks for some milliseconds.
 */
final class ProcessTree {

  private static final Path PROC = Path.of("/proc");
  private static final int ROUNDS = 50;

  private final String containerId;
  private final long first;
  private final Map<Long, Long> remembered = new HashMap<>();

  /**
   * A process that is not just a zombie.
   *
   * @param started in clock ticks since the machine's start; with the pid, it is one process only
   */
  record Entry(long pid, long parent, long group, long session, long started) {}

  /**
   * @param containerId stands in an environment variable of every process that did not drop it
   * @param first the container's first process, leader of its session
   */
  ProcessTree(String containerId, long first) {
    this.containerId = containerId;
    this.first = first;
  }

  /** Asks every process to end. */
  void terminate() {
    for (long pid : members()) {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroy);
    }
  }

  /** Ends every process, also those that are forked meanwhile; returns when none is left. */
  void kill() {
    Set<Long> victims = members();
    ProcessHandle.of(first)
        .filter(process -> victims.contains(first))
        .ifPresent(ProcessHandle::destroyForcibly);
    for (int round = 0; round < ROUNDS && !victims.isEmpty(); round++) {
      for (long pid : victims) {
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
      }
      pause();
      Set<Long> left = members();
      victims.clear();
      victims.addAll(left);
    }
  }

  private static void pause() {
    try {
      Thread.sleep(5);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Remembers who belongs to the container now: a process with a session and an environment of its
   * own is only known for a member while its parent lives.
   *
   * @param all the processes of the machine
   */
  synchronized void remember(List<Entry> all) {
    closure(all, false);
  }

  private synchronized Set<Long> members() {
    return closure(processes(), true);
  }

  /** Reading every environment is what costs; it is done when it matters. */
  private Set<Long> closure(List<Entry> all, boolean readEnvironments) {
    Map<Long, Long> alive = new HashMap<>();
    Set<Long> members = new HashSet<>();
    for (Entry entry : all) {
      alive.put(entry.pid(), entry.started());
      Long known = remembered.get(entry.pid());
      if (entry.session() == first
          || entry.group() == first
          || entry.pid() == first
          || (known != null && known == entry.started())
          || (readEnvironments && carries(entry.pid(), containerId))) {
        members.add(entry.pid());
      }
    }
    boolean grown = true;
    while (grown) {
      grown = false;
      for (Entry entry : all) {
        grown |= members.contains(entry.parent()) && members.add(entry.pid());
      }
    }
    remembered.clear();
    members.forEach(pid -> remembered.put(pid, alive.getOrDefault(pid, 0L)));
    return members;
  }

  /** Ends every process whose environment contains the text. */
  static void killAllWith(String text) {
    for (Entry entry : processes()) {
      if (carries(entry.pid(), text)) {
        ProcessHandle.of(entry.pid()).ifPresent(ProcessHandle::destroyForcibly);
      }
    }
  }

  private static boolean carries(long pid, String text) {
    try {
      byte[] environment = Files.readAllBytes(PROC.resolve(pid + "/environ"));
      return new String(environment, StandardCharsets.ISO_8859_1).contains(text);
    } catch (IOException e) {
      return false; // gone meanwhile, or somebody else's
    }
  }

  /** All processes of the machine. */
  static List<Entry> processes() {
    List<Entry> entries = new ArrayList<>();
    try (DirectoryStream<Path> directories = Files.newDirectoryStream(PROC, "[0-9]*")) {
      for (Path directory : directories) {
        read(directory).ifPresent(entries::add);
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException("Listing " + PROC, e);
    }
    return entries;
  }

  private static Optional<Entry> read(Path directory) {
    try {
      String stat = Files.readString(directory.resolve("stat"), StandardCharsets.ISO_8859_1);
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      if (fields[0].equals("Z") || fields[0].equals("X")) {
        return Optional.empty();
      }
      return Optional.of(
          new Entry(
              Long.parseLong(directory.getFileName().toString()),
              Long.parseLong(fields[1]),
              Long.parseLong(fields[2]),
              Long.parseLong(fields[3]),
              Long.parseLong(fields[19])));
    } catch (IOException e) {
      return Optional.empty(); // gone meanwhile
    }
  }
}
