package io.troupe.scheduler.api;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.StatusCodes;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Optional;

/**
 * Why a request was refused: what every answer that is not a success looks like.
 *
 * @param status the HTTP status
 * @param code for programs; upper case
 * @param message for people: one line with what to do
 * @param retryAfter when it is worth trying again; empty when it is not by itself
 * @param details more fields of the error object; may be empty
 */
record ApiError(
    int status, String code, String message, Optional<Duration> retryAfter, ObjectNode details) {

  private static final String INVALID_JSON = "INVALID_JSON";

  static ApiError of(int status, String code, String message) {
    return new ApiError(
        status, code, message, Optional.empty(), JsonNodeFactory.instance.objectNode());
  }

  static ApiError poolNotFound(String pool) {
    return of(
        404,
        "POOL_NOT_FOUND",
        "There is no pool " + quoted(pool) + "; `troupe pool list` shows those there are");
  }

  static ApiError jobNotFound(String id) {
    return of(
        404,
        "JOB_NOT_FOUND",
        "There is no job "
            + quoted(id)
            + "; jobs are forgotten some time after they have ended, as their pool says (job.keep)"
            + " or the scheduler's settings (troupe.jobs.remember, remember-told, remember-bytes,"
            + " remember-for, remember-stored-for)");
  }

  static ApiError invalidJson(String flaw) {
    return of(400, INVALID_JSON, flaw);
  }

  static ApiError badParameter(String name, String why) {
    return of(400, "INVALID_PARAMETER", "Parameter " + name + ": " + why);
  }

  /** Whether it is what was sent that cannot be taken, whenever it comes. */
  boolean isInvalidJson() {
    return code.equals(INVALID_JSON);
  }

  ApiError after(Duration pause) {
    return new ApiError(status, code, message, Optional.of(pause), details);
  }

  /** The error as the object that stands in answers and in lines of a map. */
  ObjectNode toJson() {
    ObjectNode error = JsonNodeFactory.instance.objectNode();
    error.put("code", code);
    error.put("message", message);
    error.setAll(details);
    return error;
  }

  HttpResponse toResponse() {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    body.set("error", toJson());
    HttpResponse response =
        HttpResponse.create()
            .withStatus(StatusCodes.get(status))
            .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, Json.bytes(body)));
    return retryAfter
        .map(
            pause ->
                response.addHeader(
                    akka.http.javadsl.model.headers.RawHeader.create(
                        "Retry-After", Long.toString(Math.max(1, pause.toSeconds())))))
        .orElse(response);
  }

  /** A text of unknown origin, fit for a line: shortened and without control characters. */
  static String quoted(String text) {
    String plain = text.replaceAll("\\p{Cntrl}", "?");
    return "'" + (plain.length() > 80 ? plain.substring(0, 80) + "…" : plain) + "'";
  }
}
