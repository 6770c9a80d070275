package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.model.Sha256;
import java.io.ByteArrayInputStream;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of large payloads, results and files when the disk takes no more. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class FullDiskTest extends QuietApi {
  private static final int ROOM = 1 << 20;
  private static final int HELD = ROOM + (ROOM >> 1);
  private static final int STREAMED = 4 * ROOM;

  @BeforeEach
  void startSupervisor() {
    spawnSupervisor();
  }

  private static String text(int length) {
    return "\"" + "x".repeat(length - 2) + "\"";
  }

  private static BodyPublisher ofUnknownLength(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(bytes));
  }

  private static void refused(HttpResponse<String> response) throws Exception {
    assertThat(response.statusCode()).isEqualTo(503);
    JsonNode error = new ObjectMapper().readTree(response.body()).get("error");
    assertThat(error.get("code").asText()).isEqualTo("STORE_UNAVAILABLE");
    assertThat(error.get("message").asText())
        .contains("could not be stored", "nothing of it was kept", "when there is room")
        .doesNotContain("\n");
  }

  private void nothingIsKept() {
    assertThat(folder.resolve("blobs").toFile().list())
        .as("the folder's mark")
        .containsExactly(api.blobs.mark().getFileName().toString());
    assertThat(api.blobs.bytes()).isZero();
    assertThat(folder.toFile().list((in, name) -> name.startsWith("incoming-"))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {HELD, STREAMED})
  void a_job_is_not_accepted_without_its_payload_and_is_when_there_is_room_again(int length)
      throws Exception {
    String path = "/v1/pools/p/jobs?function=f&wait=20s";
    String payload = text(length);
    DiskLimit.of(
        ROOM,
        () -> {
          refused(send("POST", path, BodyPublishers.ofString(payload)));
          refused(send("POST", path, ofUnknownLength(payload)));
          assertThat(send("POST", path, BodyPublishers.ofString("7")).body())
              .as("one that needs no room")
              .isEqualTo("7");
          nothingIsKept();
        });
    assertThat(api.directory().ofPool("p").orElseThrow().counts().succeeded()).isEqualTo(1);
    assertThat(send("POST", path, BodyPublishers.ofString(payload)).body()).isEqualTo(payload);
    assertThat(send("POST", path, ofUnknownLength(payload)).body()).isEqualTo(payload);
  }

  @ParameterizedTest
  @ValueSource(ints = {HELD, STREAMED})
  void a_result_that_an_executor_brings_is_refused_and_taken_when_there_is_room_again(int length)
      throws Exception {
    String result = text(length);
    DiskLimit.of(
        ROOM,
        () -> {
          refused(send("POST", "/v1/blobs?job=j1", BodyPublishers.ofString(result)));
          nothingIsKept();
        });
    assertThat(send("POST", "/v1/blobs?job=j1", BodyPublishers.ofString(result)).statusCode())
        .isEqualTo(200);
    assertThat(api.blobs.all())
        .singleElement()
        .satisfies(blob -> assertThat(blob.file()).hasContent(result));
  }

  @Test
  void a_file_of_a_pool_is_refused_and_taken_when_there_is_room_again() throws Exception {
    byte[] content = new byte[HELD];
    String path = "/v1/files/" + Sha256.of(content);
    DiskLimit.of(
        ROOM,
        () -> {
          refused(send("PUT", path, BodyPublishers.ofByteArray(content)));
          nothingIsKept();
          assertThat(send("HEAD", path, BodyPublishers.noBody()).statusCode()).isEqualTo(404);
        });
    assertThat(send("PUT", path, BodyPublishers.ofByteArray(content)).statusCode()).isEqualTo(200);
    assertThat(send("HEAD", path, BodyPublishers.noBody()).statusCode()).isEqualTo(200);
  }

  @Test
  void a_line_of_a_map_travels_in_memory_where_no_file_can_be_had() throws Exception {
    String line = text(HELD);
    DiskLimit.of(
        ROOM,
        () -> {
          HttpResponse<String> answer =
              send("POST", "/v1/pools/p/map?function=f", BodyPublishers.ofString(line + "\n"));
          assertThat(answer.body()).contains("\"result\":" + line);
          nothingIsKept();
        });
  }
}
