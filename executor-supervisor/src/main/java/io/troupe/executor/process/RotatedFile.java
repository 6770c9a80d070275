package io.troupe.executor.process;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * A file that is appended to and, when it has grown to its limit, is renamed to {@code .1}, over
 * the one of before. What cannot be written is lost without a word: a full disk must not harm the
 * process whose output it is. Not thread-safe.
 */
final class RotatedFile {
  private final Path file;
  private final long maxBytes;
  private OutputStream out = OutputStream.nullOutputStream();
  private long written;
  private boolean opened;

  RotatedFile(Path file, long maxBytes) {
    this.file = file;
    this.maxBytes = maxBytes;
  }

  void write(byte[] bytes, int length) {
    try {
      if (!opened || written + length > maxBytes) {
        open();
      }
      out.write(bytes, 0, length);
      written += length;
    } catch (IOException e) {
      close();
    }
  }

  private void open() throws IOException {
    if (opened) {
      close();
      Files.move(
          file,
          file.resolveSibling(file.getFileName() + ".1"),
          StandardCopyOption.REPLACE_EXISTING);
    }
    opened = true;
    written = Files.exists(file) ? Files.size(file) : 0;
    out = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  void close() {
    try {
      out.close();
    } catch (IOException e) {
      // as lost as the rest
    }
    out = OutputStream.nullOutputStream();
  }
}
