package io.troupe.executor.channel;

import io.troupe.protocol.codec.Frame;
import io.troupe.protocol.codec.FrameCodec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * The executor's end of one worker process's socket. {@link #send} writes at once, on the caller's
 * thread, what the socket takes, and leaves the rest to the selector thread: it never blocks.
 */
public final class Channel {
  private final SocketChannel socket;
  private final SelectionKey key;
  private final Deque<ByteBuffer> unsent = new ArrayDeque<>();

  Channel(SocketChannel socket, SelectionKey key) {
    this.socket = socket;
    this.key = key;
  }

  /**
   * Sends frames, all of them or, when the other side is gone, none; then the listener has heard or
   * will hear that. Any thread.
   */
  public void send(List<Frame> frames) {
    ByteBuffer bytes = FrameCodec.write(frames);
    synchronized (unsent) {
      unsent.add(bytes);
      if (unsent.size() > 1) {
        return;
      }
      try {
        flush();
      } catch (IOException e) {
        unsent.clear();
        close(); // the selector thread sees the end of the stream and says so
      }
    }
  }

  /** Closes the socket, which tells the process to end. Any thread; more than once does no harm. */
  public void close() {
    try {
      socket.shutdownOutput();
      socket.shutdownInput();
    } catch (IOException e) {
      // already gone
    }
  }

  /** The selector thread found that the socket takes more. */
  void writable() throws IOException {
    synchronized (unsent) {
      flush();
    }
  }

  private void flush() throws IOException {
    while (!unsent.isEmpty()) {
      ByteBuffer first = unsent.getFirst();
      socket.write(first);
      if (first.hasRemaining()) {
        key.interestOpsOr(SelectionKey.OP_WRITE);
        key.selector().wakeup();
        return;
      }
      unsent.removeFirst();
    }
    if ((key.interestOps() & SelectionKey.OP_WRITE) != 0) {
      key.interestOpsAnd(~SelectionKey.OP_WRITE);
    }
  }
}
