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
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A few words of memory shared with the process of a worker, in a file both have mapped. They can
 * be read after the process was killed. Where the process runs several jobs at once, what a job
 * tells stands in a place of its own behind the first. Any thread.
 */
final class Seat {
  private static final int BYTES = 256;
  private static final int BEGUN = 0;
  private static final int CANCEL = 8;
  private static final int FLUSH = 16;
  private static final int RECALL = 24;
  private static final int LAST = 32;
  private static final int CHANGES = 40;
  private static final int PROGRESS_JOB = 48;
  private static final int FRACTION = 56;
  private static final int TEXT_LENGTH = 64;
  private static final int BEATS = 72;
  private static final int TEXT = 80;
  private static final int READ_AT_MOST = 100;

  private static final VarHandle WORDS =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

  private final ByteBuffer words;

  /** Where the places of running jobs begin that tell how far they are. */
  private final int[] places;

  private Seat(ByteBuffer words, int[] places) {
    this.words = words;
    this.places = places;
  }

  /**
   * Makes the file, all words 0.
   *
   * @param width how many jobs the process runs at once
   */
  static Seat create(Path file, int width) throws IOException {
    int[] places =
        width == 1 ? new int[] {0} : IntStream.rangeClosed(1, width).map(i -> i * BYTES).toArray();
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      return new Seat(
          channel
              .map(FileChannel.MapMode.READ_WRITE, 0, places[places.length - 1] + (long) BYTES)
              .order(ByteOrder.nativeOrder()),
          places);
    }
  }

  /**
   * What the process says of how far a job is.
   *
   * @param job its number
   */
  record Word(long job, Progress progress) {}

  /** What its jobs said last; without one that cannot be read as it is written all the time. */
  List<Word> words() {
    return Arrays.stream(places).mapToObj(this::word).flatMap(Optional::stream).toList();
  }

  private Optional<Word> word(int place) {
    for (int i = 0; i < READ_AT_MOST; i++) {
      long before = (long) WORDS.getVolatile(words, place + CHANGES);
      long job = words.getLong(place + PROGRESS_JOB);
      double fraction = words.getDouble(place + FRACTION);
      long length = words.getLong(place + TEXT_LENGTH);
      byte[] text = new byte[(int) Math.max(0, Math.min(BYTES - TEXT, length))];
      words.get(place + TEXT, text);
      VarHandle.loadLoadFence();
      if (before % 2 == 0 && before == (long) WORDS.getVolatile(words, place + CHANGES)) {
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

  /** Changes whenever the job, which runs, says that it is alive. */
  long beats(long job) {
    if (places.length == 1) {
      return words.getLong(BEATS);
    }
    for (int place : places) {
      if (words.getLong(place + BEGUN) == job) {
        return words.getLong(place + BEATS);
      }
    }
    return 0;
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

  /**
   * Names the running job behind which others wait that the next SIGINT asks for.
   *
   * @param last id of the last one of them
   */
  void recall(long id, long last) {
    words.putLong(LAST, last);
    WORDS.setVolatile(words, RECALL, id); // with an earlier last one it would ask for too few
  }
}
