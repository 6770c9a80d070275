package io.troupe.local.agent;

/** What exit statuses say of signals. Pure. */
final class Signals {

  private static final int SIGNALLED = 128;
  private static final int LAST = 31;
  private static final String[] NAMES = {
    "",
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
  };

  private Signals() {}

  /** The end of a command as Mesos words it, from a code that is 128 + n for signal n. */
  static String describe(int exitCode) {
    int signal = exitCode - SIGNALLED;
    return signal > 0 && signal <= LAST
        ? "Command terminated with signal " + NAMES[signal]
        : "Command exited with status " + exitCode;
  }
}
