package io.troupe.protocol.codec;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;

/**
 * Cuts a stream into pieces, each of which begins with its length; chunk borders mean nothing to
 * it. The length is four bytes, big-endian, and does not count itself. Not thread-safe: one belongs
 * to one connection.
 */
public final class LengthPrefix {

  /** Bytes of the length. */
  public static final int BYTES = 4;

  private final IntUnaryOperator pieceBytes;
  private ByteBuffer rest = ByteBuffer.allocate(0);

  /**
   * @param pieceBytes how long a piece is, its length included, by the length that it begins with;
   *     throws when no piece may be that long, before memory is taken for it
   */
  public LengthPrefix(IntUnaryOperator pieceBytes) {
    this.pieceBytes = pieceBytes;
  }

  /**
   * Hands over the pieces that the chunk completes, lengths included, in order, and keeps what is
   * left of it. A piece is to be read before the call returns: it may be a part of the chunk. When
   * a length is refused, this is of no use afterwards.
   */
  public void feed(ByteBuffer chunk, Consumer<ByteBuffer> pieces) {
    while (rest.position() > 0 && chunk.hasRemaining()) {
      completeRest(chunk, pieces);
    }
    while (chunk.remaining() >= BYTES) {
      int bytes = pieceBytes.applyAsInt(chunk.getInt(chunk.position()));
      if (chunk.remaining() < bytes) {
        break;
      }
      int end = chunk.position() + bytes;
      pieces.accept(chunk.slice(chunk.position(), bytes));
      chunk.position(end);
    }
    if (chunk.hasRemaining()) {
      int bytes =
          chunk.remaining() < BYTES ? BYTES : pieceBytes.applyAsInt(chunk.getInt(chunk.position()));
      rest = ByteBuffer.allocate(bytes).put(chunk);
    }
  }

  /** Fills the piece that earlier chunks began: first its length, then the whole of it. */
  private void completeRest(ByteBuffer chunk, Consumer<ByteBuffer> pieces) {
    if (rest.position() < BYTES) {
      rest.put(chunk.get());
      if (rest.position() == BYTES) {
        int bytes = pieceBytes.applyAsInt(rest.getInt(0));
        rest = ByteBuffer.wrap(Arrays.copyOf(rest.array(), bytes)).position(BYTES);
      }
      return;
    }
    int taken = Math.min(rest.remaining(), chunk.remaining());
    rest.put(chunk.slice(chunk.position(), taken));
    chunk.position(chunk.position() + taken);
    if (!rest.hasRemaining()) {
      ByteBuffer whole = rest.flip();
      rest = ByteBuffer.allocate(0);
      pieces.accept(whole);
    }
  }
}
