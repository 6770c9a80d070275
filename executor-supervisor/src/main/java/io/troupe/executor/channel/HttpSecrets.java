package io.troupe.executor.channel;

import io.troupe.executor.http.PlainHttp;
import io.troupe.protocol.SchedulerToSupervisor.SecretsAt;
import io.troupe.protocol.TaskData;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Secrets by way of the scheduler's HTTP, each fetched once and then kept in memory, so that
 * processes can be started again while no scheduler is there. Thread-safe.
 */
public final class HttpSecrets {
  private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(5);
  private static final long PAUSE_MILLIS = 200;
  private static final int NOT_FOUND = 404;

  private final Duration patience;
  private final Map<TaskData.Secret, byte[]> known = new HashMap<>();
  private @Nullable SecretsAt place;

  /** Completed when the place changes. */
  private CompletableFuture<Void> news = new CompletableFuture<>();

  private final HttpClient client = PlainHttp.client(REQUEST_TIMEOUT);

  /**
   * @param patience how long a secret is waited for
   */
  public HttpSecrets(Duration patience) {
    this.patience = patience;
  }

  /** From now on they are there. */
  public synchronized void at(SecretsAt newPlace) {
    place = newPlace;
    news.complete(null);
    news = new CompletableFuture<>();
  }

  /**
   * The secret; waits for the scheduler to say where it is, and for it to answer.
   *
   * @param wanted whether it is still worth waiting; asked a few times a second
   * @throws IOException when it cannot be had; the message is for people
   */
  public byte[] fetch(TaskData.Secret secret, BooleanSupplier wanted) throws IOException {
    long end = System.nanoTime() + patience.toNanos();
    String why = "no scheduler has said where it is";
    while (wanted.getAsBoolean() && System.nanoTime() < end) {
      SecretsAt at;
      CompletableFuture<Void> change;
      synchronized (this) {
        byte[] content = known.get(secret);
        if (content != null) {
          return content;
        }
        at = place;
        change = news;
      }
      if (at != null) {
        try {
          why = ask(at, secret);
        } catch (IOException e) {
          why = "the scheduler does not answer: " + e.getMessage();
        }
      }
      if (!why.isEmpty()) {
        pause(change);
      }
    }
    throw new IOException("secret " + secret.name() + " cannot be had: " + why);
  }

  /** Whatever the scheduler says next may be better. */
  private static void pause(CompletableFuture<Void> change) throws IOException {
    try {
      change.get(PAUSE_MILLIS, TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      return; // asked again
    } catch (ExecutionException e) {
      throw new IllegalStateException("it never fails", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /** Why it did not come; empty when it did. */
  private String ask(SecretsAt at, TaskData.Secret secret) throws IOException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(at.url() + "/" + secret.name() + "/" + secret.version()))
            .timeout(REQUEST_TIMEOUT)
            .header("Authorization", "Bearer " + at.token())
            .build();
    try {
      HttpResponse<byte[]> answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
      if (answer.statusCode() == NOT_FOUND) {
        return "the scheduler has it no more, or in another version: apply the pool again";
      }
      if (answer.statusCode() != 200) {
        return "the scheduler answered " + answer.statusCode();
      }
      synchronized (this) {
        known.put(secret, answer.body());
      }
      return "";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
