package io.troupe.scheduler.api;

import akka.http.scaladsl.model.EntityStreamException;
import akka.stream.IOOperationIncompleteException;
import akka.stream.StreamTcpException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Why what a client sends did not become a file: the client has gone, or the disk did not take it.
 */
final class Uploads {
  private static final Logger LOG = LoggerFactory.getLogger(Uploads.class);

  static final ApiError CUT_OFF =
      ApiError.of(400, "REQUEST_CUT_OFF", "The request ended before its body was complete");

  private Uploads() {}

  /** What lies behind the wrappings of futures and streams. */
  static Throwable cause(Throwable failure) {
    Throwable cause = failure;
    while (cause.getCause() != null
        && (cause instanceof CompletionException
            || cause instanceof IOOperationIncompleteException
            || cause instanceof UncheckedIOException)) {
      cause = cause.getCause();
    }
    return cause;
  }

  /** Whether there is nobody any more who sends, or would read an answer. */
  static boolean isCutOff(Throwable cause) {
    return cause instanceof EntityStreamException || cause instanceof StreamTcpException;
  }

  /** Refuses what could not be written to its file. */
  static ApiException notStored(IOException failure) {
    LOG.warn("What a request brought could not be stored: {}", failure.toString());
    return new ApiException(
        ApiError.of(
            503,
            "STORE_UNAVAILABLE",
            "It could not be stored: "
                + failure.getMessage()
                + "; nothing of it was kept, try again when there is room"));
  }

  /** The same where it is not known why; other failures are told as they are. */
  static RuntimeException failed(Throwable failure) {
    return cause(failure) instanceof IOException broken
        ? notStored(broken)
        : new CompletionException(failure);
  }
}
