package io.troupe.executor.channel;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.protocol.codec.Frame;
import io.troupe.protocol.codec.FrameCodec;
import io.troupe.protocol.line.EventLoop;
import io.troupe.protocol.line.SocketOutput;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the worker processes of one executor connect: one Unix domain socket for all, and an {@link
 * EventLoop} on whose thread listeners are called. A process proves by a token which worker it is.
 */
public final class ChannelServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ChannelServer.class);
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final Path path;
  private final int maxFrameBytes;
  private final EventLoop loop;
  private final ServerSocketChannel server;
  private final Map<String, ChannelListener> expected = new ConcurrentHashMap<>();

  private ChannelServer(Path path, int maxFrameBytes, EventLoop loop, ServerSocketChannel server) {
    this.path = path;
    this.maxFrameBytes = maxFrameBytes;
    this.loop = loop;
    this.server = server;
  }

  /**
   * Listens.
   *
   * @param path of the socket, at most about 100 bytes long; may be relative to the working
   *     directory; replaced when it exists
   * @param maxFrameBytes a process that announces a larger frame loses its connection
   * @param loop must outlive it
   */
  public static ChannelServer open(Path path, int maxFrameBytes, EventLoop loop)
      throws IOException {
    Files.deleteIfExists(path);
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(path));
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    server.configureBlocking(false);
    ChannelServer opened = new ChannelServer(path, maxFrameBytes, loop, server);
    Consumer<SelectionKey> newcomers = key -> opened.accept();
    server.register(loop.selector(), SelectionKey.OP_ACCEPT, newcomers);
    loop.selector().wakeup();
    return opened;
  }

  /** The largest frame either side may send. */
  public int maxFrameBytes() {
    return maxFrameBytes;
  }

  /** From now on, the process that shows this token is the listener's. Any thread. */
  public void expect(String token, ChannelListener listener) {
    expected.put(token, listener);
  }

  /** Nobody may show this token any more. Any thread. */
  public void forget(String token) {
    expected.remove(token);
  }

  @Override
  public void close() throws IOException {
    server.close();
    Files.deleteIfExists(path);
  }

  private void accept() {
    try {
      SocketChannel socket = server.accept();
      if (socket != null) {
        socket.configureBlocking(false);
        SelectionKey key = socket.register(loop.selector(), SelectionKey.OP_READ);
        Consumer<SelectionKey> reader =
            new Peer(socket, new SocketOutput(socket, key, Long.MAX_VALUE))::ready;
        key.attach(reader);
      }
    } catch (IOException e) {
      log.warn("A worker process could not connect: {}", e.getMessage());
    }
  }

  /** One connection; only the loop's thread touches it. */
  private final class Peer {
    private final SocketChannel socket;
    private final SocketOutput output;
    private final FrameCodec.Decoder decoder = new FrameCodec.Decoder(maxFrameBytes);
    private @Nullable ChannelListener listener;

    Peer(SocketChannel socket, SocketOutput output) {
      this.socket = socket;
      this.output = output;
    }

    void ready(SelectionKey key) {
      try {
        if (key.isWritable()) {
          output.writable();
        }
        if (key.isReadable()) {
          read();
        }
      } catch (FrameCodec.MalformedFrameException e) {
        end("it sent what is no frame: " + e.getMessage());
      } catch (IOException e) {
        end("");
      }
    }

    private void read() throws IOException {
      ByteBuffer chunk = loop.chunk();
      chunk.clear();
      int count = socket.read(chunk);
      if (count < 0) {
        end("");
        return;
      }
      chunk.flip();
      List<Frame> frames = new ArrayList<>();
      try {
        decoder.feed(chunk, frames::add);
      } finally {
        deliver(frames); // those before a malformed one count
      }
    }

    private void deliver(List<Frame> frames) {
      if (frames.isEmpty()) {
        return;
      }
      if (listener == null) {
        greet(frames.remove(0));
      }
      if (listener != null && !frames.isEmpty()) {
        listener.received(frames);
      }
    }

    private void greet(Frame first) {
      Hello hello;
      try {
        hello = MAPPER.readValue(first.payload(), Hello.class);
      } catch (IOException e) {
        hello = new Hello(0, 0, "", "", 1);
      }
      ChannelListener owner =
          first.type() == Frame.Type.HELLO ? expected.remove(hello.token()) : null;
      if (owner == null) {
        log.warn("A process connected that is no worker's: dropped");
        end("");
        return;
      }
      listener = owner;
      if (hello.protocol() != Frame.VERSION) {
        end(
            "it speaks version "
                + hello.protocol()
                + " of the frames, and this executor "
                + Frame.VERSION);
        return;
      }
      owner.connected(new Channel(output), hello);
    }

    private void end(String why) {
      try {
        socket.close();
      } catch (IOException e) {
        // gone anyway
      }
      if (listener != null) {
        listener.ended(why);
        listener = null;
      }
    }
  }
}
