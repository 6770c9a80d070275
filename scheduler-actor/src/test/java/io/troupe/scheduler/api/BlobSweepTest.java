package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.Outcome;
import io.troupe.scheduler.jobs.FakeSupervisor;
import io.troupe.scheduler.store.BlobStore;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which large payloads and results stay, and which go, when nobody says so. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class BlobSweepTest {
  private static final int SIZE = 100_000;

  /** Half of it holds five of that size. */
  private static final String SETTINGS =
      "troupe.jobs.blobs { bytes = 1100000, sweep = 100 milliseconds }";

  private final HttpClient http = HttpClient.newHttpClient();
  private RunningApi api;

  @BeforeEach
  void start(@TempDir Path folder) throws Exception {
    api = RunningApi.start(SETTINGS, folder);
    send("POST", "/v1/pools", "name = p");
  }

  @AfterEach
  void stop() {
    api.close();
  }

  @Test
  void when_half_of_the_space_is_used_the_oldest_results_are_forgotten_and_no_more()
      throws Exception {
    worker(FakeSupervisor::echo);
    List<String> jobs = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      send("POST", "/v1/pools/p/jobs?function=f&wait=60s&id=job" + i, text());
      jobs.add(job("job" + i));
    }
    Eventually.holds(() -> api.blobs.bytes() <= 550_000);
    assertThat(kept()).hasSize(5).contains(jobs.get(7)).doesNotContain(jobs.get(0));
    looked();
    assertThat(kept()).hasSize(5);
  }

  @Test
  void the_payload_of_a_job_that_has_succeeded_goes_and_that_of_one_that_has_failed_stays()
      throws Exception {
    worker(
        job ->
            Optional.of(
                job.function().equals("good")
                    ? outcome(job, Outcome.Kind.SUCCEEDED, null)
                    : outcome(job, Outcome.Kind.FAILED, Cause.of(Cause.Kind.USER, "no"))));
    send("POST", "/v1/pools/p/jobs?function=bad&id=bad", text());
    send("POST", "/v1/pools/p/jobs?function=good&id=good", text());
    Eventually.holds(() -> kept().size() == 1);
    looked();
    assertThat(kept()).as("it may be retried").containsExactly(job("bad"));
  }

  @Test
  void what_belongs_to_a_job_that_nobody_knows_goes() throws Exception {
    send("POST", "/v1/blobs?job=0000000000001", text());
    assertThat(kept()).hasSize(1);
    Eventually.holds(() -> api.blobs.all().isEmpty());
  }

  /** Waits until the sweep has looked once more, as what it does with this shows. */
  private void looked() throws Exception {
    send("POST", "/v1/blobs?job=0000000000002", "1");
    Eventually.holds(() -> !kept().contains("0000000000002"));
  }

  private Set<String> kept() {
    return api.blobs.all().stream().map(BlobStore.Blob::job).collect(Collectors.toSet());
  }

  private static Outcome outcome(Assignment job, Outcome.Kind kind, @Nullable Cause cause) {
    byte[] body = "1".getBytes(StandardCharsets.US_ASCII);
    return new Outcome(job.job(), job.attempt(), kind, ContentType.JSON, body, cause, "w", 5);
  }

  private void worker(Function<Assignment, Optional<Outcome>> work) {
    api.spawn(
        FakeSupervisor.create(new FakeSupervisor.Identity("p", "p-1", "agent-1", 64), work),
        "fake");
  }

  /** The job of this key. */
  private String job(String key) throws IOException, InterruptedException {
    JsonNode known =
        new ObjectMapper().readTree(send("POST", "/v1/pools/p/jobs?function=f&id=" + key, "1"));
    return known.path("id").asText();
  }

  private static String text() {
    return "\"" + "x".repeat(SIZE - 2) + "\"";
  }

  private String send(String method, String path, String body)
      throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(api.url(path)))
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build();
    HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isBetween(200, 299);
    return answer.body();
  }
}
