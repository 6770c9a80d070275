package io.troupe.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Iterator;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Gives jobs to the pools of one scheduler. Thread-safe.
 *
 * <p>What it promises: {@link #submit} returns when the job is accepted, so it will be done, or end
 * with a cause. When the scheduler is away or takes no more, requests are repeated for as long as
 * the patience lasts; each submission has a key, so that being repeated does not make it two jobs.
 * Jobs run at least once; with {@code attempts = 1}, at most once. Arguments and results are what
 * Jackson makes of them, or {@code byte[]}, which go as they are.
 */
public final class TroupeClient implements AutoCloseable {
  private static final Duration CONNECT = Duration.ofSeconds(5);
  private static final Duration ANSWER = Duration.ofSeconds(30);
  private static final Duration WAIT = Duration.ofSeconds(20);
  private static final int ACCEPTED = 202;

  /**
   * Where and how.
   *
   * @param url such as {@code http://127.0.0.1:7070}
   * @param token what the scheduler asks for, if it does
   * @param patience how long requests are repeated
   * @param mapper makes JSON of arguments, and values of results
   */
  public record Settings(
      String url, Optional<String> token, Duration patience, ObjectMapper mapper) {

    /** From TROUPE_URL and TROUPE_TOKEN; without them, the scheduler of this machine. */
    public static Settings ofEnvironment() {
      return new Settings(
          Optional.ofNullable(System.getenv("TROUPE_URL")).orElse("http://127.0.0.1:7070"),
          Optional.ofNullable(System.getenv("TROUPE_TOKEN")),
          Duration.ofMinutes(1),
          new ObjectMapper());
    }

    /** The same with another address. */
    public Settings withUrl(String other) {
      return new Settings(other, token, patience, mapper);
    }

    /** The same with another patience. */
    public Settings withPatience(Duration other) {
      return new Settings(url, token, other, mapper);
    }
  }

  private final Settings settings;
  private final HttpClient http;
  private final Results results;

  /** Connects when it is first used. */
  public TroupeClient(Settings settings) {
    this.settings = settings;
    this.http =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT)
            .build();
    this.results = new Results(this);
  }

  /** The scheduler at this address, everything else as the environment says. */
  public static TroupeClient at(String url) {
    return new TroupeClient(Settings.ofEnvironment().withUrl(url));
  }

  // ---- jobs

  /** Calls a function of a pool with one argument; returns when the job is accepted. */
  public <R> Job<R> submit(String pool, String function, @Nullable Object argument, Class<R> type) {
    return submit(pool, function, argument, type, JobOptions.DEFAULT);
  }

  /** The same with options. */
  public <R> Job<R> submit(
      String pool, String function, @Nullable Object argument, Class<R> type, JobOptions options) {
    HttpResponse<byte[]> answer = send(submission(pool, function, argument, options, ""), "");
    return new Job<>(this, accepted(answer), type);
  }

  /** Calls a function and waits for its result: the shortest way for one job. */
  public <R> @Nullable R call(
      String pool, String function, @Nullable Object argument, Class<R> type) {
    return call(pool, function, argument, type, JobOptions.DEFAULT);
  }

  /** The same with options. */
  public <R> @Nullable R call(
      String pool, String function, @Nullable Object argument, Class<R> type, JobOptions options) {
    String wait = "&wait=" + WAIT.toSeconds() + "s";
    HttpResponse<byte[]> answer = send(submission(pool, function, argument, options, wait), "");
    if (answer.statusCode() == ACCEPTED) {
      return result(accepted(answer), type);
    }
    return value(answer, type);
  }

  /** The result of a job, waited for. */
  public <R> @Nullable R result(String id, Class<R> type) {
    while (true) {
      HttpResponse<byte[]> answer =
          send(request("/v1/jobs/" + encoded(id) + "/result?wait=" + WAIT.toSeconds() + "s"), id);
      if (answer.statusCode() != ACCEPTED) {
        return value(answer, type);
      }
    }
  }

  /** A job that was submitted some time ago, by this client or another. */
  public <R> Job<R> job(String id, Class<R> type) {
    return new Job<>(this, id, type);
  }

  /** The job as the API tells it. */
  public JsonNode status(String id) {
    return json(send(request("/v1/jobs/" + encoded(id)), id));
  }

  /**
   * Cancels a job, also while it runs.
   *
   * @return false when it had ended otherwise
   */
  public boolean cancel(String id) {
    JsonNode job = json(send(request("/v1/jobs/" + encoded(id)).DELETE(), id));
    return job.path("state").asText().equals("CANCELLED");
  }

  /**
   * Calls a function with each argument. Arguments are taken, by a thread of the map, no further
   * than some thousands beyond the last result that was taken; results come in the order in which
   * jobs end. Closing it cancels what has not ended.
   */
  public <R> MapResults<R> map(String pool, String function, Iterator<?> arguments, Class<R> type) {
    return map(pool, function, arguments, type, JobOptions.DEFAULT);
  }

  /** The same with options. */
  public <R> MapResults<R> map(
      String pool, String function, Iterator<?> arguments, Class<R> type, JobOptions options) {
    String path =
        "/v1/pools/" + encoded(pool) + "/map?function=" + encoded(function) + options.query();
    boolean again = options.attempts().orElse(2) > 1;
    return new MapResults<>(this, path, arguments, type, again);
  }

  /** Stops waiting; the jobs go on. */
  @Override
  public void close() {
    results.close();
  }

  // ---- what the others use

  Results results() {
    return results;
  }

  ObjectMapper mapper() {
    return settings.mapper();
  }

  Duration patience() {
    return settings.patience();
  }

  HttpClient http() {
    return http;
  }

  HttpRequest.Builder request(String path) {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(settings.url() + path));
    settings.token().ifPresent(token -> request.header("Authorization", "Bearer " + token));
    return request;
  }

  UnreachableException unreachable(IOException why) {
    return new UnreachableException(
        "no scheduler answers at " + settings.url() + " (" + why.getMessage() + ")", why);
  }

  /** Whether the scheduler asks to come again, and after which time. */
  static Optional<Duration> again(HttpResponse<?> answer) {
    int status = answer.statusCode();
    return status == 429 || status == 503
        ? Optional.of(
            Duration.ofSeconds(answer.headers().firstValueAsLong("Retry-After").orElse(0)))
        : Optional.empty();
  }

  // ---- requests

  private HttpRequest.Builder submission(
      String pool, String function, @Nullable Object argument, JobOptions options, String wait) {
    boolean bytes = argument instanceof byte[];
    byte[] body = argument instanceof byte[] raw ? raw : Values.json(mapper(), argument);
    String key = options.key().orElseGet(() -> UUID.randomUUID().toString());
    return request(
            "/v1/pools/%s/jobs?function=%s&id=%s%s%s"
                .formatted(encoded(pool), encoded(function), encoded(key), options.query(), wait))
        .header("Content-Type", bytes ? "application/octet-stream" : "application/json")
        .POST(BodyPublishers.ofByteArray(body));
  }

  private HttpResponse<byte[]> send(HttpRequest.Builder request, String job) {
    HttpRequest made = request.timeout(ANSWER.plus(WAIT)).build();
    Patience patience = new Patience(settings.patience());
    try {
      while (true) {
        try {
          HttpResponse<byte[]> answer = http.send(made, BodyHandlers.ofByteArray());
          Optional<Duration> later = again(answer);
          if (later.isEmpty() || !patience.pause(later.get())) {
            if (answer.statusCode() >= 400) {
              throw Values.failure(mapper(), job, answer.statusCode(), answer.body());
            }
            return answer;
          }
        } catch (IOException e) {
          if (!patience.pause(Duration.ZERO)) {
            throw unreachable(e);
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UnreachableException("interrupted while waiting for the scheduler", e);
    }
  }

  private String accepted(HttpResponse<byte[]> answer) {
    return json(answer).path("id").asText();
  }

  private JsonNode json(HttpResponse<byte[]> answer) {
    try {
      return mapper().readTree(answer.body());
    } catch (IOException e) {
      throw new RefusedException(
          answer.statusCode(), "", "the answer is not JSON: is it a scheduler's?");
    }
  }

  private <R> @Nullable R value(HttpResponse<byte[]> answer, Class<R> type) {
    boolean json =
        answer.headers().firstValue("Content-Type").orElse("").startsWith("application/json");
    if (!json) {
      return type.cast(answer.body());
    }
    try {
      return mapper().readValue(answer.body(), type);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "a result that is no " + type.getSimpleName() + ": " + e.getMessage(), e);
    }
  }

  static String encoded(String text) {
    return URLEncoder.encode(text, UTF_8).replace("+", "%20");
  }
}
