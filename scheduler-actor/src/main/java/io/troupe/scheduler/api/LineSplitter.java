package io.troupe.scheduler.api;

import akka.util.ByteString;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Cuts a stream of bytes into lines, however the stream comes in pieces. Keeps no more than the
 * longest line allowed: a longer one is told as too long, without its text. Not thread-safe.
 */
final class LineSplitter {

  /** What takes the lines, without their ends, in order. */
  interface Lines {
    /** A line. The array is the receiver's own. */
    void line(byte[] text);

    /** A line of more bytes than are worth a copy. */
    void largeLine(ByteString text);

    /** A line that was too long. */
    void tooLong();
  }

  /** A part of a line of so many bytes is kept as it came; less would hold on to much more. */
  private static final int PART = 16 * 1024;

  private static final byte[] NOTHING = {};

  private final int large;
  private final int longest;
  private final byte[] window = new byte[8 * 1024];

  /** Of a line whose end has not come: parts, and what follows them in a copy. */
  private ByteString parts = ByteString.emptyByteString();

  private byte[] rest = NOTHING;
  private int restLength;
  private boolean skipping;

  /**
   * @param large lines of more bytes are large
   * @param longest how many bytes a line may have
   */
  LineSplitter(long large, int longest) {
    this.large = (int) Math.min(large, longest);
    this.longest = longest;
  }

  /** The next bytes of the stream. */
  void push(ByteString piece, Lines lines) {
    int begin = 0;
    int looked = 0;
    for (ByteBuffer part : piece.getByteBuffers()) {
      while (part.hasRemaining()) {
        int length = Math.min(part.remaining(), window.length);
        part.get(window, 0, length);
        int at = PlainText.indexOf(window, 0, length, '\n');
        while (at < length) {
          if (begin >= looked && isNew()) {
            tell(Arrays.copyOfRange(window, begin - looked, at), lines);
          } else {
            keep(piece, begin, looked + at);
            end(lines);
          }
          begin = looked + at + 1;
          at = PlainText.indexOf(window, at + 1, length, '\n');
        }
        looked += length;
      }
    }
    keep(piece, begin, looked);
  }

  /** The stream is over: what follows the last line end is a line too, unless it is empty. */
  void finish(Lines lines) {
    if (!isNew()) {
      end(lines);
    }
  }

  private boolean isNew() {
    return restLength == 0 && parts.isEmpty() && !skipping;
  }

  private void tell(byte[] line, Lines lines) {
    if (line.length > longest) {
      lines.tooLong();
    } else if (line.length > large) {
      lines.largeLine(ByteString.fromArrayUnsafe(line));
    } else {
      lines.line(line);
    }
  }

  private void end(Lines lines) {
    if (skipping) {
      lines.tooLong();
    } else if (parts.isEmpty()) {
      tell(Arrays.copyOf(rest, restLength), lines);
    } else {
      ByteString line = parts.concat(ByteString.fromArray(rest, 0, restLength));
      if (line.size() > large) {
        lines.largeLine(line);
      } else {
        lines.line(line.toArray());
      }
    }
    forget();
    skipping = false;
  }

  private void forget() {
    parts = ByteString.emptyByteString();
    rest = NOTHING;
    restLength = 0;
  }

  private void keep(ByteString piece, int from, int to) {
    int more = to - from;
    if (skipping || more == 0) {
      return;
    }
    if (parts.size() + restLength + more > longest) {
      skipping = true;
      forget();
      return;
    }
    if (restLength + more > PART) {
      parts = parts.concat(ByteString.fromArray(rest, 0, restLength));
      restLength = 0;
    }
    ByteString text = piece.slice(from, to);
    if (more > PART) {
      parts = parts.concat(text);
    } else {
      copy(text);
    }
  }

  private void copy(ByteString text) {
    if (restLength + text.size() > rest.length) {
      rest = Arrays.copyOf(rest, Math.max(restLength + text.size(), rest.length * 2));
    }
    for (ByteBuffer part : text.getByteBuffers()) {
      int length = part.remaining();
      part.get(rest, restLength, length);
      restLength += length;
    }
  }
}
