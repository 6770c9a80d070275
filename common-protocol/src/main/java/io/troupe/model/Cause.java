package io.troupe.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Why a job, a process, a worker or an executor ended.
 *
 * @param kind whose doing it was
 * @param message one line for people
 * @param exitCode the exit code of the process, where one exited
 * @param signal the number of the signal that ended the process, where one did
 * @param lastOutput the last lines that the process printed, oldest first; empty where there is
 *     none
 * @param raised the exception behind it; null where there is none, or nobody can say
 */
public record Cause(
    Kind kind,
    String message,
    @Nullable Integer exitCode,
    @Nullable Integer signal,
    List<String> lastOutput,
    @Nullable Raised raised) {

  /** The classes of causes; they decide what is worth another try. */
  public enum Kind {
    /**
     * The user's code or configuration: an exception, a module that does not import, a command that
     * does not exist.
     */
    USER,
    /** It took more memory than it may. */
    OOM,
    /** It took longer than it may. */
    TIMEOUT,
    /** Somebody killed it. */
    KILLED,
    /** Its machine is gone. */
    AGENT_LOST,
    /** It was asked to leave, and did. */
    DRAINED,
    /** A fault of Troupe or of what it runs on. */
    INTERNAL
  }

  @JsonCreator
  public Cause {
    lastOutput = List.copyOf(lastOutput);
  }

  /** A cause without an exception. */
  public Cause(
      Kind kind,
      String message,
      @Nullable Integer exitCode,
      @Nullable Integer signal,
      List<String> lastOutput) {
    this(kind, message, exitCode, signal, lastOutput, null);
  }

  /** A cause that no process's exit stands behind. */
  public static Cause of(Kind kind, String message) {
    return new Cause(kind, message, null, null, List.of());
  }
}
