package io.troupe.protocol.codec;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.WireMessage;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * {@link TaskData} and {@link ClusterInfo} as JSON in UTF-8. Unknown fields are ignored, another
 * version is refused. Thread-safe.
 */
public final class TaskDataCodec {

  private static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .addModule(new JavaTimeModule())
          .disable(SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private TaskDataCodec() {}

  /** Bytes that are not what they should be; the message is one line for people. */
  public static final class UnreadableException extends Exception {
    UnreadableException(String message) {
      super(message);
    }
  }

  /** The bytes for TaskInfo.data. */
  public static byte[] write(TaskData data) {
    return writeValue(data);
  }

  /** The bytes for a framework message. */
  public static byte[] write(ClusterInfo info) {
    return writeValue(info);
  }

  /**
   * Reads TaskInfo.data.
   *
   * @throws UnreadableException when the bytes are not JSON of a known version
   */
  public static TaskData readTaskData(byte[] bytes) throws UnreadableException {
    TaskData data = readValue(bytes, TaskData.class);
    if (data.version() != WireMessage.VERSION) {
      throw new UnreadableException(
          "TaskInfo.data has version "
              + data.version()
              + " but this executor speaks "
              + WireMessage.VERSION);
    }
    return data;
  }

  /**
   * Reads a framework message.
   *
   * @throws UnreadableException when the bytes are not the JSON of one
   */
  public static ClusterInfo readClusterInfo(byte[] bytes) throws UnreadableException {
    return readValue(bytes, ClusterInfo.class);
  }

  private static byte[] writeValue(Object value) {
    try {
      return MAPPER.writeValueAsBytes(value);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
  }

  private static <T> T readValue(byte[] bytes, Class<T> type) throws UnreadableException {
    try {
      return MAPPER.readValue(bytes, type);
    } catch (IOException e) {
      throw new UnreadableException(
          "not the JSON of " + type.getSimpleName() + ": " + e.getMessage());
    }
  }
}
