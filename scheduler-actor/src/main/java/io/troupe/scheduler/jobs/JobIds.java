package io.troupe.scheduler.jobs;

import java.nio.charset.StandardCharsets;

/**
 * Makes the ids of one queue's jobs: a prefix that no other queue, before or after a restart, has,
 * and a number that counts up. Ids are short, safe in a URL, and sort in the order in which they
 * were made. Not thread-safe.
 */
public final class JobIds {
  /** How long the part of an id is that names its queue. */
  static final int PREFIX_LENGTH = 9;

  private static final int NUMBER_LENGTH = 7;
  // Crockford's: no letter that can be taken for a digit, and in ASCII order.
  private static final byte[] DIGITS =
      "0123456789abcdefghjkmnpqrstvwxyz".getBytes(StandardCharsets.US_ASCII);

  private final byte[] next = new byte[PREFIX_LENGTH + NUMBER_LENGTH];
  private final String prefix;
  private long count;

  /**
   * Ids for a queue that was made at this time.
   *
   * @param millis since 1970; unique among the queues of all scheduler processes of a pool
   */
  public JobIds(long millis) {
    write(millis, 0, PREFIX_LENGTH);
    prefix = new String(next, 0, PREFIX_LENGTH, StandardCharsets.ISO_8859_1);
  }

  /** The next id. */
  public String next() {
    write(count, PREFIX_LENGTH, NUMBER_LENGTH);
    count++;
    return new String(next, StandardCharsets.ISO_8859_1);
  }

  /** What all its ids begin with. */
  public String prefix() {
    return prefix;
  }

  /** The part of an id that names its queue; the id itself where it cannot be one of ours. */
  public static String prefixOf(String id) {
    return id.length() == PREFIX_LENGTH + NUMBER_LENGTH ? id.substring(0, PREFIX_LENGTH) : id;
  }

  private void write(long value, int from, int length) {
    long rest = value;
    for (int at = from + length - 1; at >= from; at--) {
      next[at] = DIGITS[(int) (rest & 31)];
      rest >>>= 5;
    }
  }
}
