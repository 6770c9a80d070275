package io.troupe.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The ends of jobs that somebody waits for, any number of them over a few connections: each asks
 * for many jobs and tells each as it ends. When there are too many connections, all are closed and
 * one asks for what is left; when one breaks, what it has not told is asked for again. Thread-safe.
 */
final class Results {
  private static final int CONNECTIONS = 4;

  /** Somebody who waits. */
  private record Waiting(CompletableFuture<JsonNode> end) {}

  private final TroupeClient client;
  private final Map<String, Waiting> waiting = new HashMap<>();
  private List<String> fresh = new ArrayList<>();
  private final List<Listener> listeners = new ArrayList<>();
  private @Nullable Thread opener;
  private boolean closed;

  Results(TroupeClient client) {
    this.client = client;
  }

  /** The end of a job. */
  synchronized <R> CompletableFuture<R> of(String id, Class<R> type) {
    if (closed) {
      throw new IllegalStateException("the client is closed");
    }
    Waiting one = waiting.get(id);
    if (one == null) {
      one = new Waiting(new CompletableFuture<>());
      waiting.put(id, one);
      fresh.add(id);
      if (opener == null) {
        opener = daemon(this::open, "troupe-results");
      }
      notifyAll();
    }
    return one.end()
        .thenApply(
            line -> {
              if (line.has("error")) {
                throw Values.failure(id, 404, line.path("error"));
              }
              return Values.result(client.mapper(), line, type);
            });
  }

  static Thread daemon(Runnable work, String name) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  /** Opens a connection for those that have come since the last one. */
  private void open() {
    try {
      while (true) {
        Listener listener;
        synchronized (this) {
          while (fresh.isEmpty() && !closed) {
            wait();
          }
          if (closed) {
            return;
          }
          if (listeners.size() >= CONNECTIONS) {
            listeners.forEach(Listener::close);
            listeners.clear();
            fresh = new ArrayList<>(waiting.keySet());
          }
          listener = new Listener(fresh);
          fresh = new ArrayList<>();
          listeners.add(listener);
        }
        daemon(listener::listen, "troupe-results");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized void onEnd(String id, JsonNode line) {
    Waiting one = waiting.remove(id);
    if (one != null) {
      one.end().complete(line);
    }
  }

  private void fail(List<String> ids, TroupeException why) {
    for (String id : ids) {
      Waiting one;
      synchronized (this) {
        one = waiting.remove(id);
      }
      if (one != null) {
        one.end().completeExceptionally(why);
      }
    }
  }

  private synchronized List<String> stillWaiting(List<String> ids) {
    return ids.stream().filter(waiting::containsKey).toList();
  }

  synchronized void close() {
    closed = true;
    notifyAll();
    listeners.forEach(Listener::close);
    listeners.clear();
  }

  /** One connection. */
  private final class Listener {
    private final List<String> ids;
    private @Nullable InputStream stream;
    private boolean over;

    Listener(List<String> ids) {
      this.ids = List.copyOf(ids);
    }

    void listen() {
      Patience patience = new Patience(client.patience());
      try {
        List<String> left = stillWaiting(ids);
        while (!left.isEmpty() && !isOver()) {
          Duration pause = Duration.ZERO;
          IOException broken = new IOException("it ended before its last result");
          try {
            pause = ask(left, patience);
          } catch (IOException e) {
            broken = e;
          }
          left = stillWaiting(left);
          if (!left.isEmpty() && !isOver() && !patience.pause(pause)) {
            fail(left, client.unreachable(broken));
          }
        }
      } catch (TroupeException e) {
        fail(ids, e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } finally {
        synchronized (Results.this) {
          listeners.remove(this);
        }
      }
    }

    private Duration ask(List<String> left, Patience patience)
        throws IOException, InterruptedException {
      StringBuilder body = new StringBuilder();
      left.forEach(id -> body.append('"').append(id).append("\"\n"));
      HttpResponse<InputStream> answer =
          client
              .http()
              .send(
                  client
                      .request("/v1/jobs/results")
                      .header("Content-Type", "application/x-ndjson")
                      .POST(BodyPublishers.ofString(body.toString()))
                      .build(),
                  BodyHandlers.ofInputStream());
      try (InputStream in = answer.body()) {
        if (answer.statusCode() >= 400) {
          Optional<Duration> later = TroupeClient.again(answer);
          if (later.isPresent()) {
            return later.get();
          }
          throw Values.failure(client.mapper(), "", answer.statusCode(), in.readAllBytes());
        }
        opened(in);
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        String line;
        while ((line = lines.readLine()) != null) {
          if (!line.isBlank()) {
            patience.over();
            JsonNode end = client.mapper().readTree(line);
            onEnd(left.get(end.path("index").asInt()), end);
          }
        }
      }
      return Duration.ZERO;
    }

    private void opened(InputStream in) throws IOException {
      synchronized (Results.this) {
        stream = in;
        if (over) {
          in.close();
        }
      }
    }

    private boolean isOver() {
      synchronized (Results.this) {
        return over;
      }
    }

    /** Others go on with what it has not told. */
    void close() {
      over = true;
      if (stream != null) {
        try {
          stream.close();
        } catch (IOException e) {
          // It is over either way.
        }
      }
    }
  }
}
