package io.troupe.local.http;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.AskPattern;
import akka.http.javadsl.model.HttpMethods;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.stream.Materializer;
import io.troupe.local.agent.AgentActor;
import io.troupe.local.agent.ExecutorCallValidation;
import io.troupe.local.master.Answer;
import io.troupe.mesos.WireFormat;
import io.troupe.mesos.WireFormat.UnreadableBodyException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.mesos.v1.executor.Protos.Call;

/** {@code /api/v1/executor}: reads calls, checks their shape, opens streams. */
final class ExecutorEndpoint {

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final ActorSystem<?> system;
  private final ActorRef<AgentActor.Command> agent;

  ExecutorEndpoint(ActorSystem<?> system, ActorRef<AgentActor.Command> agent) {
    this.system = system;
    this.agent = agent;
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
        Materializer.matFromSystem(system),
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
    Optional<String> error = ExecutorCallValidation.error(call);
    if (error.isPresent()) {
      return done(Replies.text(400, Texts.EXECUTOR_CALL_INVALID + error.get()));
    }
    return switch (call.getType()) {
      case HEARTBEAT -> done(Replies.empty(202));
      case UNKNOWN -> done(Replies.empty(501));
      case SUBSCRIBE -> subscribe(request, call);
      case UPDATE, MESSAGE ->
          AskPattern.<AgentActor.Command, Answer>ask(
                  agent,
                  replyTo -> new AgentActor.ExecutorCall(call, replyTo),
                  PATIENCE,
                  system.scheduler())
              .handle(
                  (answer, failure) ->
                      failure == null ? Replies.of(answer) : Replies.text(503, Texts.NO_ANSWER));
    };
  }

  private CompletionStage<HttpResponse> subscribe(HttpRequest request, Call call) {
    Optional<WireFormat> wanted = Negotiation.accepted(request);
    if (wanted.isEmpty()) {
      return done(Replies.text(406, Texts.NOT_ACCEPTABLE));
    }
    HttpEventSink.Opened opened =
        HttpEventSink.open(
            wanted.get(),
            Materializer.matFromSystem(system),
            closed -> agent.tell(new AgentActor.StreamClosed(closed)));
    return AskPattern.<AgentActor.Command, Optional<Answer>>ask(
            agent,
            replyTo -> new AgentActor.Subscribe(call, opened.sink(), replyTo),
            PATIENCE,
            system.scheduler())
        .handle(
            (refusal, failure) -> {
              if (failure == null && refusal.isEmpty()) {
                return opened.response();
              }
              opened.sink().complete();
              return failure == null
                  ? Replies.of(refusal.get())
                  : Replies.text(503, Texts.NO_ANSWER);
            });
  }

  private static CompletionStage<HttpResponse> done(HttpResponse response) {
    return CompletableFuture.completedStage(response);
  }
}
