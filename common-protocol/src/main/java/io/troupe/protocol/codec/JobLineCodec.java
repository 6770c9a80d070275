package io.troupe.protocol.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import akka.actor.typed.ActorRef;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The messages of a job line as bytes and back. A message is its length ({@link LengthPrefix}), a
 * byte for its type, and its parts in the order in which its record names them: numbers big-endian,
 * texts in UTF-8, these, arrays and lists with their length or size before them. Thread-safe.
 */
public final class JobLineCodec {

  /** The largest message, its length included; a payload of 8 MiB fits, alone. */
  public static final int MAX_BYTES = 9 << 20;

  private static final byte HELLO = 1;
  private static final byte REGISTERED = 2;
  private static final byte ASSIGN = 3;
  private static final byte CANCEL = 4;
  private static final byte PULL = 5;
  private static final byte SETTLE = 6;
  private static final byte RENEW = 7;

  /** About what a message takes besides payloads, and each job in it. */
  private static final int USUAL_BYTES = 160;

  /** By their codes. */
  private static final List<Outcome.Kind> KINDS =
      List.of(
          Outcome.Kind.SUCCEEDED,
          Outcome.Kind.FAILED,
          Outcome.Kind.LOST,
          Outcome.Kind.NOT_STARTED,
          Outcome.Kind.CANCELLED);

  private static final ObjectMapper MAPPER = new ObjectMapper();

  private JobLineCodec() {}

  /** Bytes that are no message, or not one that may come here; the text is one line for people. */
  public static final class MalformedMessageException extends RuntimeException {
    MalformedMessageException(String message) {
      super(message);
    }
  }

  /** The first message of a supervisor: the token that it was told. */
  public static ByteBuffer hello(String token) {
    Writer out = new Writer(HELLO, USUAL_BYTES);
    out.text(token);
    return out.message();
  }

  /** A message to a supervisor. */
  public static ByteBuffer write(SchedulerToSupervisor.OverLine message) {
    if (message instanceof SchedulerToSupervisor.Assign assign) {
      return write(assign);
    }
    if (message instanceof SchedulerToSupervisor.Cancel cancel) {
      Writer out = new Writer(CANCEL, USUAL_BYTES * (1 + cancel.attempts().size()));
      out.attempts(cancel.attempts());
      return out.message();
    }
    SchedulerToSupervisor.Registered registered = (SchedulerToSupervisor.Registered) message;
    Writer out = new Writer(REGISTERED, USUAL_BYTES);
    out.number(registered.lease().toMillis());
    out.text(registered.blobs());
    return out.message();
  }

  private static ByteBuffer write(SchedulerToSupervisor.Assign assign) {
    int bytes = USUAL_BYTES;
    for (Assignment job : assign.assignments()) {
      bytes += USUAL_BYTES + job.payload().length;
    }
    Writer out = new Writer(ASSIGN, bytes);
    out.size(assign.assignments().size());
    for (Assignment job : assign.assignments()) {
      out.text(job.job());
      out.size(job.attempt());
      out.text(job.function());
      out.code(FrameCodec.code(job.type()));
      out.bytes(job.payload());
      out.number(job.timeoutMillis());
      out.code(job.exclusive() ? 1 : 0);
    }
    out.number(assign.settledUpTo());
    return out.message();
  }

  /** A message to a queue. */
  public static ByteBuffer write(SupervisorToQueue message) {
    if (message instanceof SupervisorToQueue.Settle settle) {
      return write(settle);
    }
    if (message instanceof SupervisorToQueue.Renew renew) {
      int attempts = renew.held().size() + renew.running().size();
      Writer out = new Writer(RENEW, USUAL_BYTES * (1 + attempts));
      out.text(renew.supervisor());
      out.attempts(renew.held());
      out.attempts(renew.running());
      out.size(renew.capacity());
      return out.message();
    }
    SupervisorToQueue.Pull pull = (SupervisorToQueue.Pull) message;
    Writer out = new Writer(PULL, USUAL_BYTES);
    out.text(pull.supervisor());
    out.size(pull.capacity());
    return out.message();
  }

