package io.troupe.executor.process;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A few words of memory shared with the process of a worker, in a file both have mapped. They can
 * be read after the process was killed. Any thread.
 */
final class Seat {
  private static final int BYTES = 64;
  private static final int BEGUN = 0;
  private static final int CANCEL = 8;
  private static final int FLUSH = 16;

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
