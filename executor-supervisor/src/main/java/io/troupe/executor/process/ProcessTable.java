package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** The processes of this machine, as /proc shows them. Stateless; any thread. */
final class ProcessTable {
  private static final Path PROC = Path.of("/proc");
  private static final double TICKS_PER_SECOND = 100; // USER_HZ, fixed on all Linux platforms

  private static final Pattern SPACE = Pattern.compile(" ");

  private ProcessTable() {}

  /**
   * What /proc says of one process.
   *
   * @param rss resident bytes
   * @param cpuSeconds processor time it has used
   */
  record Usage(long rss, double cpuSeconds) {}

  /** Empty when there is no such process, or it is a zombie. */
  static Optional<Usage> usage(long pid) {
    try {
      String[] stat = stat(pid);
      if (hasEnded(stat)) {
        return Optional.empty();
      }
      double cpu = (Long.parseLong(stat[11]) + Long.parseLong(stat[12])) / TICKS_PER_SECOND;
      for (String line : Files.readAllLines(PROC.resolve(pid + "/status"), ISO_8859_1)) {
        if (line.startsWith("VmRSS:")) {
          return Optional.of(new Usage(kilobytes(line), cpu));
        }
      }
      return Optional.empty();
    } catch (IOException | RuntimeException e) {
      return Optional.empty(); // it ended meanwhile
    }
  }

  /**
   * What one process has of memory.
   *
   * @param resident bytes
   * @param peak the most resident bytes that it ever had
   * @param own bytes that are in no file, and so cannot be had back while it lives
   */
  record Memory(long resident, long peak, long own) {}

  /** Empty when there is no such process, or it is a zombie. */
  static Optional<Memory> memory(long pid) {
    try {
      long resident = 0;
      long peak = 0;
      long own = 0;
      for (String line : Files.readAllLines(PROC.resolve(pid + "/status"), ISO_8859_1)) {
        if (line.startsWith("VmRSS:")) {
          resident = kilobytes(line);
        } else if (line.startsWith("VmHWM:")) {
          peak = kilobytes(line);
        } else if (line.startsWith("RssAnon:") || line.startsWith("RssShmem:")) {
          own += kilobytes(line);
        }
      }
      return resident == 0 ? Optional.empty() : Optional.of(new Memory(resident, peak, own));
    } catch (IOException | RuntimeException e) {
      return Optional.empty(); // it ended meanwhile
    }
  }

  /** The same for several together: what they share is counted once. */
  static long ownShared(List<Long> pids) {
    long sum = 0;
    for (long pid : pids) {
      try {
        for (String line : Files.readAllLines(PROC.resolve(pid + "/smaps_rollup"), ISO_8859_1)) {
          if (line.startsWith("Pss_Anon:") || line.startsWith("Pss_Shmem:")) {
            sum += kilobytes(line);
          }
        }
      } catch (IOException | RuntimeException e) {
        // it ended meanwhile
      }
    }
    return sum;
  }

  private static long kilobytes(String line) {
    long value = 0;
    for (int i = 0; i < line.length(); i++) {
      int digit = line.charAt(i) - '0';
      if (0 <= digit && digit <= 9) {
        value = 10 * value + digit;
      }
    }
    return value << 10;
  }

  /** The children of all threads of a process; empty where the kernel does not tell. */
  static List<Long> children(long pid) {
    List<Long> found = new ArrayList<>();
    try (DirectoryStream<Path> threads = Files.newDirectoryStream(PROC.resolve(pid + "/task"))) {
      for (Path thread : threads) {
        SPACE
            .splitAsStream(Files.readString(thread.resolve("children")).strip())
            .filter(child -> !child.isEmpty())
            .map(Long::valueOf)
            .forEach(found::add);
      }
    } catch (IOException | RuntimeException e) {
      // it ended meanwhile
    }
    return found;
  }

  /** How many processes the kernel has killed on this machine as there was no memory left. */
  static long killedForMemory() {
    try {
      for (String line : Files.readAllLines(PROC.resolve("vmstat"), ISO_8859_1)) {
        if (line.startsWith("oom_kill ")) {
          return Long.parseLong(line.substring("oom_kill ".length()));
        }
      }
    } catch (IOException | RuntimeException e) {
      // an old kernel does not count them
    }
    return 0;
  }

  /**
   * The living processes that are of the session, or carry {@code variable} (NAME=value) in the
   * environment that they were started with.
   *
   * @param session id of a session; -1 for none
   */
  static List<ProcessHandle> members(long session, String variable) {
    List<ProcessHandle> found = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(PROC, "[0-9]*")) {
      for (Path entry : entries) {
        long pid = Long.parseLong(entry.getFileName().toString());
        if (pid != ProcessHandle.current().pid() && isMember(pid, session, variable)) {
          ProcessHandle.of(pid).ifPresent(found::add);
        }
      }
    } catch (IOException | RuntimeException e) {
      throw new IllegalStateException("/proc cannot be read: " + e.getMessage(), e);
    }
    return found;
  }

  private static boolean isMember(long pid, long session, String variable) {
    try {
      String[] stat = stat(pid);
      if (hasEnded(stat)) {
        return false;
      }
      return Long.parseLong(stat[3]) == session || carries(pid, variable);
    } catch (IOException | RuntimeException e) {
      return false; // it ended meanwhile, or is another user's
    }
  }

  private static boolean carries(long pid, String variable) throws IOException {
    String environment =
        "\0" + new String(Files.readAllBytes(PROC.resolve(pid + "/environ")), ISO_8859_1) + "\0";
    return environment.contains("\0" + variable + "\0");
  }

  /**
   * A process in a PID namespace of its own.
   *
   * @param pid its number here
   * @param inside its number there
   */
  record Contained(long pid, long inside) {}

  /** Empty when it is in no other namespace than this process, or is gone. */
  static Optional<Contained> contained(long pid) {
    try {
      for (String line : Files.readAllLines(PROC.resolve(pid + "/status"), ISO_8859_1)) {
        if (line.startsWith("NSpid:")) {
          String[] numbers = line.substring("NSpid:".length()).strip().split("\\s+", -1);
          return numbers.length < 2
              ? Optional.empty()
              : Optional.of(new Contained(pid, Long.parseLong(numbers[numbers.length - 1])));
        }
      }
    } catch (IOException | RuntimeException e) {
      // it ended meanwhile
    }
    return Optional.empty();
  }

  /** The fields after the command's name: state, parent, group, session, … */
  static String[] stat(long pid) throws IOException {
    String line = new String(Files.readAllBytes(PROC.resolve(pid + "/stat")), ISO_8859_1);
    return line.substring(line.lastIndexOf(')') + 2).split(" ");
  }

  /** Whether these fields are of a zombie: it is there only until its parent asks how it ended. */
  static boolean hasEnded(String[] stat) {
    return stat[0].equals("Z") || stat[0].equals("X");
  }
}
