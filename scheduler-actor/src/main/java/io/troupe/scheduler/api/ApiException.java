package io.troupe.scheduler.api;

/** Ends the handling of a request with this answer. */
final class ApiException extends RuntimeException {
  private final transient ApiError error;

  ApiException(ApiError error) {
    super(error.message(), null, false, false);
    this.error = error;
  }

  ApiError error() {
    return error;
  }
}
