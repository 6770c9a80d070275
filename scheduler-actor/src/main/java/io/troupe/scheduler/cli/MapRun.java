package io.troupe.scheduler.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Sends every line of an input as a job and writes every result as a line, both at the same time:
 * neither needs to fit into memory, and a slow reader of results slows the sending.
 */
final class MapRun {
  private static final Duration QUIET = Duration.ofSeconds(15);
  private static final Duration PATIENCE = Duration.ofSeconds(45);

  private final SchedulerClient scheduler;
  private final Terminal terminal;
  private final String pool;
  private final String function;
  private final AtomicLong lastResultNanos = new AtomicLong(System.nanoTime());
  private final AtomicReference<@Nullable Failure> broken = new AtomicReference<>();
  private volatile boolean over;
  private String firstError = "";

  MapRun(SchedulerClient scheduler, Terminal terminal, String pool, String function) {
    this.scheduler = scheduler;
    this.terminal = terminal;
    this.pool = pool;
    this.function = function;
  }

  /**
   * Runs until every job has ended.
   *
   * @param input lines of JSON; null is standard input
   * @param output gets a line for each job in the order in which they end; null is standard output
   * @return the exit code: 1 if a job failed
   */
  int run(@Nullable Path input, @Nullable Path output) {
    Progress progress = new Progress(terminal, input == null ? -1 : jobsIn(input));
    URI address =
        URI.create(
            scheduler.url()
                + "/v1/pools/"
                + SchedulerClient.encode(pool)
                + "/map?function="
                + SchedulerClient.encode(function));
    try (InputStream lines = input == null ? System.in : Files.newInputStream(input);
        DuplexCall call = open(address);
        OutputStream results = output == null ? terminal.out() : Files.newOutputStream(output)) {
      daemon("map-input", () -> send(lines, call));
      daemon("map-stall", () -> watch(call));
      receive(call, address, results, progress);
    } catch (IOException e) {
      progress.clear();
      Failure reason = broken.get();
      throw reason != null
          ? reason
          : Failure.of(
              "the map broke off after %,d results (%s): is the scheduler up? 'bin/troupe local status'"
                  .formatted(progress.done(), e.getMessage()));
    } finally {
      over = true;
    }
    progress.finish();
    if (progress.failed() > 0) {
      throw Failure.of(
          "%,d of %,d jobs failed; the first: %s"
              .formatted(progress.failed(), progress.done(), firstError));
    }
    return 0;
  }

  private DuplexCall open(URI address) throws IOException {
    try {
      return DuplexCall.open(address, "application/x-ndjson", scheduler.token());
    } catch (ConnectException e) {
      scheduler.get("/v1/pools"); // says it in the words of every other command
      throw e;
    }
  }

  private static long jobsIn(Path input) {
    long count = 0;
    try (InputStream in = new BufferedInputStream(Files.newInputStream(input), 1 << 16)) {
      boolean blank = true;
      for (int next = in.read(); next >= 0; next = in.read()) {
        if (next == '\n') {
          count += blank ? 0 : 1;
          blank = true;
        } else if (next != ' ' && next != '\t' && next != '\r') {
          blank = false;
        }
      }
      return blank ? count : count + 1;
    } catch (IOException e) {
      throw Failure.of(
          "cannot read the input " + input + ": name a file with one JSON value a line");
    }
  }

  private void send(InputStream input, DuplexCall call) {
    try (OutputStream body = call.body();
        BufferedInputStream lines = new BufferedInputStream(input, 1 << 16)) {
      ByteArrayOutputStream line = new ByteArrayOutputStream();
      boolean blank = true;
      for (int next = lines.read(); next >= 0; next = lines.read()) {
        line.write(next);
        if (next == '\n') {
          if (!blank) {
            line.writeTo(body);
          }
          line.reset();
          blank = true;
          if (lines.available() == 0) {
            body.flush();
          }
        } else if (next != ' ' && next != '\t' && next != '\r') {
          blank = false;
        }
      }
      if (!blank) {
        line.write('\n');
        line.writeTo(body);
      }
    } catch (IOException e) {
      // The other side stopped reading; what it answered says why, and is read by the main thread.
    }
  }

  private void receive(DuplexCall call, URI address, OutputStream out, Progress progress)
      throws IOException {
    DuplexCall.Answer answer = call.answer();
    if (answer.status() >= 400) {
      String body = new String(answer.body().readAllBytes(), StandardCharsets.UTF_8);
      throw SchedulerClient.refused(answer.status(), address.getPath(), body);
    }
    BufferedReader results =
        new BufferedReader(new InputStreamReader(answer.body(), StandardCharsets.UTF_8), 1 << 16);
    OutputStream buffered = new BufferedOutputStream(out, 1 << 16);
    for (String line = results.readLine(); line != null; line = results.readLine()) {
      if (line.isBlank()) {
        continue;
      }
      lastResultNanos.set(System.nanoTime());
      progress.advance(succeeded(line));
      buffered.write(line.getBytes(StandardCharsets.UTF_8));
      buffered.write('\n');
      if (!results.ready()) {
        buffered.flush();
      }
    }
    buffered.flush();
  }

  private boolean succeeded(String line) {
    try {
      JsonNode result = Terminal.JSON.readTree(line);
      if (result.has("error") && !result.has("index")) {
        throw SchedulerClient.refused(503, pool, line);
      }
      if (result.has("error") && firstError.isEmpty()) {
        JsonNode error = result.path("error");
        firstError =
            "line %d: %s"
                .formatted(
                    result.path("index").asLong() + 1,
                    SchedulerClient.firstLine(
                        error.isTextual() ? error.asText() : error.path("message").asText()));
      }
      return !result.has("error");
    } catch (JsonProcessingException e) {
      throw Failure.of("the scheduler sent a result that is not JSON: " + line);
    }
  }

  /** Looks after a pool that gives no results for a while. */
  private void watch(DuplexCall call) {
    StallCheck stall = new StallCheck(scheduler, pool, PATIENCE);
    while (!over) {
      pause(Duration.ofSeconds(5));
      if (System.nanoTime() - lastResultNanos.get() < QUIET.toNanos()) {
        continue;
      }
      try {
        stall.check();
      } catch (Failure noWorkers) {
        broken.set(noWorkers);
        try {
          call.close();
        } catch (IOException closedAnyway) {
          // Nothing left to end.
        }
        return;
      }
    }
  }

  static void pause(Duration time) {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException e) {
      throw Failure.of("interrupted");
    }
  }

  private static void daemon(String name, Runnable work) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
  }
}
