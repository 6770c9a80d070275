package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.scheduler.jobs.FakeSupervisor;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Over two cluster nodes: what must hold once messages are bytes. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RemoteSupervisorTest {
  private static final int LARGEST = 8 * 1024 * 1024;

  private final HttpClient http = HttpClient.newHttpClient();
  private RunningApi api;
  private RemoteSupervisor supervisor;

  @BeforeAll
  void start(@TempDir Path folder) throws Exception {
    api = RunningApi.start("troupe.jobs.blobs { above = 8 MiB, largest = 8 MiB }", folder);
    send("/v1/pools", "name = echo".getBytes(java.nio.charset.StandardCharsets.UTF_8));
    supervisor =
        new RemoteSupervisor(
            api,
            new FakeSupervisor.Identity("echo", "echo-1", "agent-1", 64),
            FakeSupervisor::echo);
  }

  @AfterAll
  void stop() {
    supervisor.close();
    api.close();
  }

  private HttpResponse<byte[]> send(String path, byte[] body) throws Exception {
    return http.send(
        HttpRequest.newBuilder(URI.create(api.url(path)))
            .timeout(RunningApi.PATIENCE)
            .header("Content-Type", "application/octet-stream")
            .POST(HttpRequest.BodyPublishers.ofByteArray(body))
            .build(),
        HttpResponse.BodyHandlers.ofByteArray());
  }

  @Test
  void the_largest_payload_goes_out_and_comes_back() throws Exception {
    byte[] payload = new byte[LARGEST];
    Arrays.fill(payload, (byte) 7);
    HttpResponse<byte[]> response = send("/v1/pools/echo/jobs?function=f&wait=30s", payload);
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).isEqualTo(payload);
  }

  @Test
  void one_byte_more_is_refused_at_the_door() throws Exception {
    HttpResponse<byte[]> response =
        send("/v1/pools/echo/jobs?function=f&wait=30s", new byte[LARGEST + 1]);
    assertThat(response.statusCode()).isEqualTo(413);
    assertThat(new String(response.body(), java.nio.charset.StandardCharsets.UTF_8))
        .contains("PAYLOAD_TOO_LARGE", "troupe.jobs.blobs.largest");
  }

  @Test
  void many_large_payloads_are_cut_into_messages_that_fit() throws Exception {
    byte[] line = new byte[600_000];
    Arrays.fill(line, (byte) 'x');
    line[0] = '"';
    line[line.length - 2] = '"';
    line[line.length - 1] = '\n';
    try (MapClient client = new MapClient(api.port(), "echo")) {
      Thread sender =
          new Thread(
              () -> {
                try {
                  for (int i = 0; i < 40; i++) {
                    client.send(line, line.length);
                  }
                  client.sendEnd();
                } catch (java.io.IOException e) {
                  throw new java.io.UncheckedIOException(e);
                }
              });
      sender.start();
      assertThat(client.readLines(40)).isEqualTo(40);
      sender.join();
    }
    assertThat(api.directory().ofPool("echo").orElseThrow().counts().succeeded())
        .isGreaterThanOrEqualTo(40);
  }
}
