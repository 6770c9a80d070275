package io.troupe.mesos;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.troupe.mesos.MesosJson.InvalidJsonException;

/**
 * How calls and events of the Mesos v1 API stand in an HTTP body. Both are complete; protobuf is
 * faster, JSON can be read by people.
 */
public enum WireFormat {
  JSON("application/json") {
    @Override
    public byte[] write(Message message) {
      return MesosJson.write(message);
    }

    @Override
    public void read(byte[] body, Message.Builder into) throws UnreadableBodyException {
      try {
        MesosJson.read(body, into);
      } catch (InvalidJsonException e) {
        throw new UnreadableBodyException(
            (e.syntax()
                    ? "Failed to parse body into JSON: "
                    : "Failed to convert JSON into " + nameOf(into) + " protobuf: ")
                + e.getMessage());
      }
    }
  },

  PROTOBUF("application/x-protobuf") {
    @Override
    public byte[] write(Message message) {
      return message.toByteArray();
    }

    @Override
    public void read(byte[] body, Message.Builder into) throws UnreadableBodyException {
      try {
        into.mergeFrom(body);
      } catch (InvalidProtocolBufferException e) {
        throw new UnreadableBodyException(
            "Failed to parse body into " + nameOf(into) + " protobuf");
      }
      if (!into.isInitialized()) {
        throw new UnreadableBodyException(
            "Failed to parse body into " + nameOf(into) + " protobuf");
      }
    }
  };

  private final String mediaType;

  WireFormat(String mediaType) {
    this.mediaType = mediaType;
  }

  /** The bare media type; Mesos compares it for equality, so no parameter may be added to it. */
  public String mediaType() {
    return mediaType;
  }

  /** The message as one body or one record. */
  public abstract byte[] write(Message message);

  /**
   * Fills the builder from one body or one record.
   *
   * @throws UnreadableBodyException with the text that a Mesos master answers
   */
  public abstract void read(byte[] body, Message.Builder into) throws UnreadableBodyException;

  private static String nameOf(Message.Builder builder) {
    return builder.getDescriptorForType().getName();
  }

  /** A body that is not the message it should be. */
  public static final class UnreadableBodyException extends Exception {
    UnreadableBodyException(String message) {
      super(message);
    }
  }
}
