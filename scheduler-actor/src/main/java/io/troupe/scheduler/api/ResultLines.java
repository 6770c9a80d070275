package io.troupe.scheduler.api;

import akka.util.ByteString;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.scheduler.jobs.JobEnd;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.watch.TreeJson;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import org.jspecify.annotations.Nullable;

/**
 * The lines of a map's answer, gathered until somebody takes them. Written by hand because there
 * are very many of them: a result is copied in as it came, not read. Not thread-safe.
 */
final class ResultLines {
  private static final int FIRST_ROOM = 16 * 1024;
  private static final byte[] INDEX = ascii("{\"index\":");
  private static final byte[] ID = ascii(",\"id\":\"");
  private static final byte[] RESULT = ascii("\",\"result\":");
  private static final byte[] ERROR = ascii("\",\"error\":");
  private static final byte[] ERROR_WITHOUT_ID = ascii(",\"error\":");
  private static final byte[] END = ascii("}\n");
  private static final byte[] NULL = ascii("null");

  /** A body of so many bytes is passed on as it is: a copy would cost more than a piece more. */
  private static final int LARGE = 16 * 1024;

  private final int firstRoom;
  private ByteString whole = ByteString.emptyByteString();
  private byte[] buffer;
  private int length;

  /** For many lines. */
  ResultLines() {
    this(FIRST_ROOM);
  }

  /** For so many bytes, or a few more. */
  ResultLines(int firstRoom) {
    this.firstRoom = firstRoom;
    this.buffer = new byte[firstRoom];
  }

  /** How many bytes wait to be taken. */
  int size() {
    return whole.size() + length;
  }

  /** All lines since the last call. */
  ByteString take() {
    ByteString taken = whole.concat(ByteString.fromArrayUnsafe(buffer, 0, length));
    whole = ByteString.emptyByteString();
    buffer = new byte[firstRoom];
    length = 0;
    return taken;
  }

  /** A job has ended. */
  void add(JobEnd end) {
    put(INDEX);
    put(end.index());
    put(ID);
    put(end.id());
    if (end.state() == JobState.SUCCEEDED) {
      put(RESULT);
      result(end);
    } else {
      put(ERROR);
      put(Json.bytes(jobError(end.state(), end.cause()).toJson()));
    }
    put(END);
  }

  /** A line has not become a job. */
  void add(long index, ApiError error) {
    put(INDEX);
    put(index);
    put(ERROR_WITHOUT_ID);
    put(Json.bytes(error.toJson()));
    put(END);
  }

  /**
   * A job has ended whose result is kept in a file.
   *
   * @param body its bytes, in one line if they are JSON; null when they cannot be told
   */
  void add(JobEnd end, @Nullable ByteString body) {
    if (end.state() != JobState.SUCCEEDED) {
      add(end);
      return;
    }
    put(INDEX);
    put(end.index());
    put(ID);
    put(end.id());
    if (body == null) {
      put(ERROR);
      put(Json.bytes(forgotten(end.id()).toJson()));
    } else if (end.type().plain() == ContentType.BYTES) {
      put(RESULT);
      base64(body.toArrayUnsafe());
    } else {
      put(RESULT);
      whole = take().concat(body);
    }
    put(END);
  }

  /** A result that is too large for a line, or has made room for others. */
  static ApiError forgotten(String job) {
    return ApiError.of(
        409,
        "RESULT_NOT_HERE",
        "The job has succeeded, but its result is not kept any more, or has more than "
            + Blobs.LONGEST_LINE
            + " bytes and is only at /v1/jobs/"
            + job
            + "/result");
  }

  /** How the end of a job that did not succeed is told. */
  static ApiError jobError(JobState state, @Nullable Cause cause) {
    String message = cause == null ? "The job is " + state : cause.message();
    ApiError error = ApiError.of(409, "JOB_" + state, message);
    if (cause != null) {
      error.details().set("cause", TreeJson.cause(cause));
    }
    return error;
  }

  private void result(JobEnd end) {
    byte[] body = end.body();
    if (end.type() == ContentType.BYTES) {
      base64(body);
    } else if (body.length == 0) {
      put(NULL);
    } else if (body.length >= LARGE && PlainText.isOneLine(body)) {
      put(body);
    } else {
      int from = length;
      room(body.length);
      System.arraycopy(body, 0, buffer, length, body.length);
      length += body.length;
      PlainText.joinLines(buffer, from, length);
    }
  }

  private void base64(byte[] body) {
    put("\"");
    put(Base64.getEncoder().encode(body));
    put("\",\"encoding\":\"base64\"");
  }

  private void put(long number) {
    if (number >= 0 && number < 10) {
      room(1);
      buffer[length++] = (byte) ('0' + number);
    } else {
      put(Long.toString(number));
    }
  }

  @SuppressWarnings("deprecation") // the fast way for text known to be ASCII
  private void put(String ascii) {
    room(ascii.length());
    ascii.getBytes(0, ascii.length(), buffer, length);
    length += ascii.length();
  }

  /** The array is the lines' own from now on. */
  private void put(byte[] bytes) {
    if (bytes.length >= LARGE) {
      whole = take().concat(ByteString.fromArrayUnsafe(bytes));
      return;
    }
    room(bytes.length);
    System.arraycopy(bytes, 0, buffer, length, bytes.length);
    length += bytes.length;
  }

  private void room(int more) {
    if (length + more > buffer.length) {
      buffer = Arrays.copyOf(buffer, Math.max(length + more, buffer.length * 2));
    }
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
