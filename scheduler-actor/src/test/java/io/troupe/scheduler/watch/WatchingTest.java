package io.troupe.scheduler.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.typesafe.config.ConfigException;
import io.troupe.scheduler.api.RunningApi;
import io.troupe.scheduler.jobs.FakeSupervisor;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The management port and the event stream, over HTTP. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(120)
class WatchingTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http = HttpClient.newHttpClient();
  private RunningApi api;

  @BeforeAll
  void start(@TempDir Path folder) throws Exception {
    api = RunningApi.start("", folder);
    pool("echo");
    api.spawn(
        FakeSupervisor.create(
            new FakeSupervisor.Identity("echo", "echo-1", "agent-1", 8), FakeSupervisor::echo),
        "fake");
    job("echo");
  }

  @AfterAll
  void stop() {
    api.close();
  }

  private void pool(String name) throws Exception {
    post("/v1/pools", "name = " + name);
  }

  private void job(String pool) throws Exception {
    post("/v1/pools/" + pool + "/jobs?function=f&wait=20s", "1");
  }

  private void post(String path, String body) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(api.url(path)))
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
    assertThat(http.send(request, HttpResponse.BodyHandlers.ofString()).statusCode())
        .isEqualTo(200);
  }

  private HttpResponse<String> get(String path) throws Exception {
    return http.send(
        HttpRequest.newBuilder(URI.create(api.managementUrl(path)))
            .timeout(Duration.ofSeconds(30))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  /** Server-sent events of one stream. */
  private final class Events implements AutoCloseable {
    private final InputStream body;
    private final BufferedReader lines;

    Events(String url) throws Exception {
      HttpResponse<InputStream> response =
          http.send(
              HttpRequest.newBuilder(URI.create(url)).build(),
              HttpResponse.BodyHandlers.ofInputStream());
      assertThat(response.headers().firstValue("Content-Type").orElse(""))
          .startsWith("text/event-stream");
      body = response.body();
      lines = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8));
    }

    /** The data of the next event of this type that is as wanted. */
    JsonNode next(String type, Predicate<JsonNode> wanted) throws Exception {
      String event = "";
      String data = "";
      String line;
      while ((line = lines.readLine()) != null) {
        if (line.startsWith("event:")) {
          event = line.substring(6).strip();
        } else if (line.startsWith("data:")) {
          data = line.substring(5).strip();
        } else if (line.isEmpty()) {
          if (event.equals(type) && wanted.test(JSON.readTree(data))) {
            return JSON.readTree(data);
          }
          event = "";
          data = "";
        }
      }
      throw new AssertionError("The stream ended without such an event");
    }

    @Override
    public void close() throws java.io.IOException {
      body.close();
    }
  }

  @Test
  void the_tree_shows_scheduler_pools_supervisors_and_processes() throws Exception {
    JsonNode tree = JSON.readTree(get("/troupe/tree").body());
    assertThat(tree.get("system").asText()).isEqualTo("troupe");
    JsonNode node = tree.get("nodes").get(0);
    assertThat(node.get("role").asText()).isEqualTo("scheduler");
    assertThat(node.at("/framework/id").asText()).isEqualTo("framework");
    assertThat(node.at("/framework/state").asText()).isEqualTo("SUBSCRIBED");
    assertThat(node.get("pools").findValuesAsText("name")).contains("echo");
    assertThat(node.get("actors").findValuesAsText("kind")).contains("JobQueue", "SchedulerActor");
  }

  @Test
  void the_stream_begins_with_a_snapshot_and_goes_on_with_rising_numbers() throws Exception {
    try (Events events = new Events(api.managementUrl("/troupe/tree/stream"))) {
      long seq = events.next("snapshot", any -> true).get("seq").asLong();
      pool("seen");
      JsonNode delta =
          events.next(
              "delta", each -> each.at("/nodes/0/pools").findValuesAsText("name").contains("seen"));
      assertThat(delta.get("seq").asLong()).isGreaterThan(seq);
      pool("seen-too");
      assertThat(events.next("delta", any -> true).get("seq").asLong())
          .isGreaterThan(delta.get("seq").asLong());
    }
  }

  @Test
  void metrics_tell_of_queues_jobs_and_workers() throws Exception {
    assertThat(get("/metrics").body())
        .contains(
            "troupe_jobs_queued{pool=\"echo\"} 0",
            "troupe_jobs_ended_seconds_count{pool=\"echo\",state=\"succeeded\"}",
            "troupe_jobs_ended_seconds_bucket{pool=\"echo\",state=\"succeeded\",le=\"10.0\"}",
            "troupe_workers",
            "jvm_memory_used_bytes");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/troupe/", "/troupe/tree.js", "/troupe/tree.css"})
  void the_page_asks_no_other_host_for_anything(String path) throws Exception {
    HttpResponse<String> response = get(path);
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).doesNotContain("http://", "https://", "//cdn");
    assertThat(response.headers().firstValue("Content-Security-Policy").orElse(""))
        .contains("default-src 'none'");
  }

  @Test
  void akkas_own_routes_are_there_beside() throws Exception {
    assertThat(get("/alive").statusCode()).isEqualTo(200);
    assertThat(get("/ready").statusCode()).isEqualTo(200);
    assertThat(JSON.readTree(get("/cluster/members").body()).get("members")).hasSize(1);
    assertThat(get("/troupe").headers().firstValue("Location").orElse("")).endsWith("/troupe/");
  }

  @Test
  void events_tell_each_state_of_a_job_and_what_happens_to_pools() throws Exception {
    try (Events events = new Events(api.url("/v1/events"))) {
      pool("fresh");
      events.next("pool", event -> event.get("pool").asText().equals("fresh"));
      job("echo");
      JsonNode queued = events.next("job", event -> event.get("state").asText().equals("QUEUED"));
      JsonNode ended = events.next("job", event -> event.get("state").asText().equals("SUCCEEDED"));
      assertThat(ended.get("id")).isEqualTo(queued.get("id"));
    }
  }

  @Test
  void an_address_that_others_can_reach_is_refused_with_the_reason() {
    assertThat(Loopback.only("troupe.bind", "127.0.0.1")).isEqualTo("127.0.0.1");
    assertThatThrownBy(() -> Loopback.only("troupe.bind", "0.0.0.0"))
        .isInstanceOf(ConfigException.BadValue.class)
        .hasMessageContaining("troupe.bind")
        .hasMessageContaining("token");
  }
}
