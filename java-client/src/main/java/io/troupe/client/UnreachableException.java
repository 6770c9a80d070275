package io.troupe.client;

/** No scheduler answered for as long as the client's patience lasts. */
public final class UnreachableException extends TroupeException {
  UnreachableException(String message, Throwable cause) {
    super(message, cause);
  }
}
