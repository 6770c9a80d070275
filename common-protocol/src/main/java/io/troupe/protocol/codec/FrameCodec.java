package io.troupe.protocol.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.troupe.model.ContentType;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Consumer;

/**
 * {@link Frame}s as bytes and back. A frame is a header of 16 bytes (length of what follows the
 * length itself, type, content type, length of the name, id; big-endian), the name, the payload.
 */
public final class FrameCodec {

  /** Bytes before the name. */
  public static final int HEADER_BYTES = 16;

  private static final int MAX_NAME_BYTES = 0xffff;

  private FrameCodec() {}

  /** Bytes that are no frame, or one above the limit; the message is one line for people. */
  public static final class MalformedFrameException extends RuntimeException {
    MalformedFrameException(String message) {
      super(message);
    }
  }

  /**
   * The frames' bytes, one after the other, ready to be read.
   *
   * @throws MalformedFrameException when a name is longer than 65,535 bytes
   */
  public static ByteBuffer write(List<Frame> frames) {
    int bytes = 0;
    byte[][] names = new byte[frames.size()][];
    for (int i = 0; i < names.length; i++) {
      Frame frame = frames.get(i);
      names[i] = frame.name().getBytes(UTF_8);
      if (names[i].length > MAX_NAME_BYTES) {
        throw new MalformedFrameException("a name of " + names[i].length + " bytes");
      }
      bytes = Math.addExact(bytes, HEADER_BYTES + names[i].length + frame.payload().length);
    }
    ByteBuffer out = ByteBuffer.allocate(bytes);
    for (int i = 0; i < names.length; i++) {
      Frame frame = frames.get(i);
      out.putInt(HEADER_BYTES - LengthPrefix.BYTES + names[i].length + frame.payload().length)
          .put(frame.type().code())
          .put(code(frame.content()))
          .putShort((short) names[i].length)
          .putLong(frame.id())
          .put(names[i])
          .put(frame.payload());
    }
    return out.flip();
  }

  static byte code(ContentType content) {
    return switch (content) {
      case JSON -> 0;
      case BYTES -> 1;
      case JSON_BLOB -> 2;
      case BYTES_BLOB -> 3;
    };
  }

  static ContentType contentType(byte code) {
    return switch (code) {
      case 0 -> ContentType.JSON;
      case 1 -> ContentType.BYTES;
      case 2 -> ContentType.JSON_BLOB;
      case 3 -> ContentType.BYTES_BLOB;
      default ->
          throw new MalformedFrameException(
              "content type "
                  + (code & 0xff)
                  + " is neither JSON (0, in a file 2) nor bytes (1, 3)");
    };
  }

  /**
   * Cuts a stream into frames; chunk borders mean nothing to it. Not thread-safe: one decoder
   * belongs to one connection.
   */
  public static final class Decoder {
    private final int maxFrameBytes;
    private final LengthPrefix pieces = new LengthPrefix(this::frameBytes);

    /**
     * @param maxFrameBytes a frame that announces more is refused before memory is taken for it
     */
    public Decoder(int maxFrameBytes) {
      this.maxFrameBytes = maxFrameBytes;
    }

    /**
     * Hands over the frames that the chunk completes, in order, and keeps what is left of it.
     *
     * @throws MalformedFrameException when a frame is malformed or above the limit; the decoder is
     *     of no use afterwards
     */
    public void feed(ByteBuffer chunk, Consumer<Frame> frames) {
      pieces.feed(chunk, piece -> frames.accept(read(piece)));
    }

    private int frameBytes(int length) {
      long bytes = (length & 0xffff_ffffL) + LengthPrefix.BYTES;
      if (bytes > maxFrameBytes) {
        throw new MalformedFrameException(
            "a frame of " + bytes + " bytes is over the limit of " + maxFrameBytes);
      }
      if (bytes < HEADER_BYTES) {
        throw new MalformedFrameException(
            "a frame of " + bytes + " bytes is shorter than its header");
      }
      return (int) bytes;
    }

    private static Frame read(ByteBuffer in) {
      int length = in.getInt();
      Frame.Type type = Frame.Type.of(in.get());
      ContentType content = contentType(in.get());
      int nameBytes = in.getShort() & 0xffff;
      long id = in.getLong();
      int payloadBytes = length - (HEADER_BYTES - LengthPrefix.BYTES) - nameBytes;
      if (payloadBytes < 0) {
        throw new MalformedFrameException("a name of " + nameBytes + " bytes is over its frame");
      }
      String name = "";
      if (nameBytes > 0) {
        byte[] bytes = new byte[nameBytes];
        in.get(bytes);
        name = new String(bytes, UTF_8);
      }
      byte[] payload = new byte[payloadBytes];
      in.get(payload);
      return new Frame(type, content, id, name, payload);
    }
  }
}
