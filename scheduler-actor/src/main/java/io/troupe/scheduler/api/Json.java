package io.troupe.scheduler.api;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.scheduler.jobs.QueueCounts;
import io.troupe.scheduler.pool.SchedulerActor;
import io.troupe.scheduler.watch.TreeJson;
import java.io.CharConversionException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The JSON of the API, to and from the node's own values. Thread-safe. */
public final class Json {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  /**
   * What may come is limited by its bytes; long numbers and texts are the function's business. JSON
   * is UTF-8 (RFC 8259), so nothing is made of the first bytes: looking at them for another
   * encoding, compiled after some hundred thousand lines of a map, has failed for payloads of one
   * byte (Java 17.0.15).
   */
  private static final JsonFactory PARSERS =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CHARSET_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNumberLength(Integer.MAX_VALUE)
                  .maxStringLength(Integer.MAX_VALUE)
                  .build())
          .build();

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private Json() {}

  /** An empty object. */
  public static ObjectNode object() {
    return NODES.objectNode();
  }

  /** An empty array. */
  public static ArrayNode array() {
    return NODES.arrayNode();
  }

  /** The node as UTF-8 text. */
  public static byte[] bytes(JsonNode node) {
    try {
      return MAPPER.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("A JSON tree could not be written", e);
    }
  }

  /** The bytes as a tree; refused with INVALID_JSON where they are none. */
  static JsonNode parse(byte[] text) {
    flaw(text, 0, text.length)
        .ifPresent(
            flaw -> {
              throw new ApiException(ApiError.invalidJson(flaw));
            });
    try {
      return MAPPER.readTree(text);
    } catch (IOException e) {
      throw new IllegalStateException("Valid JSON could not be read", e);
    }
  }

  /** What is wrong with this as one JSON value; empty when nothing is. Looks, and keeps nothing. */
  static Optional<String> flaw(byte[] text, int from, int length) {
    try (JsonParser parser = PARSERS.createParser(text, from, length)) {
      return flaw(parser);
    } catch (IOException e) {
      return Optional.of(refusal(e));
    }
  }

  /** The same for what comes from a stream, whose own failures are thrown. */
  static Optional<String> flaw(InputStream text) throws IOException {
    try (JsonParser parser = PARSERS.createParser(text)) {
      return flaw(parser);
    } catch (JsonProcessingException | CharConversionException e) {
      return Optional.of(refusal(e));
    }
  }

  private static Optional<String> flaw(JsonParser parser) throws IOException {
    JsonToken token = parser.nextToken();
    if (token == null) {
      return Optional.of("There is nothing where a JSON value should be");
    }
    int depth = 0;
    while (token != null) {
      if (token.isStructStart()) {
        depth++;
      } else if (token.isStructEnd()) {
        depth--;
      }
      // A string that is not read to its end is skipped, without a copy of it, and checked so.
      token = parser.nextToken();
      if (depth == 0 && token != null) {
        return Optional.of("Not one JSON value: something follows it at column " + column(parser));
      }
    }
    return Optional.empty();
  }

  private static String refusal(IOException failure) {
    if (!(failure instanceof JsonProcessingException e)) {
      return "Not JSON in UTF-8: " + failure.getMessage();
    }
    return "Not JSON: "
        + e.getOriginalMessage().replaceAll("\\p{Cntrl}+", " ")
        + (e.getLocation() == null
            ? ""
            : " (line "
                + e.getLocation().getLineNr()
                + ", column "
                + e.getLocation().getColumnNr()
                + ")");
  }

  private static int column(JsonParser parser) {
    return parser.currentTokenLocation().getColumnNr();
  }

  /** A pool with the numbers of its queue. */
  public static ObjectNode pool(SchedulerActor.PoolView pool, QueueCounts jobs) {
    ObjectNode node = object();
    node.put("name", pool.spec().name());
    node.set("size", TreeJson.size(pool.spec().size()));
    node.put("wanted", pool.wanted());
    node.put("running", pool.running());
    node.put("queued", jobs.queued());
    node.put("active", jobs.running());
    node.put("succeeded", jobs.succeeded());
    node.put("failed", jobs.failed());
    node.put("dead", jobs.dead());
    node.put("cancelled", jobs.cancelled());
    node.put("overtaken", jobs.overtaken());
    Map<String, Integer> causes = new TreeMap<>(pool.causes());
    jobs.causes().forEach((kind, count) -> causes.merge(kind.name(), count, Integer::sum));
    ObjectNode all = node.putObject("causes");
    causes.forEach(all::put);
    node.put("draining", pool.draining());
    node.putObject("rollout")
        .put("current", pool.rollout().current())
        .put("old", pool.rollout().old())
        .put("failure", pool.rollout().failure());
    ArrayNode waiting = node.putArray("waitingBecause");
    pool.waitingBecause().forEach(waiting::add);
    node.put("command", pool.spec().command());
    node.put("protocol", pool.spec().protocol().name().toLowerCase(Locale.ROOT));
    ArrayNode secrets = node.putArray("secrets");
    pool.spec().secrets().forEach(secret -> secrets.add(secret.name()));
    return node;
  }
}
