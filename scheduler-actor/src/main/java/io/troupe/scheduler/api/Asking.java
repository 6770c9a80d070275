package io.troupe.scheduler.api;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.DispatcherSelector;
import akka.actor.typed.javadsl.AskPattern;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.StatusCodes;
import akka.http.javadsl.server.AllDirectives;
import akka.http.javadsl.server.Route;
import akka.japi.function.Function;
import akka.pattern.Patterns;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/** What all groups of routes share: questions to actors and answers in JSON. */
abstract class Asking extends AllDirectives {
  /** How long an actor of this node may take to answer a question that needs no waiting. */
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private static final Duration KEEP_ALIVE = Duration.ofSeconds(5);
  private static final ByteString BLANK = ByteString.fromString("\n");

  private final ActorSystem<?> system;

  Asking(ActorSystem<?> system) {
    this.system = system;
  }

  final <Q, A> CompletionStage<A> ask(ActorRef<Q> actor, Function<ActorRef<A>, Q> question) {
    return ask(actor, question, Duration.ZERO);
  }

  final <Q, A> CompletionStage<A> ask(
      ActorRef<Q> actor, Function<ActorRef<A>, Q> question, Duration wait) {
    return askWithin(actor, question, PATIENCE.plus(wait));
  }

  final <Q, A> CompletionStage<A> askWithin(
      ActorRef<Q> actor, Function<ActorRef<A>, Q> question, Duration limit) {
    return Stages.direct(AskPattern.ask(actor, question, limit, system.scheduler()));
  }

  /** Runs what blocks. */
  final Executor blocking() {
    return system.dispatchers().lookup(DispatcherSelector.blocking());
  }

  /** Does it after a pause, and then tells what it tells. */
  final <T> CompletionStage<T> after(Duration pause, Supplier<CompletionStage<T>> what) {
    return Stages.direct(
        Patterns.after(
            pause, system.classicSystem().scheduler(), system.executionContext(), what::get));
  }

  /**
   * Tells a client that has nothing to hear so often that we live, and us, by TCP, that he does.
   */
  static <M> Source<ByteString, M> keptAlive(Source<ByteString, M> lines) {
    return lines.keepAlive(KEEP_ALIVE, () -> BLANK);
  }

  static HttpResponse json(int status, JsonNode body) {
    return HttpResponse.create()
        .withStatus(StatusCodes.get(status))
        .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, Json.bytes(body)));
  }

  /** Completes with the response; a stage that fails is the business of the exception handler. */
  final Route answer(CompletionStage<HttpResponse> response) {
    return completeWithFuture(response);
  }
}
