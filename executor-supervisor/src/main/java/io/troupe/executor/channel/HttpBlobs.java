package io.troupe.executor.channel;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.executor.http.PlainHttp;
import io.troupe.executor.supervision.Blobs;
import io.troupe.model.BlobRef;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Fetches and brings blobs over HTTP, streamed from and to files. */
public final class HttpBlobs implements Blobs {
  private static final Logger log = LoggerFactory.getLogger(HttpBlobs.class);
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

  private final Path folder;
  private final Duration patience;
  private volatile String url = "";
  private final HttpClient client = PlainHttp.client(CONNECT_TIMEOUT);

  /**
   * @param folder where the files are, on one file system with those that processes write
   * @param patience how long one transfer may take
   */
  public HttpBlobs(Path folder, Duration patience) throws IOException {
    this.folder = folder;
    this.patience = patience;
    Files.createDirectories(folder);
  }

  @Override
  public void at(String newUrl) {
    url = newUrl;
  }

  /**
   * A file that only who is on the scheduler's machine can see, in the folder where the scheduler
   * keeps blobs; empty when it does not say.
   */
  CompletionStage<Optional<Path>> mark() {
    return client
        .sendAsync(
            HttpRequest.newBuilder(URI.create(url)).timeout(CONNECT_TIMEOUT).build(),
            HttpResponse.BodyHandlers.ofByteArray())
        .handle(
            (answer, failure) -> {
              try {
                return answer == null || answer.statusCode() != 200
                    ? Optional.empty()
                    : Optional.of(Path.of(MAPPER.readTree(answer.body()).path("mark").asText()));
              } catch (IOException | InvalidPathException e) {
                return Optional.empty();
              }
            });
  }

  @Override
  public CompletionStage<Path> fetch(String job, BlobRef ref) {
    Path file = folder.resolve("in-" + UUID.randomUUID());
    HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/" + ref.name())).build();
    return client
        .sendAsync(request, answer -> whenFound(answer, file))
        .orTimeout(patience.toMillis(), TimeUnit.MILLISECONDS)
        .thenApply(answer -> checked(answer.statusCode(), file, ref))
        .whenComplete(
            (done, failure) -> {
              if (failure != null) {
                remove(file);
              }
            });
  }

  private static HttpResponse.BodySubscriber<Path> whenFound(
      HttpResponse.ResponseInfo answer, Path file) {
    return answer.statusCode() == 200
        ? HttpResponse.BodySubscribers.ofFile(file)
        : HttpResponse.BodySubscribers.replacing(file);
  }

  private static Path checked(int status, Path file, BlobRef ref) {
    try {
      if (status != 200) {
        throw new IOException("the scheduler answered " + status);
      }
      if (Files.size(file) != ref.size()) {
        throw new IOException(Files.size(file) + " bytes came of " + ref.size());
      }
      return file;
    } catch (IOException e) {
      throw new CompletionException(e);
    }
  }

  @Override
  public CompletionStage<BlobRef> bring(String job, Path file) {
    try {
      // Its process may end, and what it has left behind is removed then.
      Path mine = Files.move(file, folder.resolve("out-" + UUID.randomUUID()));
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(url + "?job=" + job))
              .header("Content-Type", "application/octet-stream")
              .POST(HttpRequest.BodyPublishers.ofFile(mine))
              .build();
      return client
          .sendAsync(request, HttpResponse.BodyHandlers.ofByteArray())
          .orTimeout(patience.toMillis(), TimeUnit.MILLISECONDS)
          .thenApply(HttpBlobs::stored)
          .whenComplete((done, failure) -> remove(mine));
    } catch (IOException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  private static BlobRef stored(HttpResponse<byte[]> answer) {
    try {
      JsonNode body = MAPPER.readTree(answer.body());
      if (answer.statusCode() != 200) {
        throw new IOException(
            "the scheduler answered "
                + answer.statusCode()
                + " "
                + body.path("error").path("message").asText());
      }
      return new BlobRef(body.path("name").asText(), body.path("size").asLong());
    } catch (IOException e) {
      throw new CompletionException(e);
    }
  }

  @Override
  public void remove(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      log.warn("{} could not be deleted: {}", file, e.getMessage());
    }
  }
}
