package io.troupe.scheduler.jobs;

import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;

/**
 * Makes the ids of one queue's jobs: a prefix that no other queue, before or after a restart, has,
 * and a number that counts up. Ids are short, safe in a URL, and sort in the order in which they
 * were made; each is one positive 64-bit number in Crockford's base 32. Not thread-safe.
 */
public final class JobIds {
  /** The highest prefix; the lower half of an id counts jobs. */
  static final long LAST_PREFIX = (1L << 31) - 1;

  private static final int COUNT_BITS = 32;
  private static final int LENGTH = 13;
  // No letter that can be taken for a digit, and in ASCII order.
  private static final byte[] DIGITS =
      "0123456789abcdefghjkmnpqrstvwxyz".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] VALUES = values();

  private final long prefix;
  private long next;

  /**
   * Ids for one queue.
   *
   * @param prefix from 1 to 2³¹ - 1; unique among the queues of all scheduler processes with one
   *     store
   */
  public JobIds(long prefix) {
    if (prefix < 1 || prefix > LAST_PREFIX) {
      throw new IllegalArgumentException("Not a prefix of job ids: " + prefix);
    }
    this.prefix = prefix;
    this.next = prefix << COUNT_BITS;
  }

  /** The next id, as a number. */
  long next() {
    return next++;
  }

  /** What all its ids begin with. */
  public long prefix() {
    return prefix;
  }

  /** The id of this number, as it is written. */
  public static String text(long number) {
    byte[] text = new byte[LENGTH];
    long rest = number;
    for (int at = LENGTH - 1; at >= 0; at--) {
      text[at] = DIGITS[(int) (rest & 31)];
      rest >>>= 5;
    }
    return new String(text, StandardCharsets.ISO_8859_1);
  }

  /** The number of this id; empty when it cannot be one of ours. */
  static OptionalLong number(String id) {
    if (id.length() != LENGTH) {
      return OptionalLong.empty();
    }
    long number = 0;
    for (int at = 0; at < LENGTH; at++) {
      char letter = id.charAt(at);
      byte value = letter < VALUES.length ? VALUES[letter] : -1;
      if (value < 0 || (at == 0 && value > 7)) {
        return OptionalLong.empty();
      }
      number = number << 5 | value;
    }
    return OptionalLong.of(number);
  }

  /** The part of an id that names its queue; empty when the id cannot be one of ours. */
  public static OptionalLong prefixOf(String id) {
    OptionalLong number = number(id);
    return number.isPresent()
        ? OptionalLong.of(number.getAsLong() >>> COUNT_BITS)
        : OptionalLong.empty();
  }

  private static byte[] values() {
    byte[] values = new byte['z' + 1];
    java.util.Arrays.fill(values, (byte) -1);
    for (int i = 0; i < DIGITS.length; i++) {
      values[DIGITS[i]] = (byte) i;
    }
    return values;
  }
}
