package io.troupe.scheduler.api;

import akka.NotUsed;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.marshalling.sse.EventStreamMarshalling;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.sse.ServerSentEvent;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Route;
import akka.stream.javadsl.Source;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.typesafe.config.Config;
import io.troupe.protocol.WireMessage;
import io.troupe.scheduler.pool.PoolFact;
import io.troupe.scheduler.watch.EventFeed;
import io.troupe.scheduler.watch.TreeJson;
import io.troupe.scheduler.watch.TreeKeeper;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** The node itself: its version, and the workers it sees. */
final class NodeRoutes extends Asking {
  private static final Duration KEEP_ALIVE = Duration.ofSeconds(5);

  private final ApiParts parts;
  private final ApiSettings settings;
  private final String management;

  NodeRoutes(ActorSystem<?> system, ApiParts parts, ApiSettings settings) {
    super(system);
    this.parts = parts;
    this.settings = settings;
    Config http = system.settings().config().getConfig("akka.management.http");
    this.management = "http://" + http.getString("hostname") + ":" + http.getInt("port");
  }

  /** Below /v1. */
  Route routes() {
    return concat(
        path(PathMatchers.segment("version"), () -> get(() -> complete(version()))),
        path(PathMatchers.segment("info"), () -> get(() -> answer(info()))),
        path(PathMatchers.segment("workers"), () -> get(() -> answer(workers()))),
        path(PathMatchers.segment("events"), () -> get(this::events)));
  }

  private Route events() {
    Source<ServerSentEvent, NotUsed> events =
        Source.<EventFeed.Event>queue(settings.eventBuffer())
            .watchTermination(
                (follower, ended) -> {
                  parts.events().tell(new EventFeed.Follow(follower));
                  ended.whenComplete(
                      (done, failure) -> parts.events().tell(new EventFeed.Unfollow(follower)));
                  return NotUsed.getInstance();
                })
            .map(event -> ServerSentEvent.create(event.json(), event.type()))
            .keepAlive(KEEP_ALIVE, ServerSentEvent::heartbeat);
    return completeOK(events, EventStreamMarshalling.toEventStream());
  }

  private static String programVersion() {
    return Optional.ofNullable(NodeRoutes.class.getPackage().getImplementationVersion())
        .orElse("development");
  }

  /** Where this node's other doors are, and what it is to Mesos. */
  private CompletionStage<HttpResponse> info() {
    return this.<TreeKeeper.Command, PoolFact.FrameworkChanged>ask(
            parts.tree(), TreeKeeper.GetFramework::new)
        .thenApply(
            framework -> {
              ObjectNode node = Json.object().put("version", programVersion());
              node.putObject("framework")
                  .put("id", framework.id().orElse(null))
                  .put("master", framework.master())
                  .put("state", framework.state().name());
              return json(200, node.put("management", management));
            });
  }

  private static HttpResponse version() {
    String version = programVersion();
    return json(
        200,
        Json.object()
            .put("name", "troupe")
            .put("version", version)
            .put("protocol", WireMessage.VERSION));
  }

  private CompletionStage<HttpResponse> workers() {
    return this.<TreeKeeper.Command, List<TreeKeeper.WorkerRow>>ask(
            parts.tree(), TreeKeeper.ListWorkers::new)
        .thenApply(
            rows -> {
              ArrayNode array = Json.array();
              for (TreeKeeper.WorkerRow row : rows) {
                ObjectNode node = TreeJson.worker(row.worker());
                node.put("pool", row.pool());
                node.put("agentId", row.agentId());
                node.put("executorId", row.executorId());
                node.put("host", row.host());
                array.add(node);
              }
              return json(200, array);
            });
  }
}
