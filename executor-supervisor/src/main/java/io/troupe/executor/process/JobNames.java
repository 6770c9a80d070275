package io.troupe.executor.process;

import io.troupe.protocol.codec.Frame;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which job has which number on the channel, for the latest ones: more than a process can have
 * unanswered, and some whose output comes late. Where a process runs several at once, one may run
 * on while many come and go: there all are known that have not been answered. Any thread.
 */
final class JobNames {
  private static final int KEPT = 1024;

  private final long[] numbers = new long[KEPT];
  private final String[] names = new String[KEPT];
  private final boolean several;

  /** The number that was answered last. */
  private long answered;

  private final Map<Long, String> unanswered = new HashMap<>();

  JobNames(boolean several) {
    this.several = several;
  }

  /** The jobs are numbered upwards from the first number, which is not 0. */
  synchronized void add(long first, List<String> jobs) {
    for (int i = 0; i < jobs.size(); i++) {
      int place = place(first + i);
      numbers[place] = first + i;
      names[place] = jobs.get(i);
      if (several) {
        unanswered.put(first + i, jobs.get(i));
      }
    }
  }

  /** These have come from the process. */
  synchronized void answered(List<Frame> frames) {
    for (Frame frame : frames) {
      if (frame.type() != Frame.Type.RETURNED) {
        answered = frame.id();
        if (several) {
          unanswered.remove(answered);
        }
      }
    }
  }

  /** Whether the job with this number has been answered. */
  synchronized boolean isAnswered(long number) {
    return several ? !unanswered.containsKey(number) : number <= answered;
  }

  /** The job with this number; empty for 0 and for one long ago. */
  synchronized Optional<String> of(long number) {
    int place = place(number);
    return number != 0 && numbers[place] == number
        ? Optional.of(names[place])
        : Optional.ofNullable(unanswered.get(number));
  }

  private static int place(long number) {
    return (int) (number % KEPT);
  }
}
