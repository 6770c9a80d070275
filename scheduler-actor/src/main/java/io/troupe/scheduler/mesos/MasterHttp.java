package io.troupe.scheduler.mesos;

import akka.Done;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.Http;
import akka.http.javadsl.OutgoingConnectionBuilder;
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
import akka.japi.Pair;
import akka.stream.BoundedSourceQueue;
import akka.stream.KillSwitches;
import akka.stream.Materializer;
import akka.stream.QueueOfferResult;
import akka.stream.SharedKillSwitch;
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
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * HTTP to one master, for one subscription: one connection for the stream of events, one for calls,
 * which arrive in the order in which they were sent. Its listener is called from stream threads.
 */
final class MasterHttp implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MasterHttp.class);
  private static final int MAX_EVENT_BYTES = 256 << 20;
  private static final int MAX_CALLS_WAITING = 4096;
  private static final int MAX_ANSWER_BYTES = 64 << 10;
  private static final scala.concurrent.duration.Duration ANSWER_WITHIN =
      scala.concurrent.duration.Duration.create(75, TimeUnit.SECONDS);
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
  private final ActorSystem<?> system;
  private final ConcurrentLinkedQueue<Call.Type> unanswered = new ConcurrentLinkedQueue<>();
  private Optional<BoundedSourceQueue<HttpRequest>> calls = Optional.empty();
  private volatile Optional<String> streamId = Optional.empty();

  MasterHttp(
      ActorSystem<?> system, MesosSettings settings, MasterAddress master, Listener listener) {
    this.system = system;
    this.settings = settings;
    this.master = master;
    this.listener = listener;
    this.materializer = Materializer.matFromSystem(system);
  }

  /** A connection of its own for requests that are answered in order. */
  private BoundedSourceQueue<HttpRequest> open(
      int waiting,
      scala.concurrent.duration.Duration idleTimeout,
      Function<HttpResponse, CompletionStage<Done>> answered,
      Consumer<Optional<Throwable>> ended) {
    OutgoingConnectionBuilder connection =
        Http.get(system)
            .connectionTo(master.host())
            .toPort(master.port())
            .withClientConnectionSettings(connectionSettings(idleTimeout));
    Pair<BoundedSourceQueue<HttpRequest>, CompletionStage<Done>> line =
        Source.<HttpRequest>queue(waiting)
            .via(connections.flow())
            .via(master.secure() ? connection.https() : connection.http())
            .mapAsync(1, answered::apply)
            .toMat(Sink.ignore(), Keep.both())
            .run(materializer);
    line.second().whenComplete((done, failure) -> ended.accept(Optional.ofNullable(failure)));
    return line.first();
  }

  private ClientConnectionSettings connectionSettings(
      scala.concurrent.duration.Duration idleTimeout) {
    ClientConnectionSettings defaults = ClientConnectionSettings.create(system.classicSystem());
    return defaults
        .withConnectingTimeout(
            scala.concurrent.duration.Duration.fromNanos(settings.connectTimeout().toNanos()))
        .withIdleTimeout(idleTimeout)
        .withParserSettings(
            defaults
                .getParserSettings()
                .withMaxContentLength(Long.MAX_VALUE)
                .withMaxChunkSize(MAX_EVENT_BYTES));
  }

  /** Sends SUBSCRIBE on the connection that will carry the events. */
  void subscribe(Call call) {
    AtomicBoolean answered = new AtomicBoolean();
    open(
            1,
            scala.concurrent.duration.Duration.Inf(),
            response -> {
              answered.set(true);
              return subscribeAnswered(response);
            },
            failure -> {
              if (!answered.get()) {
                listener.subscribeAnswered(unreachable(failure));
              }
            })
        .offer(request(call));
  }

  /** Sends a call; false when too many wait to be sent. One thread at a time. */
  boolean send(Call call) {
    HttpRequest request = request(call);
    unanswered.add(call.getType());
    QueueOfferResult offered = calls().offer(request);
    if (offered instanceof QueueOfferResult.QueueClosed$
        || offered instanceof QueueOfferResult.Failure) {
      // A master may close a connection that has been idle; whatever was under way has been told.
      calls = Optional.empty();
      offered = calls().offer(request);
    }
    return offered == QueueOfferResult.enqueued();
  }

  private BoundedSourceQueue<HttpRequest> calls() {
    if (calls.isEmpty()) {
      calls =
          Optional.of(open(MAX_CALLS_WAITING, ANSWER_WITHIN, this::callAnswered, this::callsEnded));
    }
    return calls.get();
  }

  private void callsEnded(Optional<Throwable> failure) {
    Call.Type lost = unanswered.poll();
    if (lost != null) {
      listener.callAnswered(lost, unreachable(failure));
    }
  }

  private static Answer unreachable(Optional<Throwable> failure) {
    return new Answer(
        Answer.UNREACHABLE,
        Optional.empty(),
        failure.map(MasterHttp::reason).orElse("the connection was closed"));
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

  private CompletionStage<Done> subscribeAnswered(HttpResponse response) {
    if (response.status().intValue() == 200) {
      streamId = response.getHeader(STREAM_ID).map(HttpHeader::value);
      listener.subscribeAnswered(new Answer(200, Optional.empty(), ""));
      return read(response);
    }
    return strict(response)
        .thenApply(
            answer -> {
              listener.subscribeAnswered(answer);
              return Done.getInstance();
            });
  }

  private CompletionStage<Done> read(HttpResponse response) {
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
              return Done.getInstance();
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

  private CompletionStage<Done> callAnswered(HttpResponse response) {
    return strict(response)
        .thenApply(
            answer -> {
              Call.Type call = unanswered.poll();
              if (call != null) {
                listener.callAnswered(call, answer);
              }
              return Done.getInstance();
            });
  }

  private CompletionStage<Answer> strict(HttpResponse response) {
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
  }
}
