package io.troupe.executor.supervision;

import io.troupe.model.Cause;
import java.util.List;
import java.util.Map;

/**
 * What the end of a server process means. Exit codes are protocol: PROTOCOL.md lists those of the
 * {@code troupe} package; 126 and 127 are the shell's.
 */
final class Ends {
  private static final int SIGKILL = 9;
  private static final Map<Integer, String> INCURABLE =
      Map.of(
          64, "its command line or environment is wrong",
          78, "its module cannot be imported",
          126, "its command cannot be executed",
          127, "its command was not found");

  private static final Map<Integer, String> SIGNALS =
      Map.of(
          2, "SIGINT", 4, "SIGILL", 6, "SIGABRT", 7, "SIGBUS", 8, "SIGFPE", 9, "SIGKILL", 11,
          "SIGSEGV", 13, "SIGPIPE", 15, "SIGTERM");

  private Ends() {}

  /** Whether another start may go better. */
  static boolean curable(ServerEvent.Ended end) {
    return end.curable() && (end.exitCode() == null || !INCURABLE.containsKey(end.exitCode()));
  }

  /** Why a process that nobody here told to end has ended. */
  static Cause cause(ServerEvent.Ended end) {
    List<String> output = end.lastOutput();
    if (end.signal() != null) {
      int signal = end.signal();
      String name = SIGNALS.getOrDefault(signal, "signal " + signal);
      return new Cause(
          signal == SIGKILL ? Cause.Kind.KILLED : Cause.Kind.USER,
          "the process was ended by " + name + (signal == SIGKILL ? " from outside" : ""),
          null,
          signal,
          output);
    }
    if (end.exitCode() != null) {
      int code = end.exitCode();
      String why = INCURABLE.get(code);
      String last = output.isEmpty() ? "" : output.get(output.size() - 1);
      return new Cause(
          Cause.Kind.USER,
          "the process exited with code "
              + code
              + (why == null ? "" : ": " + why)
              + (last.isEmpty() ? "" : " (" + last + ")"),
          code,
          null,
          output);
    }
    return new Cause(
        end.curable() ? Cause.Kind.INTERNAL : Cause.Kind.USER, end.trouble(), null, null, output);
  }

  /** The same end, given the reason for which this side brought it about. */
  static Cause because(Cause.Kind kind, String message, ServerEvent.Ended end) {
    return new Cause(kind, message, end.exitCode(), end.signal(), end.lastOutput());
  }
}
