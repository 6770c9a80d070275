package io.troupe.scheduler.pool;

/** The status of a process as wait(2) gives it, for people. */
final class WaitStatus {

  private WaitStatus() {}

  static String text(int status) {
    if (status < 0) {
      return "ended";
    }
    int signal = status & 0x7f;
    return signal == 0
        ? "exited with code " + ((status >> 8) & 0xff)
        : "was ended by signal " + signal;
  }
}
