package io.troupe.scheduler.api;

import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Route;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/** What executors fetch and bring: payloads and results that are too large for a message. */
final class BlobRoutes extends Asking {
  private final Blobs blobs;

  BlobRoutes(ActorSystem<?> system, Blobs blobs) {
    super(system);
    this.blobs = blobs;
  }

  /** Below /v1. */
  Route routes() {
    return concat(
        path(
            PathMatchers.segment("blobs"),
            () ->
                concat(
                    get(() -> complete(json(200, Json.object().put("mark", blobs.mark())))),
                    post(
                        () ->
                            parameterMap(
                                values ->
                                    extractRequest(request -> answer(take(values, request))))))),
        path(
            PathMatchers.segment("blobs").slash(PathMatchers.segment()),
            name -> get(() -> answer(give(name)))));
  }

  private CompletionStage<HttpResponse> take(Map<String, String> values, HttpRequest request) {
    String job = Parameters.of(values, Set.of("job")).required("job", "?job=ID");
    if (!job.matches("[0-9A-Za-z]{1,64}")) {
      throw new ApiException(
          ApiError.badParameter("job", ApiError.quoted(job) + " is no id of a job"));
    }
    return blobs
        .take(request.entity(), job, false)
        .thenApply(ref -> json(200, Json.object().put("name", ref.name()).put("size", ref.size())));
  }

  private CompletionStage<HttpResponse> give(String name) {
    return blobs
        .entity(name, Blobs.bytesType())
        .thenApply(
            found ->
                found
                    .map(entity -> HttpResponse.create().withEntity(entity))
                    .orElseGet(
                        () ->
                            ApiError.of(
                                    404,
                                    "BLOB_NOT_FOUND",
                                    "There is no blob " + ApiError.quoted(name))
                                .toResponse()));
  }
}
