package io.troupe.scheduler.mesos;

import akka.actor.typed.ActorSystem;
import akka.http.javadsl.ConnectHttp;
import akka.http.javadsl.HostConnectionPool;
import akka.http.javadsl.Http;
import akka.http.javadsl.model.ContentType;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.MediaTypes;
import akka.http.javadsl.model.headers.Accept;
import akka.http.javadsl.model.headers.Authorization;
import akka.http.javadsl.model.headers.RawHeader;
import akka.http.javadsl.settings.ClientConnectionSettings;
import akka.http.javadsl.settings.ConnectionPoolSettings;
import akka.japi.Pair;
import akka.stream.BoundedSourceQueue;
import akka.stream.KillSwitches;
import akka.stream.Materializer;
import akka.stream.QueueOfferResult;
import akka.stream.SharedKillSwitch;
import akka.stream.javadsl.Flow;
import akka.stream.javadsl.Keep;
import akka.stream.javadsl.Sink;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import io.troupe.mesos.RecordIo;
import io.troupe.mesos.WireFormat;
import io.troupe.mesos.WireFormat.UnreadableBodyException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.concurrent.duration.Duration;
import scala.util.Try;

/**
 * HTTP to one master, for one subscription: one connection for the stream of events, one for calls,
 * which arrive in the order in which they were sent. Its listener is called from stream threads.
 */
