package io.troupe.local;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Sends the recorded requests, header by header, on raw sockets to a running cluster, and holds the
 * status, type and text of each answer against what a real Mesos answered. Of a stream, the first
 * event is compared.
 */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class SameAnswersOverHttpTest {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern MASTER_ID = Pattern.compile("([0-9a-f-]{36})-(S|O|0000)");
  private static final List<String> OWN_HEADERS =
      List.of("host", "content-length", "connection", "transfer-encoding");
  private static final int TIMEOUT_MS = 30_000;

  @TempDir private Path workDir;
  private LocalCluster cluster;
  private int agentPort;
  private final Map<String, String> ours = new HashMap<>();
  private final Map<String, Socket> open = new LinkedHashMap<>();

  /** What came back on a socket. */
  private record Reply(int status, Map<String, String> headers, String body) {}

  @BeforeEach
  void start() throws Exception {
    cluster = LocalCluster.start(LocalClusterTest.settings(workDir, 0), () -> {});
    agentPort = cluster.agents().get(0).port();
  }

  @AfterEach
  void stop() throws IOException {
    for (Socket socket : open.values()) {
      socket.close();
    }
    cluster.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"12-subscribe-variants", "31-executor-invalid-calls", "50-invalid-calls"})
  void a_request_is_answered_as_a_real_mesos_answers_it(String recording) throws Exception {
    JsonNode entries = read(recording).get("entries");
    Map<String, JsonNode> waiting = new HashMap<>();
    int compared = 0;
    for (JsonNode entry : entries) {
      String direction = entry.get("direction").asText();
      if (direction.equals("request")) {
        waiting.put(entry.get("conn").asText(), entry);
      } else if (direction.equals("response")) {
        JsonNode request = waiting.remove(entry.get("conn").asText());
        if (request == null || kinder(request) || dependsOnExecutor(recording, entry)) {
          continue;
        }
        Reply reply = exchange(request, entry.path("streaming").asBoolean());
        compare(recording, request, entry, reply);
        compared++;
        if (entry.path("streaming").asBoolean()) {
          learn(recording, entry, reply);
        }
      }
    }
    assertThat(compared).isGreaterThan(10);
  }

  private static JsonNode read(String name) throws IOException {
    try (InputStream in =
        SameAnswersOverHttpTest.class.getResourceAsStream("/transcripts/" + name + ".json")) {
      return JSON.readTree(in);
    }
  }

  /** Ours takes a content type in any case of letters. */
  private static boolean kinder(JsonNode request) {
    return request.get("headers").toString().contains("Application/JSON");
  }

  /** No executor runs here; calls that get as far as that are compared elsewhere. */
  private static boolean dependsOnExecutor(String recording, JsonNode response) {
    String body = response.path("body").asText();
    return recording.startsWith("31")
        && response.get("path").asText().endsWith("/executor")
        && (response.path("streaming").asBoolean()
            || response.get("status").asInt() == 202
            || body.equals("Executor cannot be found")
            || body.equals("Framework cannot be found")
            || body.equals("Executor is not subscribed"));
  }

  private Reply exchange(JsonNode request, boolean streaming) throws IOException {
    String path = request.get("path").asText();
    boolean toAgent =
        path.contains("/executor") && !request.get("actor").asText().startsWith("sched");
    Socket socket =
        new Socket(InetAddress.getLoopbackAddress(), toAgent ? agentPort : cluster.port());
    socket.setSoTimeout(TIMEOUT_MS);
    byte[] body = bodyOf(request);
    StringBuilder head =
        new StringBuilder(request.get("method").asText() + " " + path + " HTTP/1.1\r\n");
    head.append("Host: localhost\r\n");
    for (JsonNode header : request.get("headers")) {
      String name = header.get(0).asText();
      if (!OWN_HEADERS.contains(name.toLowerCase(Locale.ROOT))) {
        String value = header.get(1).asText();
        head.append(name).append(": ").append(ours.getOrDefault(value, value)).append("\r\n");
      }
    }
    head.append("Content-Length: ").append(body.length).append("\r\n\r\n");
    ByteArrayOutputStream message = new ByteArrayOutputStream();
    message.write(head.toString().getBytes(StandardCharsets.ISO_8859_1));
    message.write(body);
    socket.getOutputStream().write(message.toByteArray());
    Reply reply = readReply(socket.getInputStream(), request.get("method").asText(), streaming);
    String actor = request.get("actor").asText();
    if (streaming && !open.containsKey(actor)) {
      open.put(actor, socket);
    } else {
      socket.close();
    }
    return reply;
  }

  private byte[] bodyOf(JsonNode request) throws IOException {
    JsonNode body = request.get("body");
    if (body == null || body.isNull()) {
      return request.path("headers").toString().contains("x-protobuf")
          ? new byte[] {(byte) 0xff, 1, 2, 3}
          : new byte[0];
    }
    String text = body.isTextual() ? body.asText() : JSON.writeValueAsString(body);
    for (Map.Entry<String, String> known : ours.entrySet()) {
      text = text.replace(known.getKey(), known.getValue());
    }
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static Reply readReply(InputStream in, String method, boolean streaming)
      throws IOException {
    int status = Integer.parseInt(line(in).split(" ", -1)[1]);
    Map<String, String> headers = new HashMap<>();
    for (String line = line(in); !line.isEmpty(); line = line(in)) {
      int colon = line.indexOf(':');
      headers.put(
          line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
    }
    byte[] body;
    if (streaming) {
      byte[] chunk = in.readNBytes(Integer.parseInt(line(in), 16));
      body = chunk;
    } else {
      boolean head = method.equals("HEAD");
      int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
      body = in.readNBytes(head ? 0 : length);
    }
    return new Reply(status, headers, new String(body, StandardCharsets.UTF_8));
  }

  private static String line(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      assertThat(next).as("the connection is open; so far: %s", line).isNotNegative();
      if (next != '\r') {
        line.write(next);
      }
    }
    return line.toString(StandardCharsets.UTF_8);
  }

  private void compare(String recording, JsonNode request, JsonNode recorded, Reply reply) {
    String what =
        recording + ", request at " + request.get("t_ms") + " ms: " + request.path("body");
    assertThat(reply.status())
        .as(what + "\n" + reply.body())
        .isEqualTo(recorded.get("status").asInt());
    for (JsonNode header : recorded.get("headers")) {
      String name = header.get(0).asText().toLowerCase(Locale.ROOT);
      if (List.of("content-type", "allow", "transfer-encoding").contains(name)) {
        assertThat(reply.headers().get(name))
            .as(what + ": " + name)
            .isEqualTo(header.get(1).asText());
      }
    }
    if (!recorded.path("streaming").asBoolean() && recorded.path("body").isTextual()) {
      String expected = recorded.get("body").asText();
      for (Map.Entry<String, String> known : ours.entrySet()) {
        expected = expected.replace(known.getKey(), known.getValue());
      }
      assertThat(reply.body()).as(what).isEqualTo(expected);
    }
  }

  /** The ids that the recorded framework and stream have with us. */
  private void learn(String recording, JsonNode recorded, Reply reply) throws IOException {
    for (JsonNode header : recorded.get("headers")) {
      if (header.get(0).asText().equals("Mesos-Stream-Id")) {
        ours.put(header.get(1).asText(), reply.headers().get("mesos-stream-id"));
      }
    }
    Matcher recordedId = MASTER_ID.matcher(read(recording).toString());
    Matcher ownId = MASTER_ID.matcher(reply.body());
    if (recordedId.find() && ownId.find()) {
      ours.put(recordedId.group(1), ownId.group(1));
    }
  }
}
