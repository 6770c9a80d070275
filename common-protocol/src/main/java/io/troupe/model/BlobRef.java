package io.troupe.model;

import java.nio.charset.StandardCharsets;

/**
 * Where a payload or a result is that is too large to be passed along: with the scheduler, under
 * this name. Written where the bytes themselves would stand, and told from them by the content
 * type.
 *
 * @param name letters and digits
 * @param size in bytes
 */
public record BlobRef(String name, long size) {

  /** The reference as bytes. */
  public byte[] bytes() {
    return (name + " " + size).getBytes(StandardCharsets.US_ASCII);
  }

  /**
   * What {@link #bytes} made.
   *
   * @throws IllegalArgumentException when these bytes are no reference
   */
  public static BlobRef of(byte[] bytes) {
    String text = new String(bytes, StandardCharsets.US_ASCII);
    int space = text.indexOf(' ');
    if (space <= 0) {
      throw new IllegalArgumentException("no reference to a blob: " + text);
    }
    return new BlobRef(text.substring(0, space), Long.parseLong(text.substring(space + 1)));
  }
}
