package io.troupe.scheduler.api;

import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.headers.RawHeader;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Route;
import io.troupe.scheduler.store.Secrets;

/** The secrets of a pool, for its executors alone. */
final class SecretRoutes extends Asking {
  private static final String BEARER = "Bearer ";

  private final Secrets secrets;

  SecretRoutes(ActorSystem<?> system, Secrets secrets) {
    super(system);
    this.secrets = secrets;
  }

  /** Below /v1. */
  Route routes() {
    return pathPrefix(
        PathMatchers.segment("secrets").slash(PathMatchers.segment()),
        pool ->
            path(
                PathMatchers.segment().slash(PathMatchers.segment()),
                (name, version) ->
                    get(
                        () ->
                            extractRequest(
                                request -> complete(give(pool, name, version, request))))));
  }

  private HttpResponse give(String pool, String name, String version, HttpRequest request) {
    String shown = request.getHeader("Authorization").map(HttpHeader::value).orElse("");
    if (!shown.startsWith(BEARER) || !secrets.isToken(pool, shown.substring(BEARER.length()))) {
      return ApiError.of(
              401, "UNAUTHORIZED", "Secrets are given to the executors of their pool alone")
          .toResponse()
          .addHeader(RawHeader.create("WWW-Authenticate", "Bearer"));
    }
    return secrets
        .find(pool, name, version)
        .map(
            content ->
                HttpResponse.create()
                    .withEntity(
                        HttpEntities.create(ContentTypes.APPLICATION_OCTET_STREAM, content)))
        .orElseGet(
            () ->
                ApiError.of(
                        404,
                        "SECRET_NOT_FOUND",
                        "Secret "
                            + ApiError.quoted(name)
                            + " of pool "
                            + ApiError.quoted(pool)
                            + " is gone or has changed: apply the pool again")
                    .toResponse())
        .addHeader(RawHeader.create("Cache-Control", "no-store"));
  }
}
