package io.troupe.protocol.codec;

import io.troupe.model.ContentType;

/**
 * One frame between an executor and the process of a worker; PROTOCOL.md tells what each means. The
 * array is shared, not copied: nobody may change it.
 *
 * @param type what it says
 * @param content how the payload is to be read
 * @param id of the call it belongs to, counted up from 1 on each connection; 0 for none
 * @param name of the function in a {@link Type#JOB}, of the kind of error in an {@link Type#ERROR};
 *     empty otherwise
 * @param payload up to the limit that both sides agreed on
 */
@SuppressWarnings("ArrayRecordComponent") // one for every job: no copy, no wrapper
public record Frame(Type type, ContentType content, long id, String name, byte[] payload) {

  /** The version of the frames; a process that says another one in its HELLO is refused. */
  public static final int VERSION = 1;

  /** What a frame says. */
  public enum Type {
    /** The process is ready for jobs; its first frame, and its only one of this type. */
    HELLO(1),
    /** Run this function. */
    JOB(2),
    /** What the function returned. */
    RESULT(3),
    /** The function could not be run, or raised. */
    ERROR(4),
    /** Finish what you have been sent, then exit with code 0. */
    SHUTDOWN(5),
    /** This job is not wanted any more; only for a process that runs several at once. */
    CANCEL(6),
    /** This job, and those before it that are neither answered nor begun, will not be run. */
    RETURNED(7);

    private final byte code;

    Type(int code) {
      this.code = (byte) code;
    }

    byte code() {
      return code;
    }

    static Type of(byte code) {
      return switch (code) {
        case 1 -> HELLO;
        case 2 -> JOB;
        case 3 -> RESULT;
        case 4 -> ERROR;
        case 5 -> SHUTDOWN;
        case 6 -> CANCEL;
        case 7 -> RETURNED;
        default ->
            throw new FrameCodec.MalformedFrameException(
                "type " + (code & 0xff) + " is not one of protocol version " + VERSION);
      };
    }
  }
}
