package io.troupe.executor.channel;

import io.troupe.protocol.codec.Frame;
import java.util.List;

/** Hears of one expected connection. Called by the selector thread: it must not block. */
public interface ChannelListener {

  /** The process has said HELLO with the right token and version. */
  void connected(Channel channel, Hello hello);

  /** Frames came, in order. */
  void received(List<Frame> frames);

  /**
   * There will be no more frames; the last call.
   *
   * @param why one line for people; empty when the process just closed its end
   */
  void ended(String why);
}
