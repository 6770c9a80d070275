package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.scheduler.jobs.FakeSupervisor;
import io.troupe.scheduler.jobs.QueueCounts;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class MapBackpressureTest {
  private static final int JOBS = 20_000;
  private static final int LINE = 10_000;
  private static final long MAP_BYTES = 1 << 20;

  @Test
  void a_client_that_does_not_read_stops_being_read_and_gets_everything_when_it_does(
      @TempDir Path folder) throws Exception {
    try (RunningApi api = RunningApi.start("troupe.api.map-bytes = 1 MiB", folder)) {
      apply(api, "name = echo");
      api.spawn(
          FakeSupervisor.create(
              new FakeSupervisor.Identity("echo", "echo-1", "agent-1", 64), FakeSupervisor::echo),
          "fake");
      AtomicLong sent = new AtomicLong();
      try (MapClient client = new MapClient(api.port(), "echo")) {
        Thread sender = new Thread(() -> send(client, sent));
        sender.start();
        Eventually.holds(() -> stalled(sent, sender));
        long read = sent.get();
        assertThat(read)
            .as("what has been read without being asked for results")
            .isLessThan(JOBS / 2);
        QueueCounts counts = api.directory().ofPool("echo").orElseThrow().counts();
        assertThat(counts.bytes()).isLessThanOrEqualTo(MAP_BYTES + LINE);
        assertThat(client.readLines(JOBS)).isEqualTo(JOBS);
        sender.join();
      }
      assertThat(api.directory().ofPool("echo").orElseThrow().counts().succeeded()).isEqualTo(JOBS);
    }
  }

  @Test
  void no_more_jobs_of_a_map_are_under_way_than_told(@TempDir Path folder) throws Exception {
    try (RunningApi api = RunningApi.start("troupe.api.map-jobs = 100", folder)) {
      apply(api, "name = idle");
      try (MapClient client = new MapClient(api.port(), "idle")) {
        byte[] lines = "1\n".repeat(500).getBytes(StandardCharsets.US_ASCII);
        client.send(lines, lines.length);
        Eventually.holds(() -> counts(api, "idle").queued() == 100);
        api.spawn(
            FakeSupervisor.create(
                new FakeSupervisor.Identity("idle", "idle-1", "agent-1", 7), FakeSupervisor::echo),
            "fake");
        client.sendEnd();
        assertThat(client.readLines(500)).isEqualTo(500);
      }
    }
  }

  @Test
  void a_client_that_leaves_while_his_lines_wait_for_room_takes_along_what_is_under_way(
      @TempDir Path folder) throws Exception {
    try (RunningApi api = RunningApi.start("troupe.api.map-jobs = 100", folder)) {
      apply(api, "name = left");
      try (MapClient client = new MapClient(api.port(), "left")) {
        byte[] lines = "1\n".repeat(500).getBytes(StandardCharsets.US_ASCII);
        client.send(lines, lines.length);
        Eventually.holds(() -> counts(api, "left").queued() == 100);
      }
      Eventually.holds(() -> counts(api, "left").cancelled() == 100);
      assertThat(counts(api, "left").queued()).isZero();
    }
  }

  @Test
  void a_map_waits_for_room_in_a_full_queue(@TempDir Path folder) throws Exception {
    try (RunningApi api = RunningApi.start("troupe.jobs.max-queued = 10", folder)) {
      apply(api, "name = small");
      api.spawn(
          FakeSupervisor.create(
              new FakeSupervisor.Identity("small", "small-1", "agent-1", 3), FakeSupervisor::echo),
          "fake");
      try (MapClient client = new MapClient(api.port(), "small")) {
        byte[] lines = "1\n".repeat(35).getBytes(StandardCharsets.US_ASCII);
        client.send(lines, lines.length);
        client.sendEnd();
        assertThat(client.readLines(35)).isEqualTo(35);
      }
    }
  }

  private static QueueCounts counts(RunningApi api, String pool) {
    return api.directory().ofPool(pool).orElseThrow().counts();
  }

  private static void apply(RunningApi api, String pool) throws Exception {
    HttpResponse<Void> response =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(URI.create(api.url("/v1/pools")))
                    .POST(HttpRequest.BodyPublishers.ofString(pool))
                    .build(),
                HttpResponse.BodyHandlers.discarding());
    assertThat(response.statusCode()).isEqualTo(200);
  }

  private static void send(MapClient client, AtomicLong sent) {
    byte[] line = new byte[LINE];
    Arrays.fill(line, (byte) 'x');
    line[0] = '"';
    line[LINE - 2] = '"';
    line[LINE - 1] = '\n';
    try {
      for (int i = 0; i < JOBS; i++) {
        client.send(line, LINE);
        sent.incrementAndGet();
      }
      client.sendEnd();
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Whether the sender has been stuck in one write for a while. */
  private static boolean stalled(AtomicLong sent, Thread sender) {
    long before = sent.get();
    java.util.concurrent.locks.LockSupport.parkNanos(1_000_000_000L);
    return before > 0 && sent.get() == before && sender.isAlive();
  }
}
