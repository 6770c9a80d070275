package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.scheduler.jobs.FakeSupervisor;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * An API with a pool {@code p} for each test, in which nothing may be logged with a stack trace.
 */
abstract class QuietApi {
  @TempDir Path folder;
  RunningApi api;
  private final HttpClient http = HttpClient.newHttpClient();
  private final LoggedFailures logged = LoggedFailures.open();

  @BeforeEach
  void start() throws Exception {
    api = RunningApi.start("", folder);
    assertThat(send("POST", "/v1/pools", BodyPublishers.ofString("name = p")).statusCode())
        .isEqualTo(200);
  }

  @AfterEach
  void stop() {
    api.close();
    logged.close();
    assertThat(logged.all()).isEmpty();
  }

  final void spawnSupervisor() {
    api.spawn(
        FakeSupervisor.create(
            new FakeSupervisor.Identity("p", "p-1", "agent-1", 4), FakeSupervisor::echo),
        "fake");
  }

  final HttpResponse<String> send(String method, String path, BodyPublisher body) throws Exception {
    return http.send(
        HttpRequest.newBuilder(URI.create(api.url(path)))
            .timeout(RunningApi.PATIENCE)
            .method(method, body)
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }
}
