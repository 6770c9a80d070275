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
import io.troupe.scheduler.store.FileStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class JobApiTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http = HttpClient.newHttpClient();
  private RunningApi api;
  private ActorRef<FakeSupervisor.Command> held;

  @BeforeAll
  void start(@TempDir Path folder) throws Exception {
    api = RunningApi.start("troupe.jobs.max-payload = 1 MiB", folder);
    for (String pool : List.of("echo", "held", "idle", "broken")) {
      apply("name = " + pool);
    }
    apply("name = server, protocol = none");
    supervise("echo", FakeSupervisor::echo);
    supervise("broken", JobApiTest::raise);
    held = supervise("held", job -> Optional.empty());
  }

  private void apply(String pool) throws Exception {
    assertThat(send("POST", "/v1/pools", pool).statusCode()).isEqualTo(200);
  }

  private ActorRef<FakeSupervisor.Command> supervise(
      String pool, java.util.function.Function<Assignment, Optional<Outcome>> work) {
    return api.spawn(
        FakeSupervisor.create(new FakeSupervisor.Identity(pool, pool + "-1", "agent-1", 64), work),
        "fake-" + pool);
  }

  @Test
  void a_job_whose_supervisor_loses_its_line_ends_over_the_next_one_without_another_attempt()
      throws Exception {
    apply("name = cut");
    BlockingQueue<Integer> handedOut = new LinkedBlockingQueue<>();
    AtomicInteger asked = new AtomicInteger();
    ActorRef<FakeSupervisor.Command> supervisor =
        supervise(
            "cut",
            job -> {
              handedOut.add(job.attempt());
              return asked.getAndIncrement() == 0 ? Optional.empty() : FakeSupervisor.echo(job);
            });
    String id = submit("cut", "");
    Integer first = handedOut.poll(30, TimeUnit.SECONDS);
    assertThat(first).isNotNull();
    supervisor.tell(FakeSupervisor.Cut.NOW);
    assertThat(send("GET", "/v1/jobs/" + id + "/result?wait=30s", "").statusCode()).isEqualTo(200);
    assertThat(handedOut).containsExactly(first); // what it held, over the next line
  }

  @Test
  void a_pool_that_is_applied_again_after_its_end_has_its_supervisors_back() throws Exception {
    apply("name = again");
    supervise("again", FakeSupervisor::echo);
    assertThat(send("POST", "/v1/pools/again/jobs?function=f&wait=30s", "1").statusCode())
        .isEqualTo(200);
    assertThat(send("DELETE", "/v1/pools/again", "").statusCode()).isEqualTo(200);
    apply("name = again");
    assertThat(send("POST", "/v1/pools/again/jobs?function=f&wait=30s", "2").statusCode())
        .isEqualTo(200);
  }

  private static Optional<Outcome> raise(Assignment job) {
    return Optional.of(
        new Outcome(
            job.job(),
            job.attempt(),
            Outcome.Kind.FAILED,
            job.type(),
            new byte[0],
            Cause.of(Cause.Kind.USER, "ValueError: no"),
            "w",
            7));
  }

  @AfterAll
  void stop() {
    api.close();
  }

  private HttpResponse<String> send(String method, String path, String body) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(api.url(path)))
            .timeout(RunningApi.PATIENCE)
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build();
    return http.send(request, HttpResponse.BodyHandlers.ofString());
  }

  private static JsonNode json(HttpResponse<String> response) {
    return parse(response.body());
  }

  private static JsonNode parse(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String submit(String pool, String query) throws Exception {
    return json(send("POST", "/v1/pools/" + pool + "/jobs?function=f" + query, "7"))
        .get("id")
        .asText();
  }

  // ---- jobs

  @Test
  void a_job_with_wait_is_answered_by_its_result() throws Exception {
    HttpResponse<String> response =
        send("POST", "/v1/pools/echo/jobs?function=f&wait=20s", "{\"a\":[1,2]}");
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).isEqualTo("{\"a\":[1,2]}");
    assertThat(response.headers().firstValue("Content-Type")).contains("application/json");
    assertThat(response.headers().firstValue("Troupe-Job")).isPresent();
  }

  @Test
  void a_number_may_be_as_long_as_a_payload() throws Exception {
    String number = "1".repeat(5_000);
    HttpResponse<String> response = send("POST", "/v1/pools/echo/jobs?function=f&wait=20s", number);
    assertThat(response.body()).isEqualTo(number);
  }

  @Test
  void a_large_payload_is_kept_in_a_file_that_the_job_gets_a_reference_to() throws Exception {
    String text = "\"" + "x".repeat(300_000) + "\"";
    String id = json(send("POST", "/v1/pools/held/jobs?function=f", text)).get("id").asText();
    assertThat(api.blobs.all())
        .filteredOn(blob -> blob.job().equals(id))
        .singleElement()
        .satisfies(
            blob -> {
              assertThat(blob.file()).hasContent(text);
              assertThat(send("GET", "/v1/blobs/" + blob.ref().name(), "").body()).isEqualTo(text);
            });
    send("DELETE", "/v1/jobs/" + id, "");
  }

  @Test
  void a_large_result_is_brought_to_a_file_and_streamed_from_it() throws Exception {
    String text = "\"" + "y".repeat(300_000) + "\"";
    // The supervisor answers with what it was given: the reference.
    HttpResponse<String> response = send("POST", "/v1/pools/echo/jobs?function=f&wait=20s", text);
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).contains("application/json");
    assertThat(response.headers().firstValue("Content-Length")).contains("300002");
    assertThat(response.body()).isEqualTo(text);
    JsonNode brought = json(send("POST", "/v1/blobs?job=j1", "12345"));
    assertThat(brought.get("size").asInt()).isEqualTo(5);
    assertThat(send("GET", "/v1/blobs/" + brought.get("name").asText(), "").body())
        .isEqualTo("12345");
  }

  @Test
  void a_result_that_an_executor_on_the_same_machine_has_put_into_the_folder_is_found()
      throws Exception {
    apply("name = near");
    String text = "\"" + "z".repeat(200_000) + "\"";
    supervise("near", job -> Optional.of(put(job, text)));
    assertThat(json(send("GET", "/v1/blobs", "")).get("mark").asText())
        .isEqualTo(api.blobs.mark().toString());
    assertThat(send("POST", "/v1/pools/near/jobs?function=f&wait=20s", "1").body()).isEqualTo(text);
    JsonNode line = json(send("POST", "/v1/pools/near/map?function=f", "1\n"));
    assertThat(line.get("result").asText()).hasSize(200_000);
  }

  private Outcome put(Assignment job, String text) {
    try {
      BlobRef ref = new BlobRef(UUID.randomUUID().toString().replace("-", ""), text.length());
      Files.writeString(api.blobs.mark().resolveSibling(ref.name() + "." + job.job()), text);
      return new Outcome(
          job.job(),
          job.attempt(),
          Outcome.Kind.SUCCEEDED,
          ContentType.JSON_BLOB,
          ref.bytes(),
          null,
          "w",
          7);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void what_is_no_json_is_refused_however_long_and_nothing_of_it_is_kept() throws Exception {
    long before = api.blobs.bytes();
    HttpResponse<String> response =
        send("POST", "/v1/pools/idle/jobs?function=f", "[" + "1,".repeat(100_000));
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(json(response).at("/error/code").asText()).isEqualTo("INVALID_JSON");
    assertThat(api.blobs.bytes()).isEqualTo(before);
  }

  @Test
  void a_job_without_wait_is_accepted_and_its_result_fetched_by_its_id() throws Exception {
    HttpResponse<String> accepted = send("POST", "/v1/pools/echo/jobs?function=f", "7");
    assertThat(accepted.statusCode()).isEqualTo(202);
    String id = json(accepted).get("id").asText();
    HttpResponse<String> result = send("GET", "/v1/jobs/" + id + "/result?wait=20s", "");
    assertThat(result.body()).isEqualTo("7");
    JsonNode job = json(send("GET", "/v1/jobs/" + id, ""));
    assertThat(job.get("state").asText()).isEqualTo("SUCCEEDED");
    assertThat(job.get("attempt").asInt()).isEqualTo(1);
    assertThat(job.get("attempts").asInt()).isEqualTo(3);
    assertThat(job.get("worker").asText()).isEqualTo("fake.0.1");
    assertThat(job.get("endedAt").asText()).endsWith("Z");
  }

  @Test
  void a_wait_that_is_too_short_ends_with_202() throws Exception {
    HttpResponse<String> response = send("POST", "/v1/pools/idle/jobs?function=f&wait=50ms", "1");
    assertThat(response.statusCode()).isEqualTo(202);
    String id = json(response).get("id").asText();
    assertThat(send("GET", "/v1/jobs/" + id + "/result", "").statusCode()).isEqualTo(202);
    JsonNode cancelled = json(send("DELETE", "/v1/jobs/" + id, ""));
    assertThat(cancelled.get("state").asText()).isEqualTo("CANCELLED");
  }

  @Test
  void bytes_stay_bytes() throws Exception {
    byte[] payload = {0, 1, 2, (byte) 200};
    HttpResponse<byte[]> response =
        http.send(
            HttpRequest.newBuilder(URI.create(api.url("/v1/pools/echo/jobs?function=f&wait=20s")))
                .header("Content-Type", "application/octet-stream")
                .POST(HttpRequest.BodyPublishers.ofByteArray(payload))
                .build(),
            HttpResponse.BodyHandlers.ofByteArray());
    assertThat(response.body()).isEqualTo(payload);
    assertThat(response.headers().firstValue("Content-Type")).contains("application/octet-stream");
  }

  @Test
  void the_same_key_is_the_same_job() throws Exception {
    String first = submit("idle", "&id=order-66");
    assertThat(submit("idle", "&id=order-66")).isEqualTo(first);
    assertThat(submit("idle", "&id=order-67")).isNotEqualTo(first);
  }

  @Test
  void a_job_whose_function_raised_is_an_error_with_its_cause_and_can_be_retried()
      throws Exception {
    HttpResponse<String> response = send("POST", "/v1/pools/broken/jobs?function=f&wait=20s", "1");
    assertThat(response.statusCode()).isEqualTo(409);
    JsonNode error = json(response).get("error");
    assertThat(error.get("code").asText()).isEqualTo("JOB_FAILED");
    assertThat(error.get("message").asText()).isEqualTo("ValueError: no");
    assertThat(error.get("cause").get("kind").asText()).isEqualTo("USER");
    String id = error.get("job").get("id").asText();
    assertThat(send("POST", "/v1/jobs/" + id + "/retry", "").statusCode()).isEqualTo(202);
  }

  @Test
  void what_succeeded_cannot_be_retried() throws Exception {
    String id = submit("echo", "&wait=0s");
    send("GET", "/v1/jobs/" + id + "/result?wait=20s", "");
    HttpResponse<String> response = send("POST", "/v1/jobs/" + id + "/retry", "");
    assertThat(response.statusCode()).isEqualTo(409);
    assertThat(json(response).at("/error/code").asText()).isEqualTo("WRONG_STATE");
  }

  @Test
  void jobs_are_listed_by_pool_and_state_the_newest_first() throws Exception {
    String older = submit("held", "");
    String newer = submit("held", "");
    JsonNode list = json(send("GET", "/v1/jobs?pool=held&limit=2", ""));
    assertThat(list).hasSize(2);
    assertThat(list.get(0).get("id").asText()).isEqualTo(newer);
    assertThat(list.get(1).get("id").asText()).isEqualTo(older);
    assertThat(json(send("GET", "/v1/jobs?pool=held&state=dead", ""))).isEmpty();
  }

  @Test
  void a_running_job_that_is_cancelled_ends_and_its_supervisor_is_told() throws Exception {
    String id = submit("held", "");
    assertThat(json(send("DELETE", "/v1/jobs/" + id, "")).get("state").asText())
        .isEqualTo("CANCELLED");
    held.tell(new FakeSupervisor.Release(FakeSupervisor::echo));
    assertThat(json(send("GET", "/v1/jobs/" + id, "")).get("state").asText())
        .isEqualTo("CANCELLED");
    held.tell(new FakeSupervisor.Release(job -> Optional.empty()));
  }

  // ---- maps

  @Test
  void a_map_answers_every_line_once() throws Exception {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 5000; i++) {
      lines.append("{\"n\":").append(i).append("}\n");
    }
    HttpResponse<String> response = send("POST", "/v1/pools/echo/map?function=f", lines.toString());
    assertThat(response.statusCode()).isEqualTo(200);
    List<JsonNode> results = response.body().lines().map(JobApiTest::parse).toList();
    assertThat(results.stream().map(line -> line.get("index").asInt()))
        .hasSize(5000)
        .doesNotHaveDuplicates();
    assertThat(results)
        .allSatisfy(
            line -> assertThat(line.at("/result/n").asInt()).isEqualTo(line.get("index").asInt()));
  }

  @Test
  void a_line_that_is_no_json_is_an_error_and_the_others_go_on() throws Exception {
    String tooLong = "\"" + "x".repeat(1024 * 1024) + "\"";
    HttpResponse<String> response =
        send("POST", "/v1/pools/echo/map?function=f", "1\n{oops\n\n" + tooLong + "\n5");
    List<JsonNode> lines =
        response
            .body()
            .lines()
            .map(JobApiTest::parse)
            .sorted(java.util.Comparator.comparing((JsonNode line) -> line.get("index").asInt()))
            .toList();
    assertThat(lines.stream().map(line -> line.get("index").asInt())).containsExactly(0, 1, 3, 4);
    assertThat(lines.get(0).get("result").asInt()).isEqualTo(1);
    assertThat(lines.get(1).at("/error/code").asText()).isEqualTo("INVALID_JSON");
    assertThat(lines.get(2).at("/error/code").asText()).isEqualTo("PAYLOAD_TOO_LARGE");
    assertThat(lines.get(3).get("result").asInt()).isEqualTo(5);
  }

  @Test
  void a_job_that_fails_is_a_line_with_the_cause() throws Exception {
    JsonNode line = json(send("POST", "/v1/pools/broken/map?function=f", "1\n"));
    assertThat(line.at("/error/code").asText()).isEqualTo("JOB_FAILED");
    assertThat(line.at("/error/cause/kind").asText()).isEqualTo("USER");
    assertThat(line.get("id").asText()).isNotEmpty();
  }

  @Test
  void an_empty_map_has_an_empty_answer() throws Exception {
    HttpResponse<String> response = send("POST", "/v1/pools/echo/map?function=f", "");
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).isEmpty();
  }

  @Test
  void a_map_ends_with_errors_when_its_pool_is_deleted() throws Exception {
    apply("name = doomed");
    var answer =
        http.sendAsync(
            HttpRequest.newBuilder(URI.create(api.url("/v1/pools/doomed/map?function=f")))
                .POST(HttpRequest.BodyPublishers.ofString("1\n2\n"))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    Eventually.holds(() -> counts("doomed").queued() == 2);
    assertThat(send("DELETE", "/v1/pools/doomed", "").statusCode()).isEqualTo(200);
    List<JsonNode> lines = answer.join().body().lines().map(JobApiTest::parse).toList();
    assertThat(lines).hasSize(2);
    assertThat(lines)
        .allSatisfy(line -> assertThat(line.at("/error/code").asText()).isEqualTo("JOB_CANCELLED"));
  }

  private io.troupe.scheduler.jobs.QueueCounts counts(String pool) {
    return api.directory().ofPool(pool).orElseThrow().counts();
  }

  @Test
  void what_a_client_has_queued_is_cancelled_when_it_goes_away() throws Exception {
    apply("name = left");
    try (MapClient client = new MapClient(api.port(), "left")) {
      byte[] lines = "1\n2\n3\n".getBytes(StandardCharsets.UTF_8);
      client.send(lines, lines.length);
      Eventually.holds(() -> counts("left").queued() == 3);
    }
    Eventually.holds(() -> counts("left").cancelled() == 3);
  }

  @Test
  void what_a_client_has_queued_is_cancelled_when_it_goes_away_after_its_last_line()
      throws Exception {
    apply("name = gone");
    try (MapClient client = new MapClient(api.port(), "gone")) {
      byte[] lines = "1\n2\n3\n".getBytes(StandardCharsets.UTF_8);
      client.send(lines, lines.length);
      client.sendEnd();
      Eventually.holds(() -> counts("gone").queued() == 3);
    }
    Eventually.holds(() -> counts("gone").cancelled() == 3);
  }

  @Test
  void what_runs_for_a_client_is_cancelled_when_it_goes_away() throws Exception {
    apply("name = runs");
    supervise("runs", job -> Optional.empty());
    try (MapClient client = new MapClient(api.port(), "runs")) {
      byte[] lines = "1\n2\n".getBytes(StandardCharsets.UTF_8);
      client.send(lines, lines.length);
      client.sendEnd();
      Eventually.holds(() -> counts("runs").running() == 2);
    }
    Eventually.holds(() -> counts("runs").cancelled() == 2);
  }

  // ---- results of many jobs

  @Test
  void the_results_of_many_jobs_come_on_one_connection_as_they_end() throws Exception {
    String waits = submit("held", "");
    String fails = submit("broken", "");
    String works = submit("echo", "");
    var answer =
        http.sendAsync(
            HttpRequest.newBuilder(URI.create(api.url("/v1/jobs/results")))
                .POST(
                    HttpRequest.BodyPublishers.ofString(
                        "\"%s\"\n\"%s\"\n\"%s\"\n\"none\"\n".formatted(waits, fails, works)))
                .build(),
            HttpResponse.BodyHandlers.ofLines());
    List<JsonNode> lines = new java.util.ArrayList<>();
    answer
        .join()
        .body()
        .filter(line -> !line.isBlank())
        .forEach(
            line -> {
              lines.add(parse(line));
              if (lines.size() == 3) {
                cancel(waits);
              }
            });
    assertThat(lines).hasSize(4);
    assertThat(lines.get(3).get("id").asText()).isEqualTo(waits);
    assertThat(lines.get(3).at("/error/code").asText()).isEqualTo("JOB_CANCELLED");
    lines.sort(java.util.Comparator.comparing((JsonNode line) -> line.get("index").asInt()));
    assertThat(lines.get(1).at("/error/code").asText()).isEqualTo("JOB_FAILED");
    assertThat(lines.get(2).get("result").asInt()).isEqualTo(7);
    assertThat(lines.get(3).at("/error/code").asText()).isEqualTo("JOB_NOT_FOUND");
  }

  @Test
  void what_a_job_yields_comes_as_a_stream_that_ends_with_its_end() throws Exception {
    String id = submit("held", "");
    var answer =
        http.send(
            HttpRequest.newBuilder(URI.create(api.url("/v1/jobs/" + id + "/stream"))).build(),
            HttpResponse.BodyHandlers.ofLines());
    List<String> lines = new java.util.ArrayList<>();
    answer
        .body()
        .filter(line -> !line.isBlank())
        .forEach(
            line -> {
              lines.add(line);
              if (lines.size() == 2) {
                cancel(id);
              }
            });
    assertThat(lines).hasSize(3);
    assertThat(lines.get(0)).isEqualTo("{\"attempt\":1,\"index\":0,\"partial\":\"a\"}");
    assertThat(lines.get(1)).isEqualTo("{\"attempt\":1,\"index\":1,\"partial\":[1]}");
    assertThat(parse(lines.get(2)).at("/error/code").asText()).isEqualTo("JOB_CANCELLED");
    assertThat(parse(lines.get(2)).get("index").asInt()).isEqualTo(2);
  }

  @Test
  void the_stream_of_a_job_that_has_ended_is_its_end_and_one_of_no_job_is_not_found()
      throws Exception {
    String id = submit("echo", "");
    send("GET", "/v1/jobs/" + id + "/result?wait=20s", "");
    assertThat(send("GET", "/v1/jobs/" + id + "/stream", "").body().strip())
        .isEqualTo("{\"index\":0,\"id\":\"" + id + "\",\"result\":7}");
    assertThat(send("GET", "/v1/jobs/none/stream", "").statusCode()).isEqualTo(404);
  }

  private void cancel(String id) {
    try {
      send("DELETE", "/v1/jobs/" + id, "");
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  // ---- refusals

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          POST   | /v1/pools/nobody/jobs?function=f            | 1    | 404 | POOL_NOT_FOUND
          POST   | /v1/pools/nobody/map?function=f             | 1    | 404 | POOL_NOT_FOUND
          GET    | /v1/pools/nobody                            | ''   | 404 | POOL_NOT_FOUND
          DELETE | /v1/pools/nobody                            | ''   | 404 | POOL_NOT_FOUND
          GET    | /v1/pools/nobody/explain                    | ''   | 404 | POOL_NOT_FOUND
          POST   | /v1/pools/nobody/drain                      | ''   | 404 | POOL_NOT_FOUND
          POST   | /v1/pools/echo/jobs                         | 1    | 400 | MISSING_PARAMETER
          POST   | /v1/pools/echo/jobs?function=f              | {oo  | 400 | INVALID_JSON
          POST   | /v1/pools/echo/jobs?function=f              | 1 2  | 400 | INVALID_JSON
          POST   | /v1/pools/echo/jobs?function=f&prority=1    | 1    | 400 | UNKNOWN_PARAMETER
          POST   | /v1/pools/echo/jobs?function=f&wait=7       | 1    | 400 | INVALID_PARAMETER
          POST   | /v1/pools/echo/jobs?function=f&wait=soon    | 1    | 400 | INVALID_PARAMETER
          POST   | /v1/pools/echo/jobs?function=f&attempts=0   | 1    | 400 | INVALID_PARAMETER
          POST   | /v1/pools/echo/jobs?function=f&timeout=0s   | 1    | 400 | INVALID_PARAMETER
          POST   | /v1/pools/server/jobs?function=f            | 1    | 409 | POOL_TAKES_NO_JOBS
          POST   | /v1/pools                                   | a=1  | 400 | INVALID_POOL
          POST   | /v1/pools/echo/scale                        | {}   | 400 | INVALID_SIZE
          POST   | /v1/pools/echo/scale                        | {    | 400 | INVALID_JSON
          GET    | /v1/jobs/0000000000000000                   | ''   | 404 | JOB_NOT_FOUND
          GET    | /v1/jobs/x/result                           | ''   | 404 | JOB_NOT_FOUND
          DELETE | /v1/jobs/x                                  | ''   | 404 | JOB_NOT_FOUND
          POST   | /v1/jobs/x/retry                            | ''   | 404 | JOB_NOT_FOUND
          GET    | /v1/jobs?state=lost                         | ''   | 400 | INVALID_PARAMETER
          GET    | /v1/jobs?limit=0                            | ''   | 400 | INVALID_PARAMETER
          GET    | /v1/files/abc                               | ''   | 400 | INVALID_HASH
          GET    | /v2                                         | ''   | 404 | ROUTE_NOT_FOUND
          GET    | /v1/pools/echo/nothing                      | ''   | 404 | ROUTE_NOT_FOUND
          DELETE | /v1/jobs                                    | ''   | 405 | METHOD_NOT_ALLOWED
          PUT    | /v1/pools/echo/jobs?function=f              | 1    | 405 | METHOD_NOT_ALLOWED
          POST   | /v1/pools/echo/x/jobs?function=f            | 1    | 404 | ROUTE_NOT_FOUND
          POST   | /v1/pools//jobs?function=f                  | 1    | 404 | ROUTE_NOT_FOUND
          POST   | /v1/teardown                                | ''   | 503 | NOT_SUBSCRIBED
          """)
  void what_cannot_be_is_refused_in_one_line_with_a_code(
      String method, String path, String body, int status, String code) throws Exception {
    HttpResponse<String> response = send(method, path, body);
    JsonNode error = json(response).get("error");
    assertThat(error.get("code").asText()).isEqualTo(code);
    assertThat(response.statusCode()).isEqualTo(status);
    assertThat(error.get("message").asText()).isNotBlank().doesNotContain("\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /v1/\u0001 HTTP/1.1",
        "GET /v1/jobs?limit=%zz HTTP/1.1",
        "POST /v1/pools/echo/jobs?function=%zz HTTP/1.1"
      })
  void what_cannot_be_read_is_refused_in_the_same_form(String line) throws Exception {
    try (var socket = new java.net.Socket(java.net.InetAddress.getLoopbackAddress(), api.port())) {
      socket
          .getOutputStream()
          .write((line + "\r\nHost: x\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
      socket.shutdownOutput();
      String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(answer).startsWith("HTTP/1.1 400").contains("\"code\":\"INVALID_REQUEST\"");
    }
  }

  @Test
  void a_page_of_another_site_cannot_use_the_api() throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(api.url("/v1/pools")))
            .header("Origin", "http://evil.example")
            .POST(HttpRequest.BodyPublishers.ofString("name = evil"))
            .build();
    HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
    assertThat(json(response).at("/error/code").asText()).isEqualTo("CROSS_ORIGIN");
    assertThat(send("GET", "/v1/pools/evil", "").statusCode()).isEqualTo(404);
  }

  @Test
  void no_job_is_unknown_while_a_queue_still_reads_its_jobs(@TempDir Path folder) throws Exception {
    try (RunningApi starting = RunningApi.start("", folder)) {
      RunningApi before = api;
      api = starting;
      try {
        starting.stored.hold();
        apply("name = p");
        HttpRequest request =
            HttpRequest.newBuilder(URI.create(api.url("/v1/jobs/results")))
                .POST(HttpRequest.BodyPublishers.ofString("\"0000000000000000\"\n"))
                .build();
        var results = http.sendAsync(request, HttpResponse.BodyHandlers.ofString());
        for (String path : List.of("", "/result", "/stream")) {
          HttpResponse<String> refused = send("GET", "/v1/jobs/0000000000000000" + path, "");
          assertThat(refused.statusCode()).as(path).isEqualTo(503);
          assertThat(json(refused).at("/error/code").asText()).isEqualTo("STARTING");
        }
        assertThat(results).isNotDone();
        starting.stored.letGo();
        assertThat(results.get(30, TimeUnit.SECONDS).body()).contains("JOB_NOT_FOUND");
      } finally {
        api = before;
      }
    }
  }

  @Test
  void a_full_queue_says_when_to_come_again(@TempDir Path folder) throws Exception {
    try (RunningApi small = RunningApi.start("troupe.jobs.max-queued = 1", folder)) {
      RunningApi before = api;
      api = small;
      try {
        apply("name = idle");
        assertThat(send("POST", "/v1/pools/idle/jobs?function=f", "1").statusCode()).isEqualTo(202);
        HttpResponse<String> refused = send("POST", "/v1/pools/idle/jobs?function=f", "1");
        assertThat(refused.statusCode()).isEqualTo(429);
        assertThat(refused.headers().firstValue("Retry-After")).contains("1");
        assertThat(json(refused).at("/error/code").asText()).isEqualTo("QUEUE_FULL");
      } finally {
        api = before;
      }
    }
  }

  // ---- pools, files, the node

  @Test
  void a_pool_shows_its_size_and_its_jobs() throws Exception {
    send("POST", "/v1/pools/echo/jobs?function=f&wait=20s", "1");
    JsonNode pool = json(send("GET", "/v1/pools/echo", ""));
    assertThat(pool.get("name").asText()).isEqualTo("echo");
    assertThat(pool.get("size").asText()).isEqualTo("per-agent");
    assertThat(pool.get("wanted").asInt()).isEqualTo(2);
    assertThat(pool.get("queued").asInt()).isZero();
    assertThat(pool.get("active").asInt()).isZero();
    assertThat(pool.get("succeeded").asInt()).isPositive();
    assertThat(pool.get("causes").isObject()).isTrue();
    assertThat(json(send("GET", "/v1/pools", "")).findValuesAsText("name"))
        .contains("echo", "server");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {"size":4}                   | 4
          {"size":"per-agent"}         | "per-agent"
          {"size":{"min":1,"max":8}}   | {"min":1,"max":8}
          """)
  void a_pool_can_be_given_another_size(String body, String size) throws Exception {
    assertThat(send("POST", "/v1/pools/idle/scale", body).statusCode()).isEqualTo(200);
    assertThat(json(send("GET", "/v1/pools/idle", "")).get("size")).isEqualTo(parse(size));
  }

  @Test
  void a_file_is_kept_if_it_has_the_hash_that_it_is_said_to_have() throws Exception {
    String hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    String path = "/v1/files/" + hash;
    assertThat(send("GET", path, "").statusCode()).isEqualTo(404);
    HttpResponse<String> other = send("PUT", path, "hullo");
    assertThat(other.statusCode()).isEqualTo(400);
    assertThat(json(other).at("/error/code").asText()).isEqualTo("HASH_MISMATCH");
    assertThat(send("GET", path, "").statusCode()).isEqualTo(404);
    assertThat(send("PUT", path, "hello").statusCode()).isEqualTo(200);
    assertThat(send("PUT", path, "hello").statusCode()).isEqualTo(200);
    assertThat(send("HEAD", path, "").statusCode()).isEqualTo(200);
    assertThat(send("GET", path, "").body()).isEqualTo("hello");
  }

  @Test
  void a_file_counts_as_used_when_a_pool_is_applied_that_names_it(@TempDir Path folder)
      throws Exception {
    FileStore files = FileStore.open(folder);
    String sha256 = files.add(Files.writeString(folder.resolve("content"), "def f(x): ..."));
    Instant longAgo = Instant.parse("2020-01-01T00:00:00Z");
    Files.setLastModifiedTime(files.path(sha256), FileTime.from(longAgo));
    try (RunningApi other = RunningApi.start("", folder)) {
      String pool = "name = p, file = " + sha256;
      HttpRequest apply =
          HttpRequest.newBuilder(URI.create(other.url("/v1/pools")))
              .POST(HttpRequest.BodyPublishers.ofString(pool))
              .build();
      assertThat(http.send(apply, HttpResponse.BodyHandlers.ofString()).statusCode())
          .isEqualTo(200);
      assertThat(Files.getLastModifiedTime(files.path(sha256)).toInstant()).isAfter(longAgo);
    }
  }

  @Test
  void the_node_tells_its_version_its_agents_and_its_workers() throws Exception {
    assertThat(json(send("GET", "/v1/version", "")).get("protocol").asInt()).isEqualTo(1);
    assertThat(json(send("GET", "/v1/agents", "")).get(0).get("id").asText()).isEqualTo("agent");
    send("POST", "/v1/pools/echo/jobs?function=f&wait=20s", "1");
    JsonNode worker = json(send("GET", "/v1/workers", "")).get(0);
    assertThat(worker.get("state").asText()).isEqualTo("READY");
    assertThat(worker.at("/process/pid").asLong()).isEqualTo(4711);
    assertThat(worker.get("agentId").asText()).isEqualTo("agent-1");
  }

  @ParameterizedTest
  @ValueSource(strings = {"function=%00", "function=f&id=a%0Ab", "function=f&submitter=%1B"})
  void what_is_no_text_names_nothing(String query) throws Exception {
    HttpResponse<String> response = send("POST", "/v1/pools/echo/jobs?" + query, "1");
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(json(response).at("/error/message").asText()).contains("no text");
  }

  @Test
  void terms_of_a_job_are_taken_and_wrong_ones_refused() throws Exception {
    HttpResponse<String> late =
        send("POST", "/v1/pools/echo/jobs?function=f&delay=1h&ttl=1m&keep=2h&submitter=alice", "1");
    assertThat(late.statusCode()).isEqualTo(202);
    String id = json(late).get("id").asText();
    assertThat(json(send("GET", "/v1/jobs/" + id, "")).get("state").asText()).isEqualTo("QUEUED");
    assertThat(send("DELETE", "/v1/jobs/" + id, "").statusCode()).isEqualTo(200);
    assertThat(send("POST", "/v1/pools/echo/jobs?function=f&delay=soon", "1").statusCode())
        .isEqualTo(400);
  }
}
