package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** The last lines that a process has printed, each cut to a length one can read. Any thread. */
final class LogTail {
  private static final int LINES = 20;
  private static final int LINE_BYTES = 500;

  private final Deque<byte[]> lines = new ArrayDeque<>();

  /** Oldest first. */
  synchronized List<String> lines() {
    return lines.stream().map(line -> new String(line, UTF_8)).toList();
  }

  synchronized void add(byte[] line, int length) {
    byte[] kept = lines.size() == LINES ? lines.removeFirst() : null;
    int cut = Math.min(length, LINE_BYTES);
    byte[] copy = kept != null && kept.length == cut ? kept : new byte[cut];
    System.arraycopy(line, 0, copy, 0, cut);
    lines.addLast(copy);
  }
}
