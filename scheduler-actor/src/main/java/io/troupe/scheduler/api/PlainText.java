package io.troupe.scheduler.api;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Looks through long texts eight bytes at a time: most of what is long is one JSON string without
 * escapes, which a parser would look at letter by letter.
 */
final class PlainText {
  private static final VarHandle WORDS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long ONES = 0x0101_0101_0101_0101L;
  private static final long HIGHS = 0x8080_8080_8080_8080L;
  private static final long QUOTES = ONES * '"';
  private static final long BACKSLASHES = ONES * '\\';
  private static final long LINE_FEEDS = ONES * '\n';
  private static final long RETURNS = ONES * '\r';
  private static final long SPACES = ONES * ' ';

  private static final int WINDOW = 8 * 1024;

  private PlainText() {}

  /** Whether this is one JSON string in ASCII without escapes, and nothing beside it. */
  static boolean isJson(byte[] text) {
    int last = text.length - 1;
    return last > 0 && text[0] == '"' && text[last] == '"' && plainUntil(text, 1, last) == last;
  }

  /**
   * Whether these pieces are one JSON string in ASCII without escapes, and nothing beside it. When
   * not, it may be JSON all the same.
   */
  static boolean isJson(Iterable<ByteBuffer> pieces) {
    boolean begun = false;
    boolean open = false;
    // What is read-only shows no array, and to ask it for its words takes several times as long.
    byte[] window = new byte[WINDOW];
    for (ByteBuffer piece : pieces) {
      ByteBuffer text = piece.duplicate();
      while (text.hasRemaining()) {
        int end = Math.min(text.remaining(), window.length);
        text.get(window, 0, end);
        if (begun != open || (!begun && window[0] != '"')) {
          return false;
        }
        int plain = plainUntil(window, begun ? 0 : 1, end);
        begun = true;
        open = plain == end;
        if (!open && (window[plain] != '"' || plain + 1 < end)) {
          return false;
        }
      }
    }
    return begun && !open;
  }

  /** Where the first byte is that is not plain in a JSON string, or the end. */
  private static int plainUntil(byte[] text, int from, int end) {
    int at = from;
    for (; at + Long.BYTES <= end; at += Long.BYTES) {
      long word = (long) WORDS.get(text, at);
      // In each byte the highest bit is set if it is no ASCII, below a space, a quote, a backslash.
      long odd = word | (word - SPACES) | zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
      if ((odd & HIGHS) != 0) {
        break;
      }
    }
    while (at < end && isPlain(text[at])) {
      at++;
    }
    return at;
  }

  private static boolean isPlain(byte letter) {
    return letter >= ' ' && letter != '"' && letter != '\\';
  }

  /** Where the first such byte is, or the end. */
  static int indexOf(byte[] bytes, int from, int to, char wanted) {
    int at = from;
    int soon = Math.min(to, from + 2 * Long.BYTES);
    for (; at < soon; at++) {
      if (bytes[at] == wanted) {
        return at;
      }
    }
    long pattern = ONES * wanted;
    for (; at + Long.BYTES <= to; at += Long.BYTES) {
      if ((zeros((long) WORDS.get(bytes, at) ^ pattern) & HIGHS) != 0) {
        break;
      }
    }
    while (at < to && bytes[at] != wanted) {
      at++;
    }
    return at;
  }

  /** Whether no line ends in it. */
  static boolean isOneLine(byte[] text) {
    return lineEnd(text, 0, text.length) == text.length;
  }

  /** Makes JSON one line: outside of strings, where there can be none, a line end is a space. */
  static void joinLines(byte[] json, int from, int to) {
    for (int at = lineEnd(json, from, to); at < to; at = lineEnd(json, at + 1, to)) {
      json[at] = ' ';
    }
  }

  private static int lineEnd(byte[] text, int from, int to) {
    int at = from;
    for (; at + Long.BYTES <= to; at += Long.BYTES) {
      long word = (long) WORDS.get(text, at);
      if (((zeros(word ^ LINE_FEEDS) | zeros(word ^ RETURNS)) & HIGHS) != 0) {
        break;
      }
    }
    while (at < to && text[at] != '\n' && text[at] != '\r') {
      at++;
    }
    return at;
  }

  /** The highest bit of a byte is set if the byte is zero, and perhaps if one below it is. */
  private static long zeros(long word) {
    return (word - ONES) & ~word;
  }
}