  private static ByteBuffer write(SupervisorToQueue.Settle settle) {
    int bytes = USUAL_BYTES;
    for (Outcome outcome : settle.outcomes()) {
      bytes += USUAL_BYTES + outcome.body().length;
    }
    Writer out = new Writer(SETTLE, bytes);
    out.text(settle.supervisor());
    out.number(settle.sequence());
    out.size(settle.outcomes().size());
    for (Outcome outcome : settle.outcomes()) {
      out.text(outcome.job());
      out.size(outcome.attempt());
      out.code(KINDS.indexOf(outcome.kind()));
      out.code(FrameCodec.code(outcome.type()));
      out.bytes(outcome.body());
      out.cause(outcome.cause());
      out.text(outcome.worker());
      out.number(outcome.runMicros());
    }
    out.size(settle.capacity());
    return out.message();
  }

  /**
   * The token of a supervisor's first message.
   *
   * @throws MalformedMessageException when it is something else
   */
  public static String readHello(ByteBuffer message) {
    Reader in = new Reader(message);
    if (in.type() != HELLO) {
      throw new MalformedMessageException("its first message is of type " + in.type());
    }
    return in.whole(in.text());
  }

  /**
   * A message to a supervisor.
   *
   * @param queue where the supervisor answers
   * @throws MalformedMessageException when it is something else
   */
  public static SchedulerToSupervisor.OverLine readForSupervisor(
      ByteBuffer message, ActorRef<SupervisorToQueue> queue) {
    Reader in = new Reader(message);
    return in.whole(
        switch (in.type()) {
          case ASSIGN -> assign(in);
          case CANCEL -> new SchedulerToSupervisor.Cancel(in.attempts());
          case REGISTERED ->
              new SchedulerToSupervisor.Registered(
                  queue, Duration.ofMillis(in.number()), in.text());
          default -> throw unknown(in);
        });
  }

