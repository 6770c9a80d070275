package io.troupe.scheduler.cli;

/** A command cannot do what it was asked; the message is one line that says what to do. */
final class Failure extends RuntimeException {
  private final int exitCode;

  private Failure(int exitCode, String message) {
    super(message);
    this.exitCode = exitCode;
  }

  /** Something outside is not as it should be. */
  static Failure of(String message) {
    return new Failure(1, message);
  }

  /** The command was called in a way that cannot be meant. */
  static Failure usage(String message) {
    return new Failure(2, message);
  }

  int exitCode() {
    return exitCode;
  }
}
