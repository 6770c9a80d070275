package io.troupe.protocol;

/**
 * Marks what may cross the Akka cluster; bound to Jackson CBOR in reference.conf, and nothing else
 * is.
 */
public interface WireMessage {
  /** Version of the messages in this package; a supervisor of another one is refused. */
  int VERSION = 1;
}
