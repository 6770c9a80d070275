package io.troupe.local.http;

import akka.NotUsed;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import akka.japi.Pair;
import akka.stream.BoundedSourceQueue;
import akka.stream.Materializer;
import akka.stream.QueueOfferResult;
import akka.stream.javadsl.Keep;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import com.google.protobuf.Message;
import io.troupe.local.master.EventSink;
import io.troupe.mesos.RecordIo;
import io.troupe.mesos.WireFormat;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A subscriber's stream as the chunks of an HTTP response, one record a chunk. A subscriber that
 * does not read fast enough loses its connection, not the master its time or memory.
 */
final class HttpEventSink implements EventSink {

  private static final Logger LOG = LoggerFactory.getLogger(HttpEventSink.class);
  private static final int MAX_WAITING_EVENTS = 16_384;
  private static final long MAX_WAITING_BYTES = 128L << 20;

  private final WireFormat format;
  private final BoundedSourceQueue<ByteString> queue;
  private final AtomicLong waitingBytes;
  private final AtomicBoolean ended = new AtomicBoolean();

  private HttpEventSink(
      WireFormat format, BoundedSourceQueue<ByteString> queue, AtomicLong waitingBytes) {
    this.format = format;
    this.queue = queue;
    this.waitingBytes = waitingBytes;
  }

  /** A sink and the response that it feeds. */
  record Opened(HttpEventSink sink, HttpResponse response) {}

  /**
   * @param onClosed told once, when nothing more can be sent, whoever ended it
   */
  static Opened open(WireFormat format, Materializer materializer, Consumer<EventSink> onClosed) {
    AtomicLong waiting = new AtomicLong();
    Pair<
            Pair<BoundedSourceQueue<ByteString>, CompletionStage<akka.Done>>,
            Source<ByteString, NotUsed>>
        made =
            Source.<ByteString>queue(MAX_WAITING_EVENTS)
                .map(
                    record -> {
                      waiting.addAndGet(-record.size());
                      return record;
                    })
                .watchTermination(Keep.both())
                .preMaterialize(materializer);
    HttpEventSink sink = new HttpEventSink(format, made.first().first(), waiting);
    made.first()
        .second()
        .whenComplete(
            (done, failure) -> {
              sink.ended.set(true);
              onClosed.accept(sink);
            });
    HttpResponse response =
        HttpResponse.create()
            .withStatus(200)
            .withEntity(HttpEntities.createChunked(Replies.contentType(format), made.second()));
    return new Opened(sink, response);
  }

  @Override
  public void send(Message event) {
    if (ended.get()) {
      return;
    }
    ByteString record = ByteString.fromArrayUnsafe(RecordIo.encode(format.write(event)));
    if (waitingBytes.addAndGet(record.size()) > MAX_WAITING_BYTES) {
      dropSlowSubscriber();
      return;
    }
    QueueOfferResult offered = queue.offer(record);
    if (offered == QueueOfferResult.dropped()) {
      dropSlowSubscriber();
    }
  }

  private void dropSlowSubscriber() {
    if (!ended.compareAndSet(false, true)) {
      return;
    }
    LOG.warn("A subscriber does not read its events; closing its connection");
    queue.fail(new IllegalStateException("The subscriber does not read its events"));
  }

  @Override
  public void complete() {
    if (ended.compareAndSet(false, true)) {
      queue.complete();
    }
  }
}
