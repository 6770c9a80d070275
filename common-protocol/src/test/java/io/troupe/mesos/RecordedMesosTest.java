package io.troupe.mesos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.Message;
import io.troupe.mesos.WireFormat.UnreadableBodyException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.mesos.v1.executor.Protos.Event;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a real Mesos wrote, read and written again by this code, is what Mesos wrote. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class RecordedMesosTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  static Stream<String> transcripts() {
    return Stream.of(
        "10-subscribe-json",
        "20-launch-ok",
        "21-launch-many",
        "22-no-ack",
        "23-kill",
        "24-reconcile",
        "28-executor-failures",
        "29-message",
        "40-framework-failover",
        "41-framework-disconnect",
        "57-command-task");
  }

  @ParameterizedTest
  @MethodSource("transcripts")
  void every_event_is_written_as_mesos_wrote_it(String transcript) throws Exception {
    List<JsonNode> events = eventsOf(transcript);
    assertThat(events).isNotEmpty();
    for (JsonNode event : events) {
      JsonNode body = event.get("body");
      Message.Builder message = builderFor(event.get("path").asText());
      MesosJson.read(JSON.writeValueAsBytes(body), message);

      JsonNode written = JSON.readTree(MesosJson.write(message.build()));

      assertThat(written)
          .as("%s at %s ms", body.get("type"), event.get("t_ms"))
          .isEqualTo(withoutUnknowns(body));
    }
  }

  @ParameterizedTest
  @MethodSource("transcripts")
  void json_and_protobuf_say_the_same(String transcript) throws Exception {
    for (JsonNode event : eventsOf(transcript)) {
      Message.Builder fromJson = builderFor(event.get("path").asText());
      WireFormat.JSON.read(JSON.writeValueAsBytes(event.get("body")), fromJson);
      Message message = fromJson.build();

      Message.Builder fromProtobuf = message.newBuilderForType();
      WireFormat.PROTOBUF.read(WireFormat.PROTOBUF.write(message), fromProtobuf);

      assertThat(fromProtobuf.build()).isEqualTo(message);
    }
  }

  static Stream<Arguments> unreadableBodies() {
    return Stream.of(
        Arguments.of(
            WireFormat.JSON, "", "Failed to parse body into JSON: syntax error at line 1 near: "),
        Arguments.of(
            WireFormat.JSON,
            "{not json",
            "Failed to parse body into JSON: syntax error at line 1 near: not json"),
        Arguments.of(
            WireFormat.JSON,
            "[1]",
            "Failed to convert JSON into Event protobuf: Expecting a JSON object"),
        Arguments.of(
            WireFormat.JSON,
            "{\"acknowledged\":{\"uuid\":\"!!!\"}}",
            "Failed to convert JSON into Event protobuf: Failed to base64 decode bytes field"
                + " 'uuid': Invalid character '!'"),
        Arguments.of(
            WireFormat.JSON, "{\"launch\":3}", "Failed to convert JSON into Event protobuf: "),
        Arguments.of(
            WireFormat.JSON,
            "{\"launch\":{\"task\":{}}}",
            "Failed to convert JSON into Event protobuf: Missing required fields: "),
        Arguments.of(WireFormat.PROTOBUF, "nonsense", "Failed to parse body into Event protobuf"));
  }

  @ParameterizedTest
  @MethodSource("unreadableBodies")
  void a_body_that_cannot_be_read_is_refused_in_the_words_of_mesos(
      WireFormat format, String body, String beginning) {
    assertThat(
            assertThrows(
                UnreadableBodyException.class,
                () -> format.read(body.getBytes(StandardCharsets.UTF_8), Event.newBuilder())))
        .hasMessageStartingWith(beginning);
  }

  private static Message.Builder builderFor(String path) {
    return path.endsWith("/executor")
        ? Event.newBuilder()
        : org.apache.mesos.v1.scheduler.Protos.Event.newBuilder();
  }

  /**
   * The recorded master names a capability that the v1 protocol of the Java library has no name
   * for.
   */
  private static JsonNode withoutUnknowns(JsonNode body) throws IOException {
    return JSON.readTree(body.toString().replace("{\"type\":\"QUOTA_V2\"}", "{}"));
  }

  private static List<JsonNode> eventsOf(String transcript) throws IOException {
    try (InputStream in =
        RecordedMesosTest.class.getResourceAsStream("/transcripts/" + transcript + ".json")) {
      List<JsonNode> events = new ArrayList<>();
      for (JsonNode entry : JSON.readTree(in).get("entries")) {
        boolean json = entry.path("body").isObject();
        if (entry.path("direction").asText().equals("event")
            && json
            && entry.path("path").asText().contains("/api/v1/")) {
          events.add(entry);
        }
      }
      return events;
    }
  }
}
