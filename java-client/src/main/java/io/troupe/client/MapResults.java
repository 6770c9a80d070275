package io.troupe.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The results of a map, in the order in which its jobs end. Arguments travel in requests of some
 * hundred each, several at a time, and each result comes as soon as its job has ended; both ways
 * wait for the slower side. When a connection breaks, what it has not answered is sent again,
 * unless its jobs have one attempt. One thread takes results; any may close it.
 */
public final class MapResults<R> implements Iterator<MapResult<R>>, AutoCloseable {
  private static final int LANES = 6;
  private static final int WINDOW = 8192;
  private static final int LINES = 512;
  private static final long BYTES = 512 << 10;
  private static final long WINDOW_BYTES = 16 << 20;

  /** An argument on its way. */
  private static final class Line {
    final long index;
    final byte[] json;

    Line(long index, byte[] json) {
      this.index = index;
      this.json = json;
    }
  }

  private final TroupeClient client;
  private final String path;
  private final Class<R> type;
  private final boolean again;

  private final ArrayDeque<Line> unsent = new ArrayDeque<>();
  private final ArrayDeque<MapResult<R>> come = new ArrayDeque<>();
  private final List<InputStream> streams = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private long unsentBytes;
  private long pulled;
  private long answered;
  private long taken;
  private boolean allPulled;
  private boolean closed;
  private @Nullable RuntimeException broken;

  MapResults(
      TroupeClient client, String path, Iterator<?> arguments, Class<R> type, boolean again) {
    this.client = client;
    this.path = path;
    this.type = type;
    this.again = again;
    threads.add(Results.daemon(() -> pull(arguments), "troupe-map-pull"));
    for (int lane = 0; lane < LANES; lane++) {
      threads.add(Results.daemon(this::send, "troupe-map-send"));
    }
  }

  // ---- whoever takes results

  /**
   * Waits for the next result.
   *
   * @throws TroupeException when the map cannot go on; what the iterator of arguments throws comes
   *     here as well
   */
  @Override
  public synchronized boolean hasNext() {
    while (come.isEmpty()) {
      if (broken != null) {
        throw broken;
      }
      if (closed || (allPulled && answered == pulled)) {
        return false;
      }
      try {
        wait();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new UnreachableException("interrupted while waiting for a map", e);
      }
    }
    return true;
  }

