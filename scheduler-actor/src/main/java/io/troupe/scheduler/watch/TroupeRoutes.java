package io.troupe.scheduler.watch;

import akka.NotUsed;
import akka.actor.ExtendedActorSystem;
import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.Adapter;
import akka.actor.typed.javadsl.AskPattern;
import akka.http.javadsl.marshalling.sse.EventStreamMarshalling;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.MediaTypes;
import akka.http.javadsl.model.StatusCodes;
import akka.http.javadsl.model.headers.RawHeader;
import akka.http.javadsl.model.sse.ServerSentEvent;
import akka.http.javadsl.server.AllDirectives;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Route;
import akka.japi.function.Function;
import akka.management.javadsl.ManagementRouteProvider;
import akka.management.javadsl.ManagementRouteProviderSettings;
import akka.stream.javadsl.Source;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/**
 * Troupe's own routes beside those of Akka Management: the tree, the stream of its changes, the
 * page, and the metrics. They only read.
 */
public final class TroupeRoutes extends AllDirectives implements ManagementRouteProvider {
  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final Duration KEEP_ALIVE = Duration.ofSeconds(5);
  private static final int EVENTS_AHEAD = 16;
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:";

  private final ExtendedActorSystem system;

  /** Made by Akka Management. */
  public TroupeRoutes(ExtendedActorSystem system) {
    this.system = system;
  }

  @Override
  public Route routes(ManagementRouteProviderSettings settings) {
    return concat(
        pathPrefix(PathMatchers.segment("troupe"), this::troupe),
        path(PathMatchers.segment("metrics"), () -> get(this::metrics)));
  }

  private Route troupe() {
    return get(
        () ->
            concat(
                pathEnd(() -> redirect("/troupe/")),
                pathSingleSlash(() -> file("index.html", "text/html")),
                path(PathMatchers.segment("tree.js"), () -> file("tree.js", "text/javascript")),
                path(PathMatchers.segment("tree.css"), () -> file("tree.css", "text/css")),
                path(PathMatchers.segment("tree"), this::tree),
                path(PathMatchers.segment("workers").slash(PathMatchers.segment()), this::worker),
                path(
                    PathMatchers.segment("tree").slash(PathMatchers.segment("stream")),
                    this::stream)));
  }

  private Route redirect(String to) {
    return redirect(akka.http.javadsl.model.Uri.create(to), StatusCodes.PERMANENT_REDIRECT);
  }

  private Route tree() {
    return completeWithFuture(
        this.<TreeEvent>ask(TreeKeeper.GetTree::new)
            .thenApply(
                tree ->
                    HttpResponse.create()
                        .withEntity(
                            HttpEntities.create(ContentTypes.APPLICATION_JSON, tree.json()))));
  }

  private Route worker(String id) {
    return completeWithFuture(
        this.<Optional<String>>ask(replyTo -> new TreeKeeper.GetLastWords(id, replyTo))
            .thenApply(
                found ->
                    found
                        .map(
                            json ->
                                HttpResponse.create()
                                    .withEntity(
                                        HttpEntities.create(ContentTypes.APPLICATION_JSON, json)))
                        .orElse(HttpResponse.create().withStatus(StatusCodes.NOT_FOUND))));
  }

  private Route stream() {
    Source<ServerSentEvent, NotUsed> events =
        Source.<TreeEvent>queue(EVENTS_AHEAD)
            .mapMaterializedValue(
                follower -> {
                  shown().tree().tell(new TreeKeeper.Follow(follower));
                  return NotUsed.getInstance();
                })
            .map(
                event ->
                    ServerSentEvent.create(
                        event.json(),
                        java.util.Optional.of(event.snapshot() ? "snapshot" : "delta"),
                        java.util.Optional.of(Long.toString(event.seq())),
                        java.util.OptionalInt.empty()))
            .keepAlive(KEEP_ALIVE, ServerSentEvent::heartbeat);
    return completeOK(events, EventStreamMarshalling.toEventStream());
  }

  private Route metrics() {
    return completeWithFuture(
        this.<List<TreeKeeper.WorkerRow>>ask(TreeKeeper.ListWorkers::new)
            .thenApply(
                workers ->
                    HttpResponse.create()
                        .withEntity(
                            HttpEntities.create(
                                ContentTypes.create(
                                    MediaTypes.TEXT_PLAIN,
                                    akka.http.javadsl.model.HttpCharsets.UTF_8),
                                shown().metrics().scrape(workers)))));
  }

  private Route file(String name, String type) {
    try (InputStream file = TroupeRoutes.class.getResourceAsStream("/web/" + name)) {
      if (file == null) {
        throw new IllegalStateException("web/" + name + " is not in the jar");
      }
      return complete(
          HttpResponse.create()
              .addHeader(RawHeader.create("Content-Security-Policy", POLICY))
              .addHeader(RawHeader.create("Cache-Control", "no-cache"))
              .withEntity(
                  HttpEntities.create(
                      akka.http.javadsl.model.ContentTypes.parse(type + "; charset=UTF-8"),
                      file.readAllBytes())));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private <A> CompletionStage<A> ask(Function<ActorRef<A>, TreeKeeper.Command> question) {
    return AskPattern.ask(shown().tree(), question, PATIENCE, Adapter.toTyped(system).scheduler());
  }

  private Watching.Shown shown() {
    return Watching.of(system)
        .orElseThrow(() -> new IllegalStateException("There is nothing to show yet"));
  }
}
