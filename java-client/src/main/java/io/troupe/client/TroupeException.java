package io.troupe.client;

/** What goes wrong with a request or a job; its subclasses say whose doing it is. */
public abstract sealed class TroupeException extends RuntimeException
    permits RefusedException, JobFailedException, UnreachableException {
  TroupeException(String message) {
    super(message);
  }

  TroupeException(String message, Throwable cause) {
    super(message, cause);
  }
}
