package io.troupe.local.http;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.AskPattern;
import akka.http.javadsl.model.HttpMethods;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.headers.RawHeader;
import io.troupe.local.master.Answer;
import io.troupe.local.master.CallValidation;
import io.troupe.local.master.MasterActor;
import io.troupe.mesos.WireFormat;
import io.troupe.mesos.WireFormat.UnreadableBodyException;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.mesos.v1.scheduler.Protos.Call;

/** {@code /api/v1/scheduler}: reads calls, checks their shape, opens streams. */
final class SchedulerEndpoint {

  private static final String STREAM_ID = "Mesos-Stream-Id";
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final ActorSystem<?> system;
  private final ActorRef<MasterActor.Command> master;

  SchedulerEndpoint(ActorSystem<?> system, ActorRef<MasterActor.Command> master) {
    this.system = system;
    this.master = master;
  }

  CompletionStage<HttpResponse> handle(HttpRequest request) {
    if (!request.method().equals(HttpMethods.POST)) {
      return done(Replies.methodNotAllowed(request, "POST"));
    }
    if (!Negotiation.saysContentType(request)) {
      return done(Replies.text(400, Texts.CONTENT_TYPE_MISSING));
    }
    Optional<WireFormat> format = Negotiation.formatOf(request);
    if (format.isEmpty()) {
      return done(Replies.text(415, Texts.CONTENT_TYPE_UNKNOWN));
    }
    return Bodies.read(
        request,
        akka.stream.Materializer.matFromSystem(system),
        body -> {
          Call.Builder call = Call.newBuilder();
          try {
            format.get().read(body, call);
          } catch (UnreadableBodyException e) {
            return done(Replies.text(400, e.getMessage()));
          }
          return act(request, call.build());
        });
  }

  private CompletionStage<HttpResponse> act(HttpRequest request, Call call) {
    Optional<String> error = CallValidation.error(call);
    if (error.isPresent()) {
      return done(Replies.text(400, Texts.SCHEDULER_CALL_INVALID + error.get()));
    }
    Optional<String> streamId = request.getHeader(STREAM_ID).map(header -> header.value());
    if (call.getType() == Call.Type.SUBSCRIBE) {
      return done(subscribe(request, call, streamId));
    }
    if (call.getType() == Call.Type.RECONCILE_OPERATIONS
        && Negotiation.accepted(request).isEmpty()) {
      return done(Replies.text(406, Texts.NOT_ACCEPTABLE));
    }
    return AskPattern.<MasterActor.Command, Answer>ask(
            master,
            replyTo -> new MasterActor.SchedulerCall(call, streamId, replyTo),
            PATIENCE,
            system.scheduler())
        .handle(
            (answer, failure) ->
                failure == null ? Replies.of(answer) : Replies.text(503, Texts.NO_ANSWER));
  }

  private HttpResponse subscribe(HttpRequest request, Call call, Optional<String> streamId) {
    Optional<WireFormat> wanted = Negotiation.accepted(request);
    if (wanted.isEmpty()) {
      return Replies.text(406, Texts.NOT_ACCEPTABLE);
    }
    if (streamId.isPresent()) {
      return Replies.text(400, Texts.STREAM_ID_WITH_SUBSCRIBE);
    }
    String newStreamId = UUID.randomUUID().toString();
    HttpEventSink.Opened opened =
        HttpEventSink.open(
            wanted.get(),
            akka.stream.Materializer.matFromSystem(system),
            closed -> master.tell(new MasterActor.StreamClosed(closed)));
    master.tell(new MasterActor.Subscribe(call, newStreamId, opened.sink()));
    return opened.response().addHeader(RawHeader.create(STREAM_ID, newStreamId));
  }

  private static CompletionStage<HttpResponse> done(HttpResponse response) {
    return CompletableFuture.completedStage(response);
  }
}
