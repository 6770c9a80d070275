package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * What a process prints, into files, with the last lines kept in memory for the cause of its end. A
 * file that has grown too large is renamed to {@code .1}, over the one of before. A full disk costs
 * output, never the process.
 */
final class LogTail {
  private static final int LINES = 20;
  private static final int LINE_BYTES = 500;

  private final Deque<String> lines = new ArrayDeque<>();

  /** The last lines of all streams together, oldest first. */
  List<String> lines() {
    synchronized (lines) {
      return List.copyOf(lines);
    }
  }

  private void add(String line) {
    synchronized (lines) {
      lines.addLast(line);
      if (lines.size() > LINES) {
        lines.removeFirst();
      }
    }
  }

  /** A stream that appends to the file; one thread writes to it. */
  OutputStream stream(Path file, long maxBytes) {
    return new FileStream(file, maxBytes);
  }

  private final class FileStream extends OutputStream {
    private final Path file;
    private final long maxBytes;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private OutputStream out = OutputStream.nullOutputStream();
    private long written;
    private boolean opened;

    FileStream(Path file, long maxBytes) {
      this.file = file;
      this.maxBytes = maxBytes;
    }

    @Override
    public void write(int value) {
      write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      remember(bytes, offset, length);
      try {
        open(length);
        out.write(bytes, offset, length);
        out.flush();
        written += length;
      } catch (IOException e) {
        out = OutputStream.nullOutputStream();
      }
    }

    private void open(int length) throws IOException {
      if (!opened || written + length > maxBytes) {
        if (opened) {
          out.close();
          Files.move(
              file,
              file.resolveSibling(file.getFileName() + ".1"),
              StandardCopyOption.REPLACE_EXISTING);
        }
        opened = true;
        written = Files.exists(file) ? Files.size(file) : 0;
        out =
            new BufferedOutputStream(
                Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND));
      }
    }

    private void remember(byte[] bytes, int offset, int length) {
      for (int i = offset; i < offset + length; i++) {
        if (bytes[i] == '\n') {
          endLine();
        } else if (line.size() < LINE_BYTES) {
          line.write(bytes[i]);
        }
      }
    }

    private void endLine() {
      if (line.size() > 0) {
        add(line.toString(UTF_8));
        line.reset();
      }
    }

    @Override
    public void close() throws IOException {
      endLine();
      out.close();
    }
  }
}
