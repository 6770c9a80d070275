package io.troupe.executor.supervision;

import io.troupe.protocol.codec.Frame;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What happens to a server process, in this order. */
public sealed interface ServerEvent {

  /** It runs, and has yet to say that it is ready. */
  record Started(long pid) implements ServerEvent {}

  /**
   * What it needs is installed and it starts now; only where there are requirements. The process
   * that installed them was {@link Started} too.
   */
  record Prepared() implements ServerEvent {}

  /** It is ready. */
  record Answered() implements ServerEvent {}

  /** It sent these frames. */
  record Received(List<Frame> frames) implements ServerEvent {}

  /**
   * It cannot be spoken to any more, though it may still run.
   *
   * @param why one line for people; empty when it just closed its end
   */
  record HungUp(String why) implements ServerEvent {}

  /**
   * It is gone and so is everything it had started; the last event.
   *
   * @param exitCode null when a signal ended it, or it never ran
   * @param signal null when it exited by itself, or it never ran
   * @param trouble why it could not be started, one line for people; empty when it was
   * @param curable whether the trouble may be over at the next try
   * @param lastOutput the last lines that it printed
   * @param memory what it had of memory
   * @param stacks where its threads were when it was asked last, a line a frame; empty when it was
   *     not, or did not tell
   */
  record Ended(
      @Nullable Integer exitCode,
      @Nullable Integer signal,
      String trouble,
      boolean curable,
      List<String> lastOutput,
      Memory memory,
      List<String> stacks)
      implements ServerEvent {

    /** An end of which nothing more is known. */
    Ended(
        @Nullable Integer exitCode,
        @Nullable Integer signal,
        String trouble,
        boolean curable,
        List<String> lastOutput) {
      this(exitCode, signal, trouble, curable, lastOutput, Memory.UNKNOWN, List.of());
    }
  }

  /**
   * The memory of a process and all it had started.
   *
   * @param peakBytes the most that was resident at any time; 0 when nobody looked
   * @param exhausted why it had to be killed for its memory, one line for people; empty when it had
   *     not
   */
  record Memory(long peakBytes, String exhausted) {
    /** Of a process that never ran. */
    static final Memory UNKNOWN = new Memory(0, "");
  }
}
