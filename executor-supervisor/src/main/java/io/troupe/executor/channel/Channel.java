package io.troupe.executor.channel;

import io.troupe.protocol.codec.Frame;
import io.troupe.protocol.codec.FrameCodec;
import io.troupe.protocol.line.SocketOutput;
import java.util.List;

/** The executor's end of one worker process's socket; it never blocks. */
public final class Channel {
  private final SocketOutput output;

  Channel(SocketOutput output) {
    this.output = output;
  }

  /**
   * Sends frames, all of them or, when the other side is gone, none; then the listener has heard or
   * will hear that. Any thread.
   */
  public void send(List<Frame> frames) {
    output.send(FrameCodec.write(frames));
  }

  /** Closes the socket, which tells the process to end. Any thread; more than once does no harm. */
  public void close() {
    output.close();
  }
}
