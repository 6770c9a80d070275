package io.troupe.mesos;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Protobuf messages as the JSON that Mesos writes and reads, which is not protobuf's own JSON
 * mapping: field names as in the proto file, 64-bit integers as numbers, unset optional fields that
 * have an explicit default written with it, lenient reading. Follows {@code JSON::protobuf} of
 * stout/protobuf.hpp. Thread-safe.
 */
public final class MesosJson {

  private static final JsonFactory FACTORY = new JsonFactory();
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private MesosJson() {}

  /**
   * Text that is not JSON at all, or JSON that the message cannot hold; the message is Mesos' own
   * wording as far as it is known.
   */
  public static final class InvalidJsonException extends Exception {
    /** Whether the text was not even JSON. */
    private final boolean syntax;

    InvalidJsonException(String message, boolean syntax) {
      super(message);
      this.syntax = syntax;
    }

    /** True when the text is not JSON; false when it is JSON that does not fit the message. */
    public boolean syntax() {
      return syntax;
    }
  }

  // ---- writing

  /** The message as UTF-8 JSON on one line. */
  public static byte[] write(Message message) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(512);
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      write(message, json);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    return out.toByteArray();
  }

  /** Writes the message as an object at the generator's position. */
  public static void write(Message message, JsonGenerator json) throws IOException {
    json.writeStartObject();
    for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
      if (field.isMapField()) {
        writeMap(message, field, json);
      } else if (field.isRepeated()) {
        writeRepeated(message, field, json);
      } else if (message.hasField(field) || hasLiveDefault(field)) {
        json.writeFieldName(field.getName());
        writeValue(field, message.getField(field), json);
      }
    }
    json.writeEndObject();
  }

  private static boolean hasLiveDefault(FieldDescriptor field) {
    return field.hasDefaultValue() && !field.getOptions().getDeprecated();
  }

  private static void writeMap(Message message, FieldDescriptor field, JsonGenerator json)
      throws IOException {
    if (message.getRepeatedFieldCount(field) == 0) {
      return;
    }
    FieldDescriptor key = field.getMessageType().findFieldByName("key");
    FieldDescriptor value = field.getMessageType().findFieldByName("value");
    json.writeObjectFieldStart(field.getName());
    for (int i = 0; i < message.getRepeatedFieldCount(field); i++) {
      Message entry = (Message) message.getRepeatedField(field, i);
      json.writeFieldName(entry.getField(key).toString());
      writeValue(value, entry.getField(value), json);
    }
    json.writeEndObject();
  }

  private static void writeRepeated(Message message, FieldDescriptor field, JsonGenerator json)
      throws IOException {
    int count = message.getRepeatedFieldCount(field);
    if (count == 0) {
      return;
    }
    json.writeArrayFieldStart(field.getName());
    for (int i = 0; i < count; i++) {
      writeValue(field, message.getRepeatedField(field, i), json);
    }
    json.writeEndArray();
  }

  private static void writeValue(FieldDescriptor field, Object value, JsonGenerator json)
      throws IOException {
    switch (field.getJavaType()) {
      case MESSAGE -> write((Message) value, json);
      case ENUM -> json.writeString(((EnumValueDescriptor) value).getName());
      case BYTE_STRING ->
          json.writeString(Base64.getEncoder().encodeToString(((ByteString) value).toByteArray()));
      case STRING -> json.writeString((String) value);
      case BOOLEAN -> json.writeBoolean((Boolean) value);
      case INT -> json.writeNumber(((Integer) value).intValue());
      case LONG -> writeLong(field, (Long) value, json);
      case FLOAT -> json.writeNumber(((Float) value).floatValue());
      case DOUBLE -> writeDouble((Double) value, json);
    }
  }

  private static void writeLong(FieldDescriptor field, long value, JsonGenerator json)
      throws IOException {
    boolean unsigned =
        field.getType() == FieldDescriptor.Type.UINT64
            || field.getType() == FieldDescriptor.Type.FIXED64;
    if (unsigned && value < 0) {
      json.writeNumber(Long.toUnsignedString(value));
    } else {
      json.writeNumber(value);
    }
  }

  private static void writeDouble(double value, JsonGenerator json) throws IOException {
    if (Double.isInfinite(value)) {
      json.writeString(value > 0 ? "Infinity" : "-Infinity");
    } else {
      json.writeNumber(value);
    }
  }

  // ---- reading

  /**
   * Fills the builder from the text, as lenient as Mesos: unknown names are skipped, null is unset,
   * a scalar stands for a list of one, numbers and booleans may be strings, an unknown name of an
   * optional enum leaves it unset.
   *
   * @throws InvalidJsonException when the text is not an object, or a value does not fit its field,
   *     or a required field is missing
   */
  public static void read(byte[] text, Message.Builder into) throws InvalidJsonException {
    JsonNode node;
    try {
      node = MAPPER.readTree(text);
    } catch (JsonProcessingException e) {
      throw new InvalidJsonException(
          "syntax error at line " + lineOf(e) + " near: " + restOfLine(text, e), true);
    } catch (IOException e) {
      throw new UncheckedIOException("reading from memory", e);
    }
    if (node == null || node.isMissingNode()) {
      throw new InvalidJsonException("syntax error at line 1 near: ", true);
    }
    if (!node.isObject()) {
      throw new InvalidJsonException("Expecting a JSON object", false);
    }
    readObject(node, into);
    if (!into.isInitialized()) {
      throw new InvalidJsonException(
          "Missing required fields: " + String.join(", ", into.findInitializationErrors()), false);
    }
  }

  private static long lineOf(JsonProcessingException e) {
    return e.getLocation() == null ? 1 : e.getLocation().getLineNr();
  }

  /** What Mesos shows of the text: from the first character that does not fit to the line's end. */
  private static String restOfLine(byte[] text, JsonProcessingException e) {
    long from = e.getLocation() == null ? -1 : e.getLocation().getByteOffset();
    if (from < 0 || from >= text.length) {
      return "";
    }
    String rest = new String(text, (int) from, text.length - (int) from, UTF_8);
    int end = rest.indexOf('\n');
    return end < 0 ? rest : rest.substring(0, end);
  }

  private static void readObject(JsonNode object, Message.Builder into)
      throws InvalidJsonException {
    Iterator<Map.Entry<String, JsonNode>> fields = object.fields();
    while (fields.hasNext()) {
      Map.Entry<String, JsonNode> entry = fields.next();
      FieldDescriptor field = into.getDescriptorForType().findFieldByName(entry.getKey());
      if (field != null && !entry.getValue().isNull()) {
        readField(field, entry.getValue(), into);
      }
    }
  }

  private static void readField(FieldDescriptor field, JsonNode value, Message.Builder into)
      throws InvalidJsonException {
    if (field.isMapField()) {
      readMap(field, value, into);
    } else if (field.isRepeated()) {
      for (JsonNode element : value.isArray() ? elements(value) : List.of(value)) {
        Object read = readValue(field, element, into);
        if (read != null) {
          into.addRepeatedField(field, read);
        }
      }
    } else if (value.isArray()) {
      throw new InvalidJsonException(
          "Not expecting a JSON array for field '" + field.getName() + "'", false);
    } else {
      Object read = readValue(field, value, into);
      if (read != null) {
        into.setField(field, read);
      }
    }
  }

  private static List<JsonNode> elements(JsonNode array) {
    List<JsonNode> elements = new ArrayList<>();
    array.forEach(elements::add);
    return elements;
  }

  private static void readMap(FieldDescriptor field, JsonNode value, Message.Builder into)
      throws InvalidJsonException {
    if (!value.isObject()) {
      throw unexpected(field, value);
    }
    FieldDescriptor keyField = field.getMessageType().findFieldByName("key");
    FieldDescriptor valueField = field.getMessageType().findFieldByName("value");
    Iterator<Map.Entry<String, JsonNode>> entries = value.fields();
    while (entries.hasNext()) {
      Map.Entry<String, JsonNode> entry = entries.next();
      Message.Builder mapEntry = into.newBuilderForField(field);
      Object key = readValue(keyField, MAPPER.getNodeFactory().textNode(entry.getKey()), mapEntry);
      Object mapped = readValue(valueField, entry.getValue(), mapEntry);
      if (key != null && mapped != null) {
        into.addRepeatedField(
            field, mapEntry.setField(keyField, key).setField(valueField, mapped).build());
      }
    }
  }

  /** The value for the field; null for an enum name that this side does not know. */
  private static @Nullable Object readValue(
      FieldDescriptor field, JsonNode value, Message.Builder parent) throws InvalidJsonException {
    return switch (field.getJavaType()) {
      case MESSAGE -> {
        if (!value.isObject()) {
          throw unexpected(field, value);
        }
        Message.Builder child = parent.newBuilderForField(field);
        readObject(value, child);
        yield child.buildPartial();
      }
      case ENUM -> {
        if (!value.isTextual()) {
          throw unexpected(field, value);
        }
        yield field.getEnumType().findValueByName(value.textValue());
      }
      case BYTE_STRING -> readBytes(field, value);
      case STRING -> {
        if (!value.isTextual()) {
          throw unexpected(field, value);
        }
        yield value.textValue();
      }
      case BOOLEAN -> readBoolean(field, value);
      case INT -> (int) readLong(field, value);
      case LONG -> readLong(field, value);
      case FLOAT -> (float) readDouble(field, value);
      case DOUBLE -> readDouble(field, value);
    };
  }

  private static ByteString readBytes(FieldDescriptor field, JsonNode value)
      throws InvalidJsonException {
    if (!value.isTextual()) {
      throw unexpected(field, value);
    }
    try {
      return ByteString.copyFrom(Base64.getDecoder().decode(value.textValue()));
    } catch (IllegalArgumentException e) {
      throw new InvalidJsonException(
          "Failed to base64 decode bytes field '"
              + field.getName()
              + "': "
              + firstInvalid(value.textValue(), e),
          false);
    }
  }

  private static String firstInvalid(String base64, IllegalArgumentException e) {
    return base64
        .chars()
        .filter(c -> !(c < 128 && (Character.isLetterOrDigit(c) || "+/=".indexOf(c) >= 0)))
        .mapToObj(c -> "Invalid character '" + Character.toString(c) + "'")
        .findFirst()
        .orElse(e.getMessage());
  }

  private static boolean readBoolean(FieldDescriptor field, JsonNode value)
      throws InvalidJsonException {
    if (value.isBoolean()) {
      return value.booleanValue();
    }
    if (value.isTextual()
        && (value.textValue().equals("true") || value.textValue().equals("false"))) {
      return value.textValue().equals("true");
    }
    throw unexpected(field, value);
  }

  private static long readLong(FieldDescriptor field, JsonNode value) throws InvalidJsonException {
    if (value.isIntegralNumber()) {
      return value.bigIntegerValue().longValue();
    }
    if (value.isNumber()) {
      return (long) value.doubleValue();
    }
    if (value.isTextual()) {
      try {
        return Long.parseLong(value.textValue().strip());
      } catch (NumberFormatException e) {
        throw new InvalidJsonException(
            "Failed to parse '"
                + value.textValue()
                + "' as a JSON number for field '"
                + field.getName()
                + "': syntax error at line 1 near: "
                + value.textValue(),
            false);
      }
    }
    throw unexpected(field, value);
  }

  private static double readDouble(FieldDescriptor field, JsonNode value)
      throws InvalidJsonException {
    if (value.isNumber()) {
      return value.doubleValue();
    }
    if (value.isTextual()) {
      try {
        return Double.parseDouble(value.textValue().strip());
      } catch (NumberFormatException e) {
        throw new InvalidJsonException(
            "Failed to parse '"
                + value.textValue()
                + "' as a JSON number for field '"
                + field.getName()
                + "': syntax error at line 1 near: "
                + value.textValue(),
            false);
      }
    }
    throw unexpected(field, value);
  }

  private static InvalidJsonException unexpected(FieldDescriptor field, JsonNode value) {
    return new InvalidJsonException(
        "Not expecting a JSON "
            + value.getNodeType().name().toLowerCase(java.util.Locale.ROOT)
            + " for field '"
            + field.getName()
            + "'",
        false);
  }
}
