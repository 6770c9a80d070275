package io.troupe.client;

/** The scheduler refused a request: no such pool, no such job, a payload that is too large. */
public final class RefusedException extends TroupeException {
  private final int status;
  private final String code;

  RefusedException(int status, String code, String message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** The HTTP status. */
  public int status() {
    return status;
  }

  /** What the API calls it, such as {@code POOL_NOT_FOUND}. */
  public String code() {
    return code;
  }
}
