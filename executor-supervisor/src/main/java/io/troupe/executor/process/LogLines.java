package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.concurrent.Executor;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;

/**
 * One output stream of a process, into a file: a line for each line, with the time it came and the
 * job that printed it, {@code 2026-01-31T12:00:00.000Z JOB text}, where JOB is {@code -} outside of
 * jobs. One thread writes to it, the process's pump, which never waits for the disk: another one
 * writes the file, and lines that come quicker than that for long are counted and dropped.
 *
 * <p>A process may say by a line {@code NUL job N} which job prints what follows; where N is 0 and
 * where it says nothing, it is the job that it has begun last.
 */
final class LogLines extends OutputStream {
  private static final int LONGEST_LINE = 16 << 10;
  private static final int MOST_PENDING = 256 << 10;
  private static final byte[] MARK = "\0job ".getBytes(UTF_8);
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private final LogTail tail;
  private final LongFunction<String> jobs;
  private final LongSupplier begun;
  private final Executor writer;
  private final RotatedFile file;

  // Of the pump's thread.
  private final byte[] line = new byte[LONGEST_LINE];
  private int lineLength;
  private boolean cut;
  private long marked;
  private long headMillis;
  private long headJob = -1;
  private byte[] head = new byte[0];

  // Shared with the writer, under this object's lock.
  private byte[] pending = new byte[8 << 10];
  private int pendingLength;
  private long dropped;
  private boolean scheduled;

  /**
   * @param tail gets all lines too
   * @param jobs the job of a number
   * @param begun the number of the job that the process has begun last
   * @param writer runs one task at a time
   */
  LogLines(
      Path file,
      long maxBytes,
      LogTail tail,
      LongFunction<String> jobs,
      LongSupplier begun,
      Executor writer) {
    this.file = new RotatedFile(file, maxBytes);
    this.tail = tail;
    this.jobs = jobs;
    this.begun = begun;
    this.writer = writer;
  }

  @Override
  public void write(int value) {
    write(new byte[] {(byte) value}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) {
    int end = offset + length;
    int position = offset;
    while (position < end) {
      int newline = position;
      while (newline < end && bytes[newline] != '\n') {
        newline++;
      }
      take(bytes, position, newline);
      if (newline < end) {
        endLine();
      }
      position = newline + 1;
    }
    writeSoon();
  }

  /** Adds to the line; one that is too long is told in pieces. */
  private void take(byte[] bytes, int from, int to) {
    int position = from;
    while (position < to) {
      int part = Math.min(to - position, LONGEST_LINE - lineLength);
      System.arraycopy(bytes, position, line, lineLength, part);
      lineLength += part;
      position += part;
      if (lineLength == LONGEST_LINE) {
        endLine();
        cut = true;
      }
    }
  }

  private void endLine() {
    if (lineLength == 0 && cut) {
      cut = false; // the end of a line that was told in pieces
      return;
    }
    cut = false;
    if (lineLength > MARK.length && startsWithMark()) {
      marked = number();
    } else {
      makeReadable();
      tail.add(line, lineLength);
      append();
    }
    lineLength = 0;
  }

  /**
   * What is no UTF-8 is shown as question marks, so that whoever reads the file can count bytes.
   */
  private void makeReadable() {
    for (int i = 0; i < lineLength; i++) {
      if (line[i] < 0) {
        byte[] text = new String(line, 0, lineLength, UTF_8).replace('\uFFFD', '?').getBytes(UTF_8);
        lineLength = text.length; // no more than before: a question mark is one byte
        System.arraycopy(text, 0, line, 0, lineLength);
        return;
      }
    }
  }

  private boolean startsWithMark() {
    for (int i = 0; i < MARK.length; i++) {
      if (line[i] != MARK[i]) {
        return false;
      }
    }
    return true;
  }

  private long number() {
    try {
      return Long.parseLong(new String(line, MARK.length, lineLength - MARK.length, UTF_8));
    } catch (NumberFormatException e) {
      return marked; // it only looks like one
    }
  }

  private void append() {
    long job = marked == 0 ? begun.getAsLong() : marked;
    long now = System.currentTimeMillis();
    if (now != headMillis || job != headJob) {
      headMillis = now;
      headJob = job;
      head = (TIME.format(Instant.ofEpochMilli(now)) + " " + jobs.apply(job) + " ").getBytes(UTF_8);
    }
    synchronized (this) {
      int needed = pendingLength + head.length + lineLength + 1;
      if (needed > MOST_PENDING) {
        dropped++;
        return;
      }
      if (needed > pending.length) {
        pending = java.util.Arrays.copyOf(pending, Math.min(MOST_PENDING, 2 * needed));
      }
      System.arraycopy(head, 0, pending, pendingLength, head.length);
      System.arraycopy(line, 0, pending, pendingLength + head.length, lineLength);
      pending[needed - 1] = '\n';
      pendingLength = needed;
    }
  }

  private synchronized void writeSoon() {
    if (pendingLength > 0 && !scheduled) {
      scheduled = true;
      writer.execute(this::writeFile);
    }
  }

  private void writeFile() {
    byte[] bytes;
    int length;
    long lost;
    synchronized (this) {
      scheduled = false;
      bytes = pending;
      length = pendingLength;
      lost = dropped;
      pending = new byte[8 << 10];
      pendingLength = 0;
      dropped = 0;
    }
    synchronized (file) {
      file.write(bytes, length);
      if (lost > 0) {
        String note =
            "%s - [%d lines dropped: they came quicker than they could be written]%n"
                .formatted(TIME.format(Instant.now()), lost);
        byte[] told = note.getBytes(UTF_8);
        file.write(told, told.length);
      }
    }
  }

  /** Writes what is left, on the caller's thread. */
  @Override
  public void close() {
    if (lineLength > 0) {
      endLine();
    }
    writeFile();
    synchronized (file) {
      file.close();
    }
  }
}
