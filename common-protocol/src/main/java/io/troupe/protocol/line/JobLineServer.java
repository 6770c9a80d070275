package io.troupe.protocol.line;

import io.troupe.protocol.codec.JobLineCodec;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where supervisors connect. One proves by a token who it is; until then it may send little, and
 * few may be so far.
 */
public final class JobLineServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(JobLineServer.class);
  private static final int HELLO_BYTES = 1024;
  private static final int MOST_STRANGERS = 256;
  private static final int PAUSE_MILLIS = 1000;

  private final EventLoop loop;
  private final ServerSocketChannel server;
  private final Map<String, Function<JobLine, JobLine.Listener>> expected =
      new ConcurrentHashMap<>();

  /** Who has not said who it is, longest there first; only the loop's thread touches it. */
  private final Deque<JobLine> strangers = new ArrayDeque<>();

  private JobLineServer(EventLoop loop, ServerSocketChannel server) {
    this.loop = loop;
    this.server = server;
  }

  /**
   * Listens.
   *
   * @param address with port 0 any free one
   * @param loop must outlive it
   */
  public static JobLineServer open(InetSocketAddress address, EventLoop loop) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open();
    try {
      server.bind(address);
      server.configureBlocking(false);
      JobLineServer opened = new JobLineServer(loop, server);
      Consumer<SelectionKey> newcomers = opened::accept;
      server.register(loop.selector(), SelectionKey.OP_ACCEPT, newcomers);
      loop.selector().wakeup();
      return opened;
    } catch (IOException e) {
      server.close();
      throw e;
    }
  }

  /** The port it listens on. */
  public int port() {
    return server.socket().getLocalPort();
  }

  /**
   * From now on, who shows this token has a line; again and again until {@link #forget}. Any
   * thread.
   *
   * @param opened called with each line on the loop's thread; says who hears what comes
   */
  public void expect(String token, Function<JobLine, JobLine.Listener> opened) {
    expected.put(token, opened);
  }

  /** Nobody may show this token any more; lines that are there stay. Any thread. */
  public void forget(String token) {
    expected.remove(token);
  }

  /** Takes no more; lines that are there stay. */
  @Override
  public void close() throws IOException {
    server.close();
  }

  private void accept(SelectionKey key) {
    try {
      SocketChannel socket = server.accept();
      if (socket != null) {
        admit(socket);
      }
    } catch (IOException e) {
      log.warn("A supervisor could not connect: {}", e.getMessage());
      // Who waits to be accepted is still there, and would be again at once.
      key.interestOps(0);
      CompletableFuture.delayedExecutor(PAUSE_MILLIS, TimeUnit.MILLISECONDS, loop)
          .execute(
              () -> {
                if (key.isValid()) {
                  key.interestOps(SelectionKey.OP_ACCEPT);
                }
              });
    }
  }

  private void admit(SocketChannel socket) throws IOException {
    try {
      Stranger stranger = new Stranger();
      stranger.line = new JobLine(socket, loop, HELLO_BYTES, stranger);
      strangers.addLast(stranger.line);
      if (strangers.size() > MOST_STRANGERS) {
        strangers.getFirst().close(); // it hears its end soon
      }
      stranger.line.open();
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  /** Hears the first message of a line. */
  private final class Stranger implements JobLine.Listener {
    private JobLine line;

    @Override
    public void received(ByteBuffer message) {
      Function<JobLine, JobLine.Listener> opened = expected.get(JobLineCodec.readHello(message));
      if (opened == null) {
        throw new IllegalArgumentException("a supervisor that is not expected");
      }
      strangers.remove(line);
      line.handTo(opened.apply(line));
    }

    @Override
    public void ended(String why) {
      strangers.remove(line);
    }
  }
}
