package io.troupe.scheduler.api;

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

    /** A line that was too long. */
    void tooLong();
  }

  private static final byte[] NOTHING = {};

  private final int longest;
  private byte[] rest = NOTHING;
  private int restLength;
  private boolean skipping;

  LineSplitter(int longest) {
    this.longest = longest;
  }

  /** The next bytes of the stream. */
  void push(byte[] piece, Lines lines) {
    int from = 0;
    int at = PlainText.indexOf(piece, 0, piece.length, '\n');
    while (at < piece.length) {
      end(piece, from, at, lines);
      from = at + 1;
      at = PlainText.indexOf(piece, from, piece.length, '\n');
    }
    keep(piece, from);
  }

  /** The stream is over: what follows the last line end is a line too, unless it is empty. */
  void finish(Lines lines) {
    if (restLength > 0 || skipping) {
      end(NOTHING, 0, 0, lines);
    }
  }

  private void end(byte[] piece, int from, int to, Lines lines) {
    if (skipping || restLength + (to - from) > longest) {
      lines.tooLong();
    } else if (restLength == 0) {
      lines.line(Arrays.copyOfRange(piece, from, to));
    } else {
      byte[] line = Arrays.copyOf(rest, restLength + (to - from));
      System.arraycopy(piece, from, line, restLength, to - from);
      lines.line(line);
    }
    rest = NOTHING;
    restLength = 0;
    skipping = false;
  }

  private void keep(byte[] piece, int from) {
    int more = piece.length - from;
    if (skipping || more == 0) {
      return;
    }
    if (restLength + more > longest) {
      skipping = true;
      rest = NOTHING;
      restLength = 0;
      return;
    }
    if (restLength + more > rest.length) {
      int room = Math.max(restLength + more, Math.min(longest, rest.length * 2));
      rest = Arrays.copyOf(rest, room);
    }
    System.arraycopy(piece, from, rest, restLength, more);
    restLength += more;
  }
}
