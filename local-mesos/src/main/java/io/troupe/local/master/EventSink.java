package io.troupe.local.master;

import com.google.protobuf.Message;

/**
 * One subscriber's stream of events. Neither call blocks or throws; after the stream has ended,
 * either way, what is sent is dropped.
 */
public interface EventSink {

  /** Queues the event behind those already sent. */
  void send(Message event);

  /** Ends the stream in order, after what was sent. */
  void complete();
}
