package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.troupe.protocol.WorkerStatus.Progress;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * A few words of memory shared with the process of a worker, in a file both have mapped. They can
 * be read after the process was killed. Any thread.
 */
final class Seat {
  private static final int BYTES = 256;
  private static final int BEGUN = 0;
  private static final int CANCEL = 8;
  private static final int FLUSH = 16;
  private static final int CHANGES = 24;
  private static final int PROGRESS_JOB = 32;
  private static final int FRACTION = 40;
  private static final int TEXT_LENGTH = 48;
  private static final int BEATS = 56;
  private static final int TEXT = 64;
  private static final int READ_AT_MOST = 100;

  private static final VarHandle WORDS =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

  private final ByteBuffer words;

  private Seat(ByteBuffer words) {
    this.words = words;
  }

  /** Makes the file, all words 0. */
  static Seat create(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      return new Seat(
          channel.map(FileChannel.MapMode.READ_WRITE, 0, BYTES).order(ByteOrder.nativeOrder()));
    }
  }

  /**
   * What the process says of how far a job is.
   *
   * @param job its number
   */
  record Word(long job, Progress progress) {}

  /** What it said last; empty when it never did, or cannot be read as it writes all the time. */
  Optional<Word> word() {
    for (int i = 0; i < READ_AT_MOST; i++) {
      long before = (long) WORDS.getVolatile(words, CHANGES);
      long job = words.getLong(PROGRESS_JOB);
      double fraction = words.getDouble(FRACTION);
      byte[] text = new byte[(int) Math.max(0, Math.min(BYTES - TEXT, words.getLong(TEXT_LENGTH)))];
      words.get(TEXT, text);
      VarHandle.loadLoadFence();
      if (before % 2 == 0 && before == (long) WORDS.getVolatile(words, CHANGES)) {
        return before == 0
            ? Optional.empty()
            : Optional.of(
                new Word(
                    job,
                    new Progress(
                        Double.isNaN(fraction) ? null : fraction, new String(text, UTF_8))));
      }
      Thread.onSpinWait();
    }
    return Optional.empty();
  }

  /** Changes whenever the process says that a job is alive. */
  long beats() {
    return words.getLong(BEATS);
  }

  /** Id of the job that the process began last. */
  long begun() {
    return words.getLong(BEGUN);
  }

  /** Names the job that the next SIGINT is for. */
  void cancel(long id) {
    words.putLong(CANCEL, id);
  }

  /** Names the running job behind which results wait that the next SIGINT asks for. */
  void flush(long id) {
    words.putLong(FLUSH, id);
  }
}
