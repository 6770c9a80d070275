package io.troupe.executor.supervision;

import io.troupe.model.Cause;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the end of a server process means. Exit codes are protocol: PROTOCOL.md lists those of the
 * {@code troupe} package; 126 and 127 are the shell's.
 */
final class Ends {
  private static final int SIGKILL = 9;
  private static final int LOST_EXECUTOR = 75;
  private static final Set<Integer> INCURABLE = Set.of(64, 77, 78, 126, 127);

  private static final Map<Integer, String> MEANINGS =
      Map.of(
          0, ", though nobody had told it to",
          64, ": its command line or environment is wrong",
          75, ": it lost its connection to the executor",
          76, ": what came over its socket was no frame",
          77, ": its requirements cannot be installed",
          78, ": its module cannot be imported",
          126, ": its command cannot be executed",
          127, ": its command was not found");

  /** Between what a process has printed and its stacks. */
  private static final String STACKS_FOLLOW = "Where it was when it was ended:";

  private static final Map<Integer, String> SIGNALS =
      Map.of(
          2, "SIGINT", 4, "SIGILL", 6, "SIGABRT", 7, "SIGBUS", 8, "SIGFPE", 9, "SIGKILL", 11,
          "SIGSEGV", 13, "SIGPIPE", 15, "SIGTERM");

  private Ends() {}

  /** Whether another start may go better. */
  static boolean curable(ServerEvent.Ended end) {
    return end.curable() && (end.exitCode() == null || !INCURABLE.contains(end.exitCode()));
  }

  /**
   * Why a process that nobody here told to end has ended.
   *
   * @param ready whether it had got so far as to take jobs
   */
  static Cause cause(ServerEvent.Ended end, boolean ready) {
    String when = ready ? "" : " before it was ready";
    if (end.signal() != null) {
      int signal = end.signal();
      String name = SIGNALS.getOrDefault(signal, "signal " + signal);
      return because(
          signal == SIGKILL ? Cause.Kind.KILLED : Cause.Kind.USER,
          "the process was ended by " + name + (signal == SIGKILL ? " from outside" : "") + when,
          end);
    }
    if (end.exitCode() != null) {
      int code = end.exitCode();
      List<String> output = end.lastOutput();
      String last = output.isEmpty() ? "" : output.get(output.size() - 1);
      return because(
          code == LOST_EXECUTOR ? Cause.Kind.INTERNAL : Cause.Kind.USER,
          "the process exited with code "
              + code
              + (INCURABLE.contains(code) ? "" : when)
              + MEANINGS.getOrDefault(code, "")
              + (last.isEmpty() ? "" : " (" + last + ")"),
          end);
    }
    return because(end.curable() ? Cause.Kind.INTERNAL : Cause.Kind.USER, end.trouble(), end);
  }

  /**
   * The end, given the reason for which this side brought it about; that its memory was exhausted
   * is the better reason.
   */
  static Cause because(Cause.Kind kind, String message, ServerEvent.Ended end) {
    ServerEvent.Memory memory = end.memory();
    boolean exhausted = !memory.exhausted().isEmpty();
    String peak =
        memory.peakBytes() == 0 ? "" : "; its memory peaked at " + mebibytes(memory.peakBytes());
    return new Cause(
        exhausted ? Cause.Kind.OOM : kind,
        (exhausted ? memory.exhausted() : message) + peak,
        end.exitCode(),
        end.signal(),
        lines(end));
  }

  private static String mebibytes(long bytes) {
    return Math.round(bytes / 1048576.0) + " MiB";
  }

  private static List<String> lines(ServerEvent.Ended end) {
    if (end.stacks().isEmpty()) {
      return end.lastOutput();
    }
    List<String> lines = new ArrayList<>(end.lastOutput());
    lines.add(STACKS_FOLLOW);
    lines.addAll(end.stacks());
    return lines;
  }
}
