package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.typed.ActorRef;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.model.BlobRef;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.Outcome;
import io.troupe.scheduler.jobs.FakeSupervisor;
import io.troupe.scheduler.jobs.QueueCounts;
import io.troupe.scheduler.jobs.StoredJob;
import io.troupe.scheduler.store.BlobStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Lines that are too large for messages are in files, for as long as somebody may want them. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MapOfLargeLinesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int LENGTH = 100_000;
  private static final int TOLD = 1_000_000;

  private final HttpClient http = HttpClient.newHttpClient();
  private RunningApi api;

  @BeforeAll
  void start(@TempDir Path folder) {
    api = RunningApi.start("troupe.jobs.blobs.told = " + TOLD, folder);
  }

  @AfterAll
  void stop() {
    api.close();
  }

  private HttpResponse<String> post(String path, String body) throws Exception {
    return http.send(
        HttpRequest.newBuilder(URI.create(api.url(path)))
            .timeout(RunningApi.PATIENCE)
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private String get(String path) throws Exception {
    return http.send(
            HttpRequest.newBuilder(URI.create(api.url(path))).timeout(RunningApi.PATIENCE).build(),
            HttpResponse.BodyHandlers.ofString())
        .body();
  }

  private ActorRef<FakeSupervisor.Command> pool(
      String terms, java.util.function.Function<Assignment, Optional<Outcome>> work)
      throws Exception {
    assertThat(post("/v1/pools", "name = " + terms).statusCode()).isEqualTo(200);
    String name = terms.replaceFirst(",.*", "");
    return api.spawn(
        FakeSupervisor.create(new FakeSupervisor.Identity(name, name + "-1", "agent-1", 64), work),
        "fake-" + name);
  }

  private static String line(int number) {
    return "\"" + (number % 10 + "x").repeat(LENGTH / 2) + "\"\n";
  }

  private List<BlobStore.Blob> blobs() {
    return api.blobs.all();
  }

  /** What a worker on this machine does: reads the file, and puts another one there. */
  private Optional<Outcome> copy(Assignment job) {
    assertThat(job.type()).isEqualTo(ContentType.JSON_BLOB);
    BlobRef payload = BlobRef.of(job.payload());
    String name = new StringBuilder(payload.name()).reverse().toString();
    try {
      Files.copy(
          api.blobs.find(payload.name()).orElseThrow().file(),
          api.blobs.mark().resolveSibling(name + "." + job.job()));
      return Optional.of(
          end(job, Outcome.Kind.SUCCEEDED, new BlobRef(name, payload.size()).bytes(), null));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Outcome end(
      Assignment job,
      Outcome.Kind kind,
      byte[] body,
      @org.jspecify.annotations.Nullable Cause cause) {
    return new Outcome(job.job(), job.attempt(), kind, ContentType.JSON_BLOB, body, cause, "w", 7);
  }

  @Test
  void all_come_back_and_little_of_them_stays() throws Exception {
    pool("copies", this::copy);
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 40; i++) {
      lines.append(line(i));
    }
    HttpResponse<String> answer = post("/v1/pools/copies/map?function=f", lines.toString());
    Set<Integer> seen = new HashSet<>();
    answer.body().lines().forEach(text -> seen.add(sameAsSent(text)));
    assertThat(seen).hasSize(40);
    Eventually.holds(
        () ->
            blobs().stream().mapToLong(blob -> blob.ref().size()).sum() <= TOLD
                && blobs().stream().noneMatch(blob -> blob.job().isEmpty()));
  }

  @Test
  void a_large_line_that_is_no_json_is_told_so_and_a_blank_one_is_none() throws Exception {
    pool("checks", this::copy);
    String blank = " ".repeat(LENGTH) + "\n";
    String answer =
        post("/v1/pools/checks/map?function=f", "\"no" + line(1) + blank + line(2)).body();
    assertThat(answer.lines().map(MapOfLargeLinesTest::codeOrIndex))
        .containsExactlyInAnyOrder("0 INVALID_JSON", "2");
  }

  private static String codeOrIndex(String text) {
    try {
      JsonNode answer = JSON.readTree(text);
      return (answer.get("index").asText() + " " + answer.at("/error/code").asText()).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void a_large_result_of_many_lines_comes_in_one() throws Exception {
    pool("unfolds", this::copy);
    String spread = "[" + "1,\r".repeat(LENGTH / 4) + "2]";
    String answer = post("/v1/pools/unfolds/map?function=f", spread).body();
    assertThat(answer.lines()).hasSize(1);
    assertThat(JSON.readTree(answer).get("result")).isEqualTo(JSON.readTree(spread));
  }

  private static int sameAsSent(String text) {
    try {
      JsonNode answer = JSON.readTree(text);
      int index = answer.get("index").asInt();
      assertThat(answer.get("result").toString() + "\n").isEqualTo(line(index));
      return index;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void the_payload_of_a_job_that_failed_is_kept_for_a_retry() throws Exception {
    pool(
        "fails",
        job ->
            Optional.of(
                end(
                    job,
                    Outcome.Kind.FAILED,
                    new byte[0],
                    Cause.of(Cause.Kind.USER, "ValueError: no"))));
    JsonNode line = JSON.readTree(post("/v1/pools/fails/map?function=f", line(3)).body());
    assertThat(line.at("/error/code").asText()).isEqualTo("JOB_FAILED");
    String id = line.get("id").asText();
    Eventually.holds(() -> blobs().stream().anyMatch(blob -> blob.job().equals(id)));
  }

  @Test
  void nothing_of_a_client_that_goes_away_stays() throws Exception {
    pool("left", job -> Optional.empty());
    try (MapClient client = new MapClient(api.port(), "left")) {
      byte[] lines = (line(1) + line(2)).getBytes(StandardCharsets.US_ASCII);
      client.send(lines, lines.length);
      Eventually.holds(() -> counts("left").running() == 2);
      assertThat(blobs()).filteredOn(blob -> blob.job().isEmpty()).hasSizeGreaterThanOrEqualTo(2);
    }
    Eventually.holds(() -> counts("left").cancelled() == 2);
    Eventually.holds(() -> blobs().stream().noneMatch(blob -> blob.job().isEmpty()));
  }

  @Test
  void a_durable_payload_carries_its_jobs_name_from_the_beginning_and_outlives_its_client()
      throws Exception {
    pool("durable, durability = store", job -> Optional.empty());
    StoredJob row;
    try (MapClient client = new MapClient(api.port(), "durable")) {
      byte[] lines = line(1).getBytes(StandardCharsets.US_ASCII);
      client.send(lines, lines.length);
      Eventually.holds(() -> stored("durable").size() == 1);
      row = stored("durable").get(0);
      assertThat(row.type()).isEqualTo(ContentType.JSON_BLOB);
      Eventually.holds(() -> !blobOf(row).job().isEmpty());
    }
    Eventually.holds(() -> counts("durable").cancelled() == 1);
    // It can be retried.
    assertThat(blobOf(row).file()).content().isEqualTo(line(1).strip());
    assertThat(get("/v1/jobs/" + blobOf(row).job())).contains("\"pool\":\"durable\"", "CANCELLED");
  }

  @Test
  void a_durable_payload_is_gone_when_its_job_has_succeeded() throws Exception {
    List<Assignment> jobs = new CopyOnWriteArrayList<>();
    pool(
        "succeeds, durability = store",
        job -> {
          jobs.add(job);
          return copy(job);
        });
    assertThat(sameAsSent(post("/v1/pools/succeeds/map?function=f", line(0)).body())).isZero();
    String payload = BlobRef.of(jobs.get(0).payload()).name();
    Eventually.holds(() -> api.blobs.find(payload).isEmpty());
  }

  private List<StoredJob> stored(String pool) {
    return api.stored.rows().stream().filter(row -> row.pool().equals(pool)).toList();
  }

  private BlobStore.Blob blobOf(StoredJob row) {
    return api.blobs.find(BlobRef.of(row.payload()).name()).orElseThrow();
  }

  private QueueCounts counts(String pool) {
    return api.directory().ofPool(pool).orElseThrow().counts();
  }
}
