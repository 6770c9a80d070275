package io.troupe.scheduler.store;

import io.troupe.model.Sha256;
import java.security.MessageDigest;

/** SHA-256 of what is added piece by piece. Not thread-safe. */
final class Digest {
  private final MessageDigest digest = Sha256.digest();
  private long bytes;

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
    return Sha256.hex(digest);
  }
}
