package io.troupe.protocol.line;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The sending half of a socket of an {@link EventLoop}. {@link #send} writes at once, on the
 * caller's thread, what the socket takes, and leaves the rest to the loop: it never blocks.
 */
public final class SocketOutput {
  private static final int SLICE_BYTES = 256 << 10;

  private final SocketChannel socket;
  private final SelectionKey key;
  private final long mostUnsent;
  private final Deque<ByteBuffer> unsent = new ArrayDeque<>();
  private long unsentBytes;

  /**
   * The sending half of this socket.
   *
   * @param key of the socket with its loop; whoever hears that it is writable calls {@link
   *     #writable}
   * @param mostUnsent a socket that leaves more bytes than this to be sent is closed
   */
  public SocketOutput(SocketChannel socket, SelectionKey key, long mostUnsent) {
    this.socket = socket;
    this.key = key;
    this.mostUnsent = mostUnsent;
  }

  /**
   * Sends all of it, or nothing when the other side is gone; then the loop sees the end of the
   * stream. Any thread.
   */
  public void send(ByteBuffer bytes) {
    synchronized (unsent) {
      unsent.add(bytes);
      unsentBytes += bytes.remaining();
      try {
        if (unsent.size() == 1) {
          flush();
        }
        if (unsentBytes <= mostUnsent) {
          return;
        }
      } catch (IOException | CancelledKeyException e) {
        // gone, or being closed by the loop; closed below
      }
      unsent.clear();
      unsentBytes = 0;
      close();
    }
  }

  /**
   * Ends the stream in both directions, which the loop sees. Any thread; more than once is fine.
   */
  public void close() {
    try {
      socket.shutdownOutput();
      socket.shutdownInput();
    } catch (IOException e) {
      // already gone
    }
  }

  /** The loop found that the socket takes more. */
  public void writable() throws IOException {
    synchronized (unsent) {
      flush();
    }
  }

  private void flush() throws IOException {
    while (!unsent.isEmpty()) {
      ByteBuffer first = unsent.getFirst();
      // Java copies what it is given out of the heap before it writes, however little is taken.
      int end = first.limit();
      first.limit(Math.min(end, first.position() + SLICE_BYTES));
      unsentBytes -= socket.write(first);
      boolean full = first.hasRemaining();
      first.limit(end);
      if (full) {
        key.interestOpsOr(SelectionKey.OP_WRITE);
        key.selector().wakeup();
        return;
      }
      if (!first.hasRemaining()) {
        unsent.removeFirst();
      }
    }
    if ((key.interestOps() & SelectionKey.OP_WRITE) != 0) {
      key.interestOpsAnd(~SelectionKey.OP_WRITE);
    }
  }
}
