package io.troupe.executor.process;

import java.util.List;
import java.util.Optional;

/**
 * Which job has which number on the channel, for the latest ones: more than a process can have
 * unanswered, and some whose output comes late. Any thread.
 */
final class JobNames {
  private static final int KEPT = 1024;

  private final long[] numbers = new long[KEPT];
  private final String[] names = new String[KEPT];

  /** The jobs are numbered upwards from the first number, which is not 0. */
  synchronized void add(long first, List<String> jobs) {
    for (int i = 0; i < jobs.size(); i++) {
      int place = place(first + i);
      numbers[place] = first + i;
      names[place] = jobs.get(i);
    }
  }

  /** The job with this number; empty for 0 and for one long ago. */
  synchronized Optional<String> of(long number) {
    int place = place(number);
    return number != 0 && numbers[place] == number ? Optional.of(names[place]) : Optional.empty();
  }

  private static int place(long number) {
    return (int) (number % KEPT);
  }
}
