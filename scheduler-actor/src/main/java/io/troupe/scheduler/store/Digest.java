package io.troupe.scheduler.store;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 of what is added piece by piece. Not thread-safe. */
final class Digest {
  private final MessageDigest digest;
  private long bytes;

  Digest() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  void add(byte[] piece, int from, int length) {
    digest.update(piece, from, length);
    bytes += length;
  }

  /** How many bytes there were. */
  long bytes() {
    return bytes;
  }

  /** In hexadecimal; ends it. */
  String hex() {
    return HexFormat.of().formatHex(digest.digest());
  }
}
