package io.troupe.protocol.line;

import io.troupe.protocol.codec.JobLineCodec;
import io.troupe.protocol.codec.LengthPrefix;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One end of a job line. What is sent arrives in its order, or not at all when the connection ends;
 * {@link JobLineCodec} says what it is.
 */
public final class JobLine {
  private static final Logger log = LoggerFactory.getLogger(JobLine.class);

  /** As much as a supervisor may hold, and its results; who leaves more unread is cut off. */
  private static final long MOST_UNSENT = 64 << 20;

  /** What an end hears, on the loop's thread. */
  public interface Listener {
    /** A message, to be read before this returns; throws when it cannot be. */
    void received(ByteBuffer message);

    /**
     * The connection is over, or could not be made; the last that is heard.
     *
     * @param why one line for people; empty when the other end closed it
     */
    void ended(String why);
  }

  private final SocketChannel socket;
  private final EventLoop loop;
  private final SelectionKey key;
  private final SocketOutput output;
  private final LengthPrefix messages = new LengthPrefix(this::messageBytes);
  private final ByteBuffer chunk;
  private int mostBytes;

  /** Only the loop's thread touches it. */
  private Listener listener;

  private boolean over;

  JobLine(SocketChannel socket, EventLoop loop, int mostBytes, Listener listener)
      throws IOException {
    this.socket = socket;
    this.loop = loop;
    this.listener = listener;
    this.mostBytes = mostBytes;
    this.chunk = loop.chunk();
    socket.configureBlocking(false);
    socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
    socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
    this.key = socket.register(loop.selector(), 0);
    this.output = new SocketOutput(socket, key, MOST_UNSENT);
    Consumer<SelectionKey> ready = any -> ready();
    key.attach(ready);
  }

  /**
   * Connects, in the background, and says who speaks: a supervisor's end.
   *
   * @param loop must outlive it
   * @param token that the queue's end was told to expect
   * @param listener called on the loop's thread
   */
  public static JobLine connect(
      EventLoop loop, InetSocketAddress address, String token, Listener listener)
      throws IOException {
    SocketChannel socket = SocketChannel.open();
    try {
      JobLine line = new JobLine(socket, loop, JobLineCodec.MAX_BYTES, listener);
      loop.execute(() -> line.connect(address, token));
      return line;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  private void connect(InetSocketAddress address, String token) {
    try {
      if (socket.connect(address)) {
        connected(token);
      } else {
        Consumer<SelectionKey> connecting = any -> finishConnect(token);
        key.attach(connecting);
        key.interestOps(SelectionKey.OP_CONNECT);
      }
    } catch (IOException | RuntimeException e) { // an address that is none is a RuntimeException
      end("it cannot connect to " + address + ": " + e.getMessage());
    }
  }

  private void finishConnect(String token) {
    try {
      if (socket.finishConnect()) {
        connected(token);
      }
    } catch (IOException e) {
      end("it cannot connect: " + e.getMessage());
    }
  }

  private void connected(String token) {
    Consumer<SelectionKey> ready = any -> ready();
    key.attach(ready);
    key.interestOps(SelectionKey.OP_READ);
    output.send(JobLineCodec.hello(token));
  }

  /** Hears what comes from now on; the loop's thread. */
  void open() {
    key.interestOps(SelectionKey.OP_READ);
  }

  /** From now on this one hears what comes, of messages as large as may be; the loop's thread. */
  void handTo(Listener next) {
    listener = next;
    mostBytes = JobLineCodec.MAX_BYTES;
  }

  /**
   * Sends a message of {@link JobLineCodec}, or nothing when the connection is over; one that is
   * too large is lost with an error in the log. Never blocks. Any thread, but not before the
   * connection is made.
   */
  public void send(ByteBuffer message) {
    if (message.remaining() > JobLineCodec.MAX_BYTES) {
      log.error("A message of {} bytes is lost: no job line takes it", message.remaining());
      return;
    }
    output.send(message);
  }

  /**
   * Ends the connection, with what has not been taken by the socket; both listeners hear it. Any
   * thread; more than once does no harm.
   */
  public void close() {
    loop.execute(() -> end("closed here"));
  }

  private void ready() {
    try {
      if (key.isWritable()) {
        output.writable();
      }
      if (key.isReadable()) {
        read();
      }
    } catch (IOException e) {
      end("");
    } catch (RuntimeException e) {
      log.warn("A job line is closed: {}", e.getMessage());
      end("what came cannot be read: " + e.getMessage());
    }
  }

  private void read() throws IOException {
    chunk.clear();
    int count = socket.read(chunk);
    if (count < 0) {
      end("");
      return;
    }
    chunk.flip();
    messages.feed(chunk, message -> listener.received(message));
  }

  private int messageBytes(int length) {
    long bytes = (length & 0xffff_ffffL) + LengthPrefix.BYTES;
    if (bytes > mostBytes || length == 0) {
      throw new IllegalArgumentException("a message of " + bytes + " bytes");
    }
    return (int) bytes;
  }

  private void end(String why) {
    if (over) {
      return;
    }
    over = true;
    try {
      socket.close();
    } catch (IOException e) {
      // gone anyway
    }
    listener.ended(why);
  }
}
