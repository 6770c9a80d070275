package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.troupe.client.Job;
import io.troupe.client.JobFailedException;
import io.troupe.client.JobOptions;
import io.troupe.client.MapResult;
import io.troupe.client.MapResults;
import io.troupe.client.RefusedException;
import io.troupe.client.TroupeClient;
import io.troupe.client.UnreachableException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** The Java client against a live cluster. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(420)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class JavaClientIT {
  private static final String POOL = "named";

  private Installation troupe;

  @BeforeAll
  void start() throws IOException {
    troupe = new Installation("java-client");
    up();
    troupe.applyLiveFunctions(POOL, "live_functions");
    troupe.await(
        "workers", () -> troupe.workers().size() == 2 ? Optional.of(true) : Optional.empty());
  }

  @AfterAll
  void stop() {
    troupe.close();
  }

  private void up() {
    troupe.up("--agents", "1", "--cpus", "2", "--mem", "2048").well();
  }

  @Test
  void jobs_futures_and_maps_end_as_they_should() throws Exception {
    try (TroupeClient client = TroupeClient.at(troupe.url())) {
      assertThat(client.call(POOL, "double", 21, Integer.class)).isEqualTo(42);
      assertThat(client.call(POOL, "echo", new byte[] {0, -1}, byte[].class))
          .containsExactly(0, -1);
      assertThat(client.call(POOL, "echo", "\u00fc".repeat(200_000), String.class))
          .hasSize(200_000);

      failuresHaveTypes(client);
      manyFuturesShareConnections(client);
      jobsAreSteered(client);
      mapsAreStreams(client);
    }
  }

  private static void failuresHaveTypes(TroupeClient client) {
    assertThatThrownBy(() -> client.call(POOL, "fail", 7, JsonNode.class))
        .isInstanceOfSatisfying(
            JobFailedException.class,
            failed -> {
              assertThat(failed.code()).isEqualTo("JOB_FAILED");
              assertThat(failed.kind()).isEqualTo("USER");
              assertThat(failed.getMessage()).contains("ValueError");
            });
    assertThatThrownBy(() -> client.submit("nowhere", "f", 1, JsonNode.class))
        .isInstanceOfSatisfying(
            RefusedException.class,
            refused -> {
              assertThat(refused.code()).isEqualTo("POOL_NOT_FOUND");
              assertThat(refused.status()).isEqualTo(404);
            });
    assertThatThrownBy(() -> client.status("0".repeat(13))).isInstanceOf(RefusedException.class);
    assertThatThrownBy(() -> client.submit(POOL, "f", new Object(), JsonNode.class))
        .isInstanceOf(IllegalArgumentException.class);
    TroupeClient.Settings nobody =
        TroupeClient.Settings.ofEnvironment()
            .withUrl("http://127.0.0.1:1")
            .withPatience(Duration.ofMillis(1));
    try (TroupeClient alone = new TroupeClient(nobody)) {
      assertThatThrownBy(() -> alone.status("x"))
          .isInstanceOf(UnreachableException.class)
          .hasMessageContaining("no scheduler answers at http://127.0.0.1:1");
    }
  }

  private static void manyFuturesShareConnections(TroupeClient client) {
    List<CompletableFuture<Integer>> futures = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      futures.add(client.submit(POOL, "double", i, Integer.class).result());
    }
    for (int i = 0; i < 300; i++) {
      assertThat(futures.get(i).join()).isEqualTo(2 * i);
    }
    CompletableFuture<JsonNode> failing = client.submit(POOL, "fail", 1, JsonNode.class).result();
    assertThatThrownBy(() -> failing.get(1, TimeUnit.MINUTES))
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(JobFailedException.class);
    CompletableFuture<JsonNode> unknown = client.job("0".repeat(13), JsonNode.class).result();
    assertThatThrownBy(() -> unknown.get(1, TimeUnit.MINUTES))
        .hasCauseInstanceOf(RefusedException.class);
  }

  private static void jobsAreSteered(TroupeClient client) {
    JobOptions keyed = JobOptions.DEFAULT.withKey("a key").withTimeout(Duration.ofMinutes(5));
    Job<Double> job = client.submit(POOL, "sleep", 300, Double.class, keyed);
    assertThat(client.submit(POOL, "sleep", 300, Double.class, keyed).id()).isEqualTo(job.id());
    assertThat(job.status().path("state").asText()).isIn("QUEUED", "RUNNING");
    assertThat(job.cancel()).isTrue();
    assertThatThrownBy(job.result()::join)
        .cause()
        .isInstanceOfSatisfying(
            JobFailedException.class,
            failed -> assertThat(failed.code()).isEqualTo("JOB_CANCELLED"));
    assertThat(client.job(job.id(), Double.class).cancel()).isTrue();
  }

  private static void mapsAreStreams(TroupeClient client) {
    int jobs = 30_000;
    AtomicInteger taken = new AtomicInteger();
    Iterator<Integer> arguments = IntStream.range(0, jobs).peek(i -> taken.set(i)).iterator();
    Set<String> ids = new HashSet<>();
    Set<Long> seen = new HashSet<>();
    try (MapResults<Integer> results = client.map(POOL, "double", arguments, Integer.class)) {
      while (results.hasNext()) {
        MapResult<Integer> result = results.next();
        assertThat(result.get()).isEqualTo(2 * (int) result.index());
        ids.add(result.id());
        seen.add(result.index());
        assertThat(taken.get())
            .as("no further than a window ahead")
            .isLessThan(seen.size() + 10_000);
      }
    }
    assertThat(ids).hasSize(jobs);
    assertThat(seen).hasSize(jobs);

    try (MapResults<JsonNode> results =
        client.map(POOL, "fail", List.of(1, 2).iterator(), JsonNode.class)) {
      assertThatThrownBy(() -> results.next().get()).isInstanceOf(JobFailedException.class);
      assertThatThrownBy(() -> results.next().get()).isInstanceOf(JobFailedException.class);
      assertThat(results.hasNext()).isFalse();
    }
    MapResults<JsonNode> closed =
        client.map(POOL, "sleep", List.of(0, 300, 300).iterator(), JsonNode.class);
    assertThat(closed.next().index()).isZero();
    closed.close();
    assertThat(closed.hasNext()).isFalse();
    assertThat(client.call(POOL, "double", 4, Integer.class))
        .as("workers are free again")
        .isEqualTo(8);
    assertThatThrownBy(
            () -> client.map("nowhere", "f", List.of(1).iterator(), JsonNode.class).hasNext())
        .isInstanceOf(RefusedException.class);
  }

  @Test
  void futures_and_maps_live_through_a_scheduler_that_is_killed() throws Exception {
    try (TroupeClient client =
        new TroupeClient(
            TroupeClient.Settings.ofEnvironment()
                .withUrl(troupe.url())
                .withPatience(Duration.ofMinutes(3)))) {
      List<CompletableFuture<Double>> futures = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        futures.add(client.submit(POOL, "sleep", 0.2, Double.class).result());
      }
      Set<Long> seen = new HashSet<>();
      try (MapResults<Double> results =
          client.map(
              POOL, "sleep", IntStream.range(0, 40).mapToObj(i -> 0.1).iterator(), Double.class)) {
        seen.add(results.next().index());
        Installation.kill(troupe.status().path("scheduler").path("pid").asLong());
        up();
        results.forEachRemaining(
            result -> {
              assertThat(result.get()).isEqualTo(0.1);
              assertThat(seen.add(result.index())).isTrue();
            });
      }
      assertThat(seen).hasSize(40);
      for (CompletableFuture<Double> future : futures) {
        assertThat(future.get(2, TimeUnit.MINUTES)).isEqualTo(0.2);
      }
    }
  }
}
