package io.troupe.scheduler.api;

import akka.event.LoggingAdapter;
import akka.http.ParsingErrorHandler;
import akka.http.javadsl.model.HttpResponse;
import akka.http.scaladsl.model.ErrorInfo;
import akka.http.scaladsl.model.StatusCode;
import akka.http.scaladsl.settings.ServerSettings;

/**
 * The answer to what is no HTTP request, in the form of all other refusals. Akka HTTP finds it by
 * the class name in scheduler-node.conf and, as it would a Scala object, by the field {@code
 * MODULE$}.
 */
public final class UnreadableRequest extends ParsingErrorHandler {
  /** The only one. */
  @SuppressWarnings("MemberName") // as the Scala compiler names it
  public static final UnreadableRequest MODULE$ = new UnreadableRequest();

  private UnreadableRequest() {}

  @Override
  public HttpResponse handle(
      StatusCode status, ErrorInfo error, LoggingAdapter log, ServerSettings settings) {
    String summary = error.summary().isEmpty() ? status.reason() : error.summary();
    String message = ("Not a request that can be read: " + summary).replaceAll("\\p{Cntrl}+", " ");
    return ApiError.of(status.intValue(), "INVALID_REQUEST", message).toResponse();
  }
}
