package io.troupe.local.http;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.http.javadsl.model.HttpEntity;
import akka.stream.Materializer;
import akka.stream.javadsl.Sink;
import akka.util.ByteString;
import io.troupe.local.master.EventSink;
import io.troupe.mesos.RecordIo;
import io.troupe.mesos.WireFormat;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(value = 1, unit = TimeUnit.MINUTES)
class HttpEventSinkTest {

  private static final Event HEARTBEAT = Event.newBuilder().setType(Event.Type.HEARTBEAT).build();

  private final ActorTestKit kit = ActorTestKit.create();
  private final CompletableFuture<EventSink> closed = new CompletableFuture<>();
  private final HttpEventSink.Opened opened =
      HttpEventSink.open(
          WireFormat.JSON, Materializer.matFromSystem(kit.system()), closed::complete);

  @AfterEach
  void shutDown() {
    kit.shutdownTestKit();
  }

  @Test
  void a_record_is_one_chunk_and_the_end_comes_after_the_last() throws Exception {
    opened.sink().send(HEARTBEAT);
    opened.sink().send(HEARTBEAT);
    opened.sink().complete();
    HttpEntity.Chunked entity = (HttpEntity.Chunked) opened.response().entity();
    List<ByteString> chunks =
        entity
            .getDataBytes()
            .runWith(Sink.seq(), Materializer.matFromSystem(kit.system()))
            .toCompletableFuture()
            .get(30, TimeUnit.SECONDS)
            .stream()
            .map(ByteString.class::cast)
            .toList();
    assertThat(chunks).hasSize(2);
    assertThat(chunks.get(0).utf8String()).isEqualTo("20\n{\"type\":\"HEARTBEAT\"}");
    assertThat(new RecordIo.Decoder(100).feed(ByteBuffer.wrap(chunks.get(1).toArray()))).hasSize(1);
    assertThat(closed.get(30, TimeUnit.SECONDS)).isSameAs(opened.sink());
  }

  @Test
  void a_subscriber_that_does_not_read_is_given_up_without_blocking_the_sender() throws Exception {
    for (int i = 0; i < 50_000; i++) {
      opened.sink().send(HEARTBEAT);
    }
    assertThat(closed.get(30, TimeUnit.SECONDS)).isSameAs(opened.sink());
    opened.sink().send(HEARTBEAT);
    opened.sink().complete();
  }
}