final class MasterHttp implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MasterHttp.class);
  private static final int MAX_EVENT_BYTES = 256 << 20;
  private static final int MAX_CALLS_WAITING = 4096;
  private static final int MAX_ANSWER_BYTES = 64 << 10;
  private static final long ANSWER_MILLIS = 75_000;
  private static final String STREAM_ID = "Mesos-Stream-Id";
  private static final String PATH = "/api/v1/scheduler";
  private static final ContentType PROTOBUF =
      MediaTypes.applicationBinary("x-protobuf", false).toContentType();

  /** What the master says. */
  interface Listener {
    /** The answer to SUBSCRIBE; events follow only after 200. */
    void subscribeAnswered(Answer answer);

    /** The next event of the stream. */
    void received(Event event);

    /**
     * No more events come.
     *
     * @param how ": " and the reason, or nothing
     */
    void streamEnded(String how);

    /** The answer to a call. */
    void callAnswered(Call.Type type, Answer answer);
  }

  /**
   * An answer.
   *
   * @param status {@link #UNREACHABLE} when there was none
   * @param location where it redirects to
   * @param text what it says, word for word
   */
  record Answer(int status, Optional<String> location, String text) {
    static final int UNREACHABLE = 0;
  }

  private final MesosSettings settings;
  private final MasterAddress master;
  private final Listener listener;
  private final Materializer materializer;
  private final SharedKillSwitch connections = KillSwitches.shared("master");
  private final Pair<BoundedSourceQueue<Pair<HttpRequest, Call.Type>>, HostConnectionPool> stream;
  private final Pair<BoundedSourceQueue<Pair<HttpRequest, Call.Type>>, HostConnectionPool> calls;
  private volatile Optional<String> streamId = Optional.empty();

  MasterHttp(
      ActorSystem<?> system, MesosSettings settings, MasterAddress master, Listener listener) {
    this.settings = settings;
    this.master = master;
    this.listener = listener;
    this.materializer = Materializer.matFromSystem(system);
    this.stream = open(system, 1, Duration.Inf(), this::subscribeAnswered);
    this.calls =
        open(
            system,
            MAX_CALLS_WAITING,
            Duration.create(ANSWER_MILLIS, java.util.concurrent.TimeUnit.MILLISECONDS),
            this::callAnswered);
  }

  private Pair<BoundedSourceQueue<Pair<HttpRequest, Call.Type>>, HostConnectionPool> open(
      ActorSystem<?> system,
      int waiting,
      Duration idleTimeout,
      java.util.function.Function<Pair<Try<HttpResponse>, Call.Type>, CompletionStage<akka.Done>>
          answered) {
    ConnectionPoolSettings pool = poolSettings(system, idleTimeout);
    Http http = Http.get(system);
    ConnectHttp to =
        master.secure()
            ? ConnectHttp.toHostHttps(master.host(), master.port())
            : ConnectHttp.toHost(master.host(), master.port());
    Flow<Pair<HttpRequest, Call.Type>, Pair<Try<HttpResponse>, Call.Type>, HostConnectionPool>
        connection =
            http.newHostConnectionPool(to, pool, system.classicSystem().log(), materializer);
    return Source.<Pair<HttpRequest, Call.Type>>queue(waiting)
        .via(connections.flow())
        .viaMat(connection, Keep.both())
        .mapAsync(1, answered::apply)
        .to(Sink.ignore())
        .run(materializer);
  }

  private ConnectionPoolSettings poolSettings(ActorSystem<?> system, Duration idleTimeout) {
    scala.concurrent.duration.FiniteDuration connectTimeout =
        Duration.fromNanos(settings.connectTimeout().toNanos());
    ClientConnectionSettings connection = ClientConnectionSettings.create(system.classicSystem());
    return ConnectionPoolSettings.create(system.classicSystem())
        .withMaxConnections(1)
        .withMinConnections(0)
        .withPipeliningLimit(1)
        .withMaxRetries(0)
        .withIdleTimeout(Duration.Inf())
        .withConnectionSettings(
            connection
                .withConnectingTimeout(connectTimeout)
                .withIdleTimeout(idleTimeout)
                .withParserSettings(
                    connection
                        .getParserSettings()
                        .withMaxContentLength(Long.MAX_VALUE)
                        .withMaxChunkSize(MAX_EVENT_BYTES)));
  }

  /** Sends SUBSCRIBE on the connection that will carry the events. */
  void subscribe(Call call) {
    stream.first().offer(Pair.create(request(call), call.getType()));
  }

  /** Sends a call; false when too many wait to be sent. */
  boolean send(Call call) {
    return calls.first().offer(Pair.create(request(call), call.getType()))
        == QueueOfferResult.enqueued();
  }

  private HttpRequest request(Call call) {
    List<HttpHeader> headers = new ArrayList<>();
    headers.add(Accept.create(contentType().mediaType().toRange()));
    streamId.ifPresent(id -> headers.add(RawHeader.create(STREAM_ID, id)));
    settings
        .credentials()
        .ifPresent(c -> headers.add(Authorization.basic(c.principal(), c.secret())));
    return HttpRequest.POST(PATH)
        .withHeaders(headers)
        .withEntity(
            HttpEntities.create(
                contentType(), ByteString.fromArray(settings.format().write(call))));
  }

  private ContentType contentType() {
    return settings.format() == WireFormat.PROTOBUF ? PROTOBUF : ContentTypes.APPLICATION_JSON;
  }

  private CompletionStage<akka.Done> subscribeAnswered(Pair<Try<HttpResponse>, Call.Type> answer) {
    if (answer.first().isSuccess() && answer.first().get().status().intValue() == 200) {
      HttpResponse response = answer.first().get();
      streamId = response.getHeader(STREAM_ID).map(HttpHeader::value);
      listener.subscribeAnswered(new Answer(200, Optional.empty(), ""));
      return read(response);
    }
    return strict(answer.first())
        .thenApply(
            strict -> {
              listener.subscribeAnswered(strict);
              return akka.Done.getInstance();
            });
  }

  private CompletionStage<akka.Done> read(HttpResponse response) {
    RecordIo.Decoder decoder = new RecordIo.Decoder(MAX_EVENT_BYTES);
    return response
        .entity()
        .withoutSizeLimit()
        .getDataBytes()
        .via(connections.flow())
        .mapConcat(bytes -> decoder.feed(bytes.asByteBuffer()))
        .runForeach(this::received, materializer)
        .handle(
            (done, error) -> {
              listener.streamEnded(error == null ? "" : ": " + reason(error));
              return akka.Done.getInstance();
            });
  }

  private void received(byte[] record) {
    Event.Builder event = Event.newBuilder();
    try {
      settings.format().read(record, event);
      listener.received(event.build());
    } catch (UnreadableBodyException e) {
      LOG.error("Mesos master {} sent an event that cannot be read: {}", master, e.getMessage());
    }
  }

  private CompletionStage<akka.Done> callAnswered(Pair<Try<HttpResponse>, Call.Type> answer) {
    return strict(answer.first())
        .thenApply(
            strict -> {
              listener.callAnswered(answer.second(), strict);
              return akka.Done.getInstance();
            });
  }

  private CompletionStage<Answer> strict(Try<HttpResponse> answer) {
    if (answer.isFailure()) {
      return CompletableFuture.completedFuture(
          new Answer(Answer.UNREACHABLE, Optional.empty(), reason(answer.failed().get())));
    }
    HttpResponse response = answer.get();
    int status = response.status().intValue();
    Optional<String> location = response.getHeader("Location").map(HttpHeader::value);
    return response
        .entity()
        .withSizeLimit(MAX_ANSWER_BYTES)
        .toStrict(settings.connectTimeout().toMillis(), materializer)
        .handle(
            (entity, error) ->
                new Answer(
                    status,
                    location,
                    error != null || entity.getData().isEmpty()
                        ? response.status().toString()
                        : entity.getData().utf8String().strip()));
  }

  private static String reason(Throwable error) {
    Throwable root = error;
    while (root.getCause() != null && root.getCause() != root) {
      root = root.getCause();
    }
    return root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
  }

  /** Closes both connections at once. */
  @Override
  public void close() {
    connections.shutdown();
    stream.first().complete();
    calls.first().complete();
    stream.second().shutdown();
    calls.second().shutdown();
  }
}
