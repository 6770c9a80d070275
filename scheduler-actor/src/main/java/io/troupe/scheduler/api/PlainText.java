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
  private static final long SPACES = ONES * ' ';

  private PlainText() {}

  /**
   * Whether these pieces are one JSON string in ASCII without escapes, and nothing beside it. When
   * not, it may be JSON all the same.
   */
  static boolean isJson(Iterable<ByteBuffer> pieces) {
    boolean begun = false;
    boolean open = false;
    for (ByteBuffer piece : pieces) {
      ByteBuffer text = piece.duplicate().order(ByteOrder.LITTLE_ENDIAN);
      if (!text.hasRemaining()) {
        continue;
      }
      if (begun != open || (!begun && text.get() != '"')) {
        return false;
      }
      begun = true;
      int end = plainUntil(text);
      open = end == text.limit();
      if (!open && (text.get(end) != '"' || end + 1 < text.limit())) {
        return false;
      }
    }
    return begun && !open;
  }

  /** Where the first byte is that is not plain in a JSON string, or the end. */
  private static int plainUntil(ByteBuffer text) {
    int at = text.position();
    int end = text.limit();
    for (; at + Long.BYTES <= end; at += Long.BYTES) {
      long word = text.getLong(at);
      // In each byte the highest bit is set if it is no ASCII, below a space, a quote, a backslash.
      long odd = word | (word - SPACES) | zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
      if ((odd & HIGHS) != 0) {
        break;
      }
    }
    while (at < end && isPlain(text.get(at))) {
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

  /** The highest bit of a byte is set if the byte is zero, and perhaps if one below it is. */
  private static long zeros(long word) {
    return (word - ONES) & ~word;
  }
}
