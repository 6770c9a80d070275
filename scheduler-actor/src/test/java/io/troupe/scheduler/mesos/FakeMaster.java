package io.troupe.scheduler.mesos;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.troupe.mesos.RecordIo;
import io.troupe.mesos.WireFormat;
import io.troupe.mesos.WireFormat.UnreadableBodyException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;

/**
 * A master that does what its test tells it, over real HTTP. SUBSCRIBE is answered with a stream,
 * other calls with 202, unless an answer was prepared; every call is kept for the test to see.
 */
final class FakeMaster implements AutoCloseable {

  /** A call as it came. */
  record Request(Call call, Optional<String> streamId, Map<String, String> headers, int peerPort) {}

  private record Prepared(int status, String body, Map<String, String> headers) {}

  private final HttpServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final BlockingQueue<Request> requests = new LinkedBlockingQueue<>();
  private final BlockingQueue<Stream> streams = new LinkedBlockingQueue<>();
  private final ConcurrentLinkedQueue<Prepared> forSubscribe = new ConcurrentLinkedQueue<>();
  private final ConcurrentLinkedQueue<Prepared> forCalls = new ConcurrentLinkedQueue<>();

  FakeMaster() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/api/v1/scheduler", this::handle);
    server.setExecutor(threads);
    server.start();
  }

  String address() {
    return "127.0.0.1:" + server.getAddress().getPort();
  }

  /** The next SUBSCRIBE gets this answer and no stream. */
  void answerSubscribe(int status, String body, Map<String, String> headers) {
    forSubscribe.add(new Prepared(status, body, headers));
  }

  /** The next other call gets this answer. */
  void answerCall(int status, String body) {
    forCalls.add(new Prepared(status, body, Map.of()));
  }

  Request nextRequest() throws InterruptedException {
    Request request = requests.poll(30, TimeUnit.SECONDS);
    if (request == null) {
      throw new AssertionError("no call came within 30 s");
    }
    return request;
  }

  boolean hasRequest() {
    return !requests.isEmpty();
  }

  /** The stream of the next subscription. */
  Stream nextStream() throws InterruptedException {
    Stream stream = streams.poll(30, TimeUnit.SECONDS);
    if (stream == null) {
      throw new AssertionError("nobody subscribed within 30 s");
    }
    return stream;
  }

  private void handle(HttpExchange exchange) throws IOException {
    String type = exchange.getRequestHeaders().getFirst("Content-Type");
    WireFormat format =
        WireFormat.JSON.mediaType().equals(type) ? WireFormat.JSON : WireFormat.PROTOBUF;
    Call.Builder call = Call.newBuilder();
    try {
      format.read(exchange.getRequestBody().readAllBytes(), call);
    } catch (UnreadableBodyException e) {
      answer(exchange, new Prepared(400, String.valueOf(e.getMessage()), Map.of()));
      return;
    }
    Map<String, String> headers = new java.util.HashMap<>();
    exchange.getRequestHeaders().forEach((name, values) -> headers.put(name, values.get(0)));
    requests.add(
        new Request(
            call.build(),
            Optional.ofNullable(exchange.getRequestHeaders().getFirst("Mesos-Stream-Id")),
            headers,
            exchange.getRemoteAddress().getPort()));
    if (call.getType() != Call.Type.SUBSCRIBE) {
      Prepared prepared = forCalls.poll();
      answer(exchange, prepared == null ? new Prepared(202, "", Map.of()) : prepared);
      return;
    }
    Prepared prepared = forSubscribe.poll();
    if (prepared != null) {
      answer(exchange, prepared);
      return;
    }
    String streamId = java.util.UUID.randomUUID().toString();
    exchange.getResponseHeaders().set("Content-Type", format.mediaType());
    exchange.getResponseHeaders().set("Mesos-Stream-Id", streamId);
    exchange.sendResponseHeaders(200, 0);
    streams.add(new Stream(streamId, format, exchange.getResponseBody()));
  }

  private static void answer(HttpExchange exchange, Prepared prepared) throws IOException {
    prepared.headers().forEach(exchange.getResponseHeaders()::set);
    byte[] body = prepared.body().getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(prepared.status(), body.length == 0 ? -1 : body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  /** The events of one subscription. */
  record Stream(String id, WireFormat format, OutputStream out) {
    void emit(Event event) {
      write(RecordIo.encode(format.write(event)));
    }

    /** Bytes as they are, in as many writes as there are. */
    void write(byte[] bytes) {
      try {
        out.write(bytes);
        out.flush();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void end() {
      try {
        out.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
