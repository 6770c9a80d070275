package io.troupe.scheduler.api;

import akka.actor.typed.ActorSystem;
import akka.http.javadsl.Http;
import akka.http.javadsl.ServerBinding;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.headers.RawHeader;
import akka.http.javadsl.server.AllDirectives;
import akka.http.javadsl.server.ExceptionHandler;
import akka.http.javadsl.server.MethodRejection;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Rejection;
import akka.http.javadsl.server.RejectionHandler;
import akka.http.javadsl.server.Route;
import akka.http.javadsl.settings.ServerSettings;
import akka.http.scaladsl.model.EntityStreamException;
import akka.http.scaladsl.model.EntityStreamSizeException;
import akka.http.scaladsl.model.IllegalUriException;
import akka.japi.function.Function;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The HTTP API of a scheduler node: all routes below /v1, and what is said when none fits. */
public final class JobApi extends AllDirectives {
  private static final ApiError FROM_ELSEWHERE =
      ApiError.of(
          400, "CROSS_ORIGIN", "Pages of other sites may not use this API; call it from a program");
  private static final Logger LOG = LoggerFactory.getLogger(JobApi.class);

  private final ActorSystem<?> system;
  private final ApiParts parts;
  private final ApiSettings settings;

  private JobApi(ActorSystem<?> system, ApiParts parts, ApiSettings settings) {
    this.system = system;
    this.parts = parts;
    this.settings = settings;
  }

  /**
   * Listens. The stage fails when the address cannot be had; what is bound is unbound with the
   * system.
   */
  public static CompletionStage<ServerBinding> bind(
      ActorSystem<?> system, ApiParts parts, ApiSettings settings) {
    Connections connections = new Connections();
    return Http.get(system)
        .newServerAt(settings.host(), settings.port())
        .withSettings(connections.seenBy(ServerSettings.create(system.settings().config())))
        .logTo(new ServerLog(LOG))
        .bind(new JobApi(system, parts, settings).handler(connections));
  }

  private Function<HttpRequest, CompletionStage<HttpResponse>> handler(Connections connections) {
    Blobs blobs = new Blobs(system, parts.blobs(), parts.jobs().blobs());
    JobRoutes jobs = new JobRoutes(system, parts, settings, blobs, connections);
    Function<HttpRequest, CompletionStage<HttpResponse>> others =
        routes(jobs, blobs).handler(system);
    return request -> {
      if (isFromElsewhere(request)) {
        return CompletableFuture.completedFuture(FROM_ELSEWHERE.toResponse());
      }
      // To find a submission among the other routes takes longer than all that is done for it.
      Optional<String> pool = JobRoutes.poolOfSubmission(request);
      return pool.isEmpty()
          ? others.apply(request)
          : CompletableFuture.completedFuture(request)
              .thenCompose(submission -> jobs.submit(pool.get(), submission))
              .exceptionally(this::response);
    };
  }

  private Route routes(JobRoutes jobs, Blobs blobs) {
    Route below =
        concat(
            jobs.routes(),
            new BlobRoutes(system, blobs).routes(),
            new PoolRoutes(system, parts).routes(),
            new FileRoutes(system, parts.files()).routes(),
            new SecretRoutes(system, parts.secrets()).routes(),
            new StoreRoutes(system, parts).routes(),
            new NodeRoutes(system, parts, settings).routes());
    return pathPrefix(PathMatchers.segment("v1"), () -> below).seal(rejections(), exceptions());
  }

  /**
   * Whether a browser sends this for a page of another site: such a page must not be able to start
   * programs on the agents just because somebody looks at it.
   */
  private static boolean isFromElsewhere(HttpRequest request) {
    Optional<String> origin = request.getHeader("Origin").map(HttpHeader::value);
    if (origin.isEmpty()) {
      return false;
    }
    // A name that leads to this machine may be another site's, too.
    Optional<String> own =
        request
            .getHeader("Host")
            .map(HttpHeader::value)
            .filter(name -> name.matches("(localhost|127[.0-9]+|\\[::1])(:\\d+)?"));
    return !origin.equals(own.map(name -> "http://" + name));
  }

  private RejectionHandler rejections() {
    return RejectionHandler.newBuilder()
        .handleNotFound(
            complete(
                ApiError.of(
                        404,
                        "ROUTE_NOT_FOUND",
                        "There is nothing at this path; the API is below /v1, such as /v1/pools")
                    .toResponse()))
        .handleAll(
            MethodRejection.class,
            methods -> {
              String allowed =
                  methods.stream()
                      .map(rejection -> rejection.supported().name())
                      .distinct()
                      .collect(Collectors.joining(", "));
              return complete(
                  ApiError.of(405, "METHOD_NOT_ALLOWED", "Here only " + allowed + " can be used")
                      .toResponse()
                      .addHeader(RawHeader.create("Allow", allowed)));
            })
        .handle(
            Rejection.class,
            rejection ->
                complete(
                    ApiError.of(400, "INVALID_REQUEST", "Not understood: " + rejection)
                        .toResponse()))
        .build();
  }

  private ExceptionHandler exceptions() {
    return ExceptionHandler.newBuilder().matchAny(this::refused).build();
  }

  private Route refused(Throwable thrown) {
    return complete(response(thrown));
  }

  private static boolean isTooLarge(Throwable cause) {
    return String.valueOf(cause.getMessage()).contains("too large");
  }

  private HttpResponse response(Throwable thrown) {
    Throwable cause = Uploads.cause(thrown);
    if (cause instanceof ApiException refusal) {
      return refusal.error().toResponse();
    }
    if (cause instanceof IllegalUriException) {
      return ApiError.of(
              400, "INVALID_REQUEST", "Not a query that can be read: " + cause.getMessage())
          .toResponse();
    }
    if (cause instanceof EntityStreamSizeException
        || (cause instanceof EntityStreamException && isTooLarge(cause))) {
      return JobRoutes.payloadTooLarge(parts.jobs().payloadBytes()).toResponse();
    }
    if (Uploads.isCutOff(cause)) {
      return Uploads.CUT_OFF.toResponse();
    }
    if (cause instanceof TimeoutException) {
      return ApiError.of(
              503, "NO_ANSWER", "The scheduler did not answer in time; its log may say why")
          .toResponse();
    }
    LOG.error("A request could not be handled", cause);
    return ApiError.of(
            503, "INTERNAL", "The request could not be handled; the scheduler's log says why")
        .toResponse();
  }
}
