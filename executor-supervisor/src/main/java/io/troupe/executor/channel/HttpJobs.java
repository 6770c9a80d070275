package io.troupe.executor.channel;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.executor.http.PlainHttp;
import io.troupe.model.ContentType;
import io.troupe.protocol.codec.Frame;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Jobs for a server that speaks HTTP: one POST a job to {@code /FUNCTION} on its port, so many at
 * once as the pool says. A 2xx answer is the result, 503 means that it is too early, any other is a
 * failure with the answer's text. No call blocks; any thread.
 */
public final class HttpJobs {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration CHECK_TIMEOUT = Duration.ofSeconds(2);
  private static final int MAX_MESSAGE = 1000;
  private static final int BUSY = 503;

  /** The first pause before a request is repeated; doubled each time, to at most the last. */
  private static final long FIRST_PAUSE_MILLIS = 50;

  private static final long LAST_PAUSE_MILLIS = 1000;

  /**
   * A connection that breaks mostly means that the server's process ends, of which is known a
   * little later: that says what has become of its jobs, a broken connection does not.
   */
  private static final long END_IS_KNOWN_MILLIS = 2000;

  private final HttpClient client = PlainHttp.client(CONNECT_TIMEOUT);
  private final int port;
  private final int maxResultBytes;
  private final Consumer<List<Frame>> answers;
  private final Deque<Frame> waiting = new ArrayDeque<>();
  private final Map<Long, CompletableFuture<HttpResponse<byte[]>>> running = new HashMap<>();
  private final Set<Long> interrupted = new HashSet<>();
  private final int width;
  private long begun;

  /**
   * @param port of the server, on this machine
   * @param maxResultBytes a longer answer fails its job
   * @param width how many requests there may be at once
   * @param answers told of each RESULT and ERROR as they come; must not block
   */
  public HttpJobs(int port, int maxResultBytes, int width, Consumer<List<Frame>> answers) {
    this.port = port;
    this.width = width;
    this.maxResultBytes = maxResultBytes;
    this.answers = answers;
  }

  /** Takes jobs. */
  public synchronized void send(List<Frame> jobs) {
    waiting.addAll(jobs);
    next();
  }

  /** Id of the job that was begun last; 0 when none was. */
  public synchronized long begun() {
    return begun;
  }

  /** Gives up waiting for the answer to this job, if it runs. */
  public synchronized void interrupt(long id) {
    CompletableFuture<HttpResponse<byte[]>> call = running.get(id);
    if (call != null) {
      // Noted first: the client may fail the call as broken off before the call counts as
      // cancelled.
      interrupted.add(id);
      call.cancel(true);
    }
  }

  /** Whether no job runs. */
  public synchronized boolean isIdle() {
    return running.isEmpty();
  }

  /** Whether a GET of this path is answered with 2xx, soon. */
  public CompletableFuture<Boolean> check(String path) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
            .timeout(CHECK_TIMEOUT)
            .GET()
            .build();
    return client
        .sendAsync(request, HttpResponse.BodyHandlers.discarding())
        .handle((response, error) -> response != null && response.statusCode() / 100 == 2);
  }

  private void next() {
    while (running.size() < width && !waiting.isEmpty()) {
      begin(waiting.removeFirst());
    }
  }

  private void begin(Frame job) {
    begun = job.id();
    HttpRequest request =
        HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + port + "/" + URLEncoder.encode(job.name(), UTF_8)))
            .header("Content-Type", job.content().mediaType())
            .POST(body(job))
            .build();
    request(job, request, FIRST_PAUSE_MILLIS);
  }

  private void request(Frame job, HttpRequest request, long pause) {
    CompletableFuture<HttpResponse<byte[]>> call =
        client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray());
    running.put(job.id(), call);
    CompletableFuture<Void> unused =
        call.handle(
            (response, error) -> {
              if (response != null && response.statusCode() == BUSY && isWanted(job)) {
                CompletableFuture.delayedExecutor(pause, TimeUnit.MILLISECONDS)
                    .execute(() -> again(job, request, pause));
              } else if (response == null && isWanted(job)) {
                // The slot stays taken: what waits must not be tried on a server that is no more.
                CompletableFuture.delayedExecutor(END_IS_KNOWN_MILLIS, TimeUnit.MILLISECONDS)
                    .execute(() -> done(job, answer(job, null, error)));
              } else {
                done(job, answer(job, response, error));
              }
              return null;
            });
  }

  private synchronized boolean isWanted(Frame job) {
    return !interrupted.contains(job.id());
  }

  /** Until the job's time is over, which is others' business. */
  private synchronized void again(Frame job, HttpRequest request, long pause) {
    if (isWanted(job)) {
      request(job, request, Math.min(LAST_PAUSE_MILLIS, 2 * pause));
    } else {
      done(job, error(job, "cancelled", "cancelled"));
    }
  }

  private static HttpRequest.BodyPublisher body(Frame job) {
    if (!job.content().isBlob()) {
      return HttpRequest.BodyPublishers.ofByteArray(job.payload());
    }
    try {
      return HttpRequest.BodyPublishers.ofFile(Path.of(new String(job.payload(), UTF_8)));
    } catch (FileNotFoundException e) {
      throw new UncheckedIOException(e);
    }
  }

  private synchronized void done(Frame job, Frame answer) {
    answers.accept(List.of(answer)); // before the next one begins, whose answer may be quick
    running.remove(job.id());
    interrupted.remove(job.id());
    next();
  }

  private synchronized Frame answer(
      Frame job, @Nullable HttpResponse<byte[]> response, @Nullable Throwable error) {
    if ((response == null || response.statusCode() == BUSY) && !isWanted(job)) {
      return error(job, "cancelled", "cancelled");
    }
    if (response == null) {
      return error(job, "raised", "the server did not answer: " + error);
    }
    byte[] body = response.body();
    if (response.statusCode() / 100 != 2) {
      String text = new String(body, UTF_8);
      String start = text.substring(0, Math.min(MAX_MESSAGE, text.length())).strip();
      return error(job, "raised", "status " + response.statusCode() + " " + start);
    }
    if (body.length > maxResultBytes) {
      return error(
          job,
          "raised",
          "the result of " + body.length + " bytes is over the limit of " + maxResultBytes);
    }
    String type = response.headers().firstValue("Content-Type").orElse("");
    ContentType content =
        type.startsWith(ContentType.JSON.mediaType()) ? ContentType.JSON : ContentType.BYTES;
    return new Frame(Frame.Type.RESULT, content, job.id(), "", body);
  }

  private static Frame error(Frame job, String kind, String message) {
    try {
      byte[] body =
          MAPPER.writeValueAsBytes(
              Map.of("type", "HttpError", "message", message, "traceback", List.of()));
      return new Frame(Frame.Type.ERROR, ContentType.JSON, job.id(), kind, body);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
  }
}
