package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.scheduler.jobs.FakeSupervisor;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class JobApiTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http = HttpClient.newHttpClient();
  private RunningApi api;

  @BeforeAll
  void start(@TempDir Path folder) throws Exception {
    api = RunningApi.start("", folder);
    assertThat(send("POST", "/v1/pools", "name = echo").statusCode()).isEqualTo(200);
    api.spawn(
        FakeSupervisor.create(
            new FakeSupervisor.Identity("echo", "echo-1", "agent-1", 64), FakeSupervisor::echo),
        "fake");
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

  private JsonNode json(HttpResponse<String> response) throws Exception {
    return JSON.readTree(response.body());
  }

  @Test
  void a_job_with_wait_is_answered_by_its_result() throws Exception {
    HttpResponse<String> response =
        send("POST", "/v1/pools/echo/jobs?function=f&wait=20s", "{\"a\":[1,2]}");
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).isEqualTo("{\"a\":[1,2]}");
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
  }

  @Test
  void a_map_answers_every_line_once() throws Exception {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 5000; i++) {
      lines.append("{\"n\":").append(i).append("}\n");
    }
    HttpResponse<String> response = send("POST", "/v1/pools/echo/map?function=f", lines.toString());
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(
            response.body().lines().map(JobApiTest::parse).map(line -> line.get("index").asInt()))
        .hasSize(5000)
        .doesNotHaveDuplicates();
    assertThat(response.body().lines().map(JobApiTest::parse))
        .allSatisfy(
            line ->
                assertThat(line.get("result").get("n").asInt())
                    .isEqualTo(line.get("index").asInt()));
  }

  private static JsonNode parse(String line) {
    try {
      return JSON.readTree(line);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