  private static SchedulerToSupervisor.Assign assign(Reader in) {
    int size = in.count();
    List<Assignment> jobs = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      jobs.add(
          new Assignment(
              in.text(),
              in.size(),
              in.text(),
              in.contentType(),
              in.bytes(),
              in.number(),
              in.code(2) == 1));
    }
    return new SchedulerToSupervisor.Assign(jobs, in.number());
  }

  /**
   * A message to a queue.
   *
   * @throws MalformedMessageException when it is something else
   */
  public static SupervisorToQueue readForQueue(ByteBuffer message) {
    Reader in = new Reader(message);
    return in.whole(
        switch (in.type()) {
          case SETTLE -> settle(in);
          case PULL -> new SupervisorToQueue.Pull(in.text(), in.size());
          case RENEW ->
              new SupervisorToQueue.Renew(in.text(), in.attempts(), in.attempts(), in.size());
          default -> throw unknown(in);
        });
  }

  private static SupervisorToQueue.Settle settle(Reader in) {
    String supervisor = in.text();
    long sequence = in.number();
    int size = in.count();
    List<Outcome> outcomes = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      outcomes.add(
          new Outcome(
              in.text(),
              in.size(),
              KINDS.get(in.code(KINDS.size())),
              in.contentType(),
              in.bytes(),
              in.cause(),
              in.text(),
              in.number()));
    }
    return new SupervisorToQueue.Settle(supervisor, sequence, outcomes, in.size());
  }

  private static MalformedMessageException unknown(Reader in) {
    return new MalformedMessageException("a message of type " + in.type() + " may not come here");
  }

  /** Appends the parts of one message. */
  private static final class Writer {
    private byte[] bytes;
    private int end;

    Writer(byte type, int expected) {
      bytes = new byte[expected];
      end = LengthPrefix.BYTES;
      code(type);
    }

    private void room(int more) {
      if (bytes.length - end < more) {
        bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, Math.addExact(end, more)));
      }
    }

    void code(int value) {
      room(1);
      bytes[end++] = (byte) value;
    }

    void size(int value) {
      room(4);
      put(value);
    }

    private void put(int value) {
      bytes[end++] = (byte) (value >>> 24);
      bytes[end++] = (byte) (value >>> 16);
      bytes[end++] = (byte) (value >>> 8);
      bytes[end++] = (byte) value;
    }

    void number(long value) {
      room(8);
      put((int) (value >>> 32));
      put((int) value);
    }

    void text(String value) {
      bytes(value.getBytes(UTF_8));
    }

    void bytes(byte[] value) {
      room(Math.addExact(4, value.length));
      put(value.length);
      System.arraycopy(value, 0, bytes, end, value.length);
      end += value.length;
    }

    void attempts(List<AttemptRef> attempts) {
      size(attempts.size());
      for (AttemptRef attempt : attempts) {
        text(attempt.job());
        size(attempt.attempt());
      }
    }

    /** Rare, and of many parts: as JSON. */
    void cause(@Nullable Cause cause) {
      try {
        bytes(cause == null ? new byte[0] : MAPPER.writeValueAsBytes(cause));
      } catch (IOException e) {
        throw new UncheckedIOException("writing to memory", e);
      }
    }

    ByteBuffer message() {
      int length = end - LengthPrefix.BYTES;
      ByteBuffer message = ByteBuffer.wrap(bytes, 0, end);
      message.putInt(0, length);
      return message;
    }
  }

  /** Takes the parts of one message. */
  private static final class Reader {
    private final byte[] bytes;
    private int at;

    Reader(ByteBuffer message) {
      bytes = new byte[message.remaining()];
      message.get(bytes);
      at = LengthPrefix.BYTES + 1;
      if (bytes.length < at) {
        throw new MalformedMessageException("a message of " + bytes.length + " bytes");
      }
    }

    byte type() {
      return bytes[LengthPrefix.BYTES];
    }

    private int take(int count) {
      if (count < 0 || bytes.length - at < count) {
        throw new MalformedMessageException(
            "a part of " + count + " bytes where " + (bytes.length - at) + " are left");
      }
      int from = at;
      at += count;
      return from;
    }

    int code(int below) {
      int code = bytes[take(1)] & 0xff;
      if (code >= below) {
        throw new MalformedMessageException("code " + code + " where " + below + " are known");
      }
      return code;
    }

    ContentType contentType() {
      return FrameCodec.contentType((byte) code(256));
    }

    int size() {
      return get(take(4));
    }

    /** How many follow; none takes less than a byte. */
    int count() {
      int count = size();
      if (count < 0 || count > bytes.length - at) {
        throw new MalformedMessageException(
            count + " parts where " + (bytes.length - at) + " bytes are left");
      }
      return count;
    }

    private int get(int from) {
      return (bytes[from] & 0xff) << 24
          | (bytes[from + 1] & 0xff) << 16
          | (bytes[from + 2] & 0xff) << 8
          | (bytes[from + 3] & 0xff);
    }

    long number() {
      int from = take(8);
      return (long) get(from) << 32 | (get(from + 4) & 0xffff_ffffL);
    }

    String text() {
      int length = size();
      return new String(bytes, take(length), length, UTF_8);
    }

    byte[] bytes() {
      int length = size();
      int from = take(length);
      return Arrays.copyOfRange(bytes, from, from + length);
    }

    List<AttemptRef> attempts() {
      int size = count();
      List<AttemptRef> attempts = new ArrayList<>();
      for (int i = 0; i < size; i++) {
        attempts.add(new AttemptRef(text(), size()));
      }
      return attempts;
    }

    @Nullable Cause cause() {
      byte[] json = bytes();
      try {
        return json.length == 0 ? null : MAPPER.readValue(json, Cause.class);
      } catch (IOException e) {
        throw new MalformedMessageException("a cause that cannot be read: " + e.getMessage());
      }
    }

    /** What was read, when nothing is left. */
    <T> T whole(T read) {
      if (at != bytes.length) {
        throw new MalformedMessageException((bytes.length - at) + " bytes too many");
      }
      return read;
    }
  }
}
