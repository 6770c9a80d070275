package io.troupe.scheduler.api;

import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Route;
import akka.stream.javadsl.FileIO;
import io.troupe.model.Sha256;
import io.troupe.scheduler.store.BlobStore;
import io.troupe.scheduler.store.FileStore;
import java.io.IOException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Files of pools, by the hash of their content: uploaded by clients, fetched by agents. */
final class FileRoutes extends Asking {
  private final ActorSystem<?> system;
  private final FileStore files;

  FileRoutes(ActorSystem<?> system, FileStore files) {
    super(system);
    this.system = system;
    this.files = files;
  }

  /** Below /v1. */
  Route routes() {
    return path(
        PathMatchers.segment("files").slash(PathMatchers.segment()),
        sha256 ->
            concat(
                put(() -> extractRequest(request -> answer(take(checked(sha256), request)))),
                get(() -> give(checked(sha256))),
                head(() -> complete(isThere(checked(sha256))))));
  }

  private static String checked(String sha256) {
    if (!FileStore.isName(sha256)) {
      throw new ApiException(
          ApiError.of(
              400,
              "INVALID_HASH",
              ApiError.quoted(sha256) + " is not a SHA-256 as 64 lower-case hexadecimal digits"));
    }
    return sha256;
  }

  private HttpResponse isThere(String sha256) {
    // Who asks will name it in a pool: it must not go before that.
    return files.use(sha256) ? HttpResponse.create() : notFound(sha256);
  }

  private static HttpResponse notFound(String sha256) {
    return ApiError.of(
            404,
            "FILE_NOT_FOUND",
            "There is no file " + sha256 + " here; PUT /v1/files/" + sha256 + " brings it")
        .toResponse();
  }

  private Route give(String sha256) {
    if (!files.has(sha256)) {
      return complete(notFound(sha256));
    }
    return getFromFile(files.path(sha256).toFile(), ContentTypes.APPLICATION_OCTET_STREAM);
  }

  private CompletionStage<HttpResponse> take(String sha256, HttpRequest request) {
    if (files.use(sha256)) {
      request.discardEntityBytes(system);
      return java.util.concurrent.CompletableFuture.completedFuture(stored(sha256));
    }
    MessageDigest digest = Sha256.digest();
    Path incoming = incoming();
    return request
        .entity()
        .withoutSizeLimit()
        .getDataBytes()
        .map(
            piece -> {
              digest.update(piece.toArray());
              return piece;
            })
        .runWith(FileIO.toPath(incoming), system)
        .handleAsync((written, failure) -> keep(incoming, sha256, digest, failure), blocking())
        .whenCompleteAsync((done, failure) -> BlobStore.discard(incoming), blocking());
  }

  private static HttpResponse stored(String sha256) {
    return json(200, Json.object().put("sha256", sha256));
  }

  private Path incoming() {
    try {
      return files.incoming();
    } catch (IOException e) {
      throw Uploads.notStored(e);
    }
  }

  private HttpResponse keep(
      Path incoming, String sha256, MessageDigest digest, @Nullable Throwable failure) {
    if (failure != null) {
      throw Uploads.failed(failure);
    }
    String actual = Sha256.hex(digest);
    if (!actual.equals(sha256)) {
      throw new ApiException(
          ApiError.of(
              400, "HASH_MISMATCH", "What came has the SHA-256 " + actual + ", not " + sha256));
    }
    try {
      files.keep(incoming, sha256);
    } catch (IOException e) {
      throw Uploads.notStored(e);
    }
    return stored(sha256);
  }
}