  @Override
  public synchronized MapResult<R> next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the map has no further result");
    }
    taken++;
    if (taken % (WINDOW / 8) == 0 || taken == pulled) {
      notifyAll();
    }
    return come.remove();
  }

  /** Cancels what has not ended. */
  @Override
  public synchronized void close() {
    closed = true;
    come.clear();
    unsent.clear();
    for (InputStream stream : streams) {
      try {
        stream.close();
      } catch (IOException e) {
        // It is over either way.
      }
    }
    threads.forEach(Thread::interrupt);
    notifyAll();
  }

  private synchronized void fail(RuntimeException why) {
    if (broken == null && !closed) {
      broken = why;
    }
    unsent.clear();
    notifyAll();
  }

  // ---- the thread that takes arguments

  private void pull(Iterator<?> arguments) {
    try {
      while (arguments.hasNext()) {
        byte[] json = Values.json(client.mapper(), arguments.next());
        synchronized (this) {
          while (!isOver() && (pulled - taken >= WINDOW || unsentBytes > WINDOW_BYTES)) {
            wait();
          }
          if (isOver()) {
            return;
          }
          unsent.add(new Line(pulled++, json));
          unsentBytes += json.length;
          if (unsent.size() == 1 || unsent.size() % LINES == 0) {
            notifyAll();
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      fail(e);
    } finally {
      synchronized (this) {
        allPulled = true;
        notifyAll();
      }
    }
  }

  private boolean isOver() {
    return closed || broken != null;
  }

  // ---- the threads that send

  private void send() {
    try {
      while (true) {
        List<Line> batch = batch();
        if (batch.isEmpty()) {
          return;
        }
        run(batch);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      fail(e);
    }
  }

  /** What waits to be sent, as far as one request goes; empty when there will be nothing more. */
  private synchronized List<Line> batch() throws InterruptedException {
    while (unsent.isEmpty() && !allPulled && !isOver()) {
      wait();
    }
    List<Line> batch = new ArrayList<>();
    long bytes = 0;
    while (!isOver() && !unsent.isEmpty() && batch.size() < LINES && bytes < BYTES) {
      Line line = unsent.remove();
      batch.add(line);
      bytes += line.json.length;
    }
    unsentBytes -= bytes;
    notifyAll();
    return batch;
  }

  private void run(List<Line> all) throws InterruptedException {
    Patience patience = new Patience(client.patience());
    List<Line> left = all;
    while (!left.isEmpty()) {
      Duration pause = Duration.ZERO;
      IOException why = new IOException("the map ended before its last result");
      List<Line> sent = left;
      @Nullable Line[] open = sent.toArray(new Line[0]);
      boolean begun = true;
      try {
        Optional<Duration> later = ask(sent, open, patience);
        begun = later.isEmpty();
        pause = later.orElse(Duration.ZERO);
      } catch (IOException e) {
        why = e;
      }
      left = new ArrayList<>();
      for (Line line : open) {
        if (line != null) {
          left.add(line);
        }
      }
      synchronized (this) {
        if (isOver()) {
          return;
        }
      }
      if (!left.isEmpty() && begun && !again) {
        throw new UnreachableException(
            "the scheduler went away while a map ran whose jobs have one attempt: some may have"
                + " run",
            why);
      }
      if (!left.isEmpty() && !patience.pause(pause)) {
        throw client.unreachable(why);
      }
    }
  }

  /**
   * One request.
   *
   * @param open gets null where a result has come
   * @return when to ask again, if the scheduler has taken nothing
   */
  private Optional<Duration> ask(List<Line> lines, @Nullable Line[] open, Patience patience)
      throws IOException, InterruptedException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (Line line : lines) {
      body.write(line.json);
      body.write('\n');
    }
    HttpResponse<InputStream> answer =
        client
            .http()
            .send(
                client
                    .request(path)
                    .header("Content-Type", "application/x-ndjson")
                    .POST(BodyPublishers.ofByteArray(body.toByteArray()))
                    .build(),
                BodyHandlers.ofInputStream());
    InputStream in = answer.body();
    try {
      if (answer.statusCode() >= 400) {
        Optional<Duration> later = TroupeClient.again(answer);
        if (later.isEmpty()) {
          throw Values.failure(client.mapper(), "", answer.statusCode(), in.readAllBytes());
        }
        return later;
      }
      synchronized (this) {
        streams.add(in);
        if (closed) {
          in.close();
        }
      }
      take(in, lines, open, patience);
      return Optional.empty();
    } finally {
      synchronized (this) {
        streams.remove(in);
      }
      in.close();
    }
  }

  private void take(InputStream in, List<Line> lines, @Nullable Line[] open, Patience patience)
      throws IOException {
    BufferedReader reader =
        new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8), 1 << 16);
    List<MapResult<R>> results = new ArrayList<>();
    try {
      String text;
      while ((text = reader.readLine()) != null) {
        if (text.isBlank()) {
          continue;
        }
        JsonNode line = client.mapper().readTree(text);
        int at = line.path("index").asInt();
        results.add(result(lines.get(at).index, line));
        open[at] = null;
        // What has come by now goes over at once: one lock for many results.
        if (results.size() >= LINES || !reader.ready()) {
          hand(results);
          results.clear();
          patience.over();
        }
      }
    } finally {
      hand(results);
    }
  }

  private synchronized void hand(List<MapResult<R>> results) {
    if (!closed) {
      come.addAll(results);
      answered += results.size();
      notifyAll();
    }
  }

  private MapResult<R> result(long index, JsonNode line) {
    String id = line.path("id").asText();
    if (line.has("error")) {
      TroupeException failure = Values.failure(id, 200, line.path("error"));
      if (failure instanceof JobFailedException failed) {
        return new MapResult<>(index, id, null, failed);
      }
      throw failure;
    }
    return new MapResult<>(index, id, Values.result(client.mapper(), line, type), null);
  }
}
