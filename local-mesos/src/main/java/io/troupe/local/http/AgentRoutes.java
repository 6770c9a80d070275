package io.troupe.local.http;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.HttpMethods;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.headers.RawHeader;
import akka.japi.function.Function;
import com.fasterxml.jackson.databind.JsonNode;
import io.troupe.local.agent.AgentActor;
import io.troupe.local.agent.LocalAgent;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** Everything that an agent's port answers. */
public final class AgentRoutes implements Function<HttpRequest, CompletionStage<HttpResponse>> {

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final ActorSystem<?> system;
  private final ActorRef<AgentActor.Command> agent;
  private final Executor blocking;
  private final Set<String> consoleOrigins;
  private final ExecutorEndpoint executor;
  private final FilesEndpoint files;

  /**
   * @param blocking where files are read
   * @param workDir the agent's, whose sandboxes can be looked into
   * @param consoleOrigins pages from there may read the answers
   */
  public AgentRoutes(
      ActorSystem<?> system,
      ActorRef<AgentActor.Command> agent,
      Executor blocking,
      Path workDir,
      Set<String> consoleOrigins) {
    this.system = system;
    this.agent = agent;
    this.blocking = blocking;
    this.consoleOrigins = Set.copyOf(consoleOrigins);
    this.executor = new ExecutorEndpoint(system, agent);
    this.files = new FilesEndpoint(workDir);
  }

  @Override
  public CompletionStage<HttpResponse> apply(HttpRequest request) {
    // The console is served by the master's port and reads what the agents' say.
    Optional<String> reader =
        request.getHeader("Origin").map(origin -> origin.value()).filter(consoleOrigins::contains);
    return route(request)
        .thenApply(
            response ->
                reader
                    .map(
                        origin ->
                            response.addHeader(
                                RawHeader.create("Access-Control-Allow-Origin", origin)))
                    .orElse(response));
  }

  private CompletionStage<HttpResponse> route(HttpRequest request) {
    Optional<List<String>> whole = Paths.segments(request);
    if (whole.isEmpty() || whole.get().isEmpty()) {
      return done(Replies.notFound());
    }
    List<String> segments = whole.get();
    switch (segments.get(0)) {
      case "version" -> {
        return done(Replies.json(request, CommonJson.bytes(CommonJson.version())));
      }
      case "metrics" -> {
        return segments.equals(List.of("metrics", "snapshot"))
            ? look(request, AgentJson::metrics)
            : done(Replies.notFound());
      }
      case "files" -> {
        return segments.size() == 2 && FilesEndpoint.VERBS.contains(segments.get(1))
            ? CompletableFuture.supplyAsync(() -> files.handle(segments.get(1), request), blocking)
            : done(Replies.notFound());
      }
      default -> {
        return process(request, Paths.within(segments, "slave(1)"));
      }
    }
  }

  private CompletionStage<HttpResponse> process(HttpRequest request, List<String> path) {
    if (path.isEmpty()) {
      return done(Replies.notFound());
    }
    return switch (path.get(0)) {
      case "api" -> api(request, path);
      case "health" -> done(Replies.empty(200));
      case "state" -> look(request, AgentJson::state);
      case "flags" ->
          look(
              request,
              visited -> CommonJson.NODES.objectNode().set("flags", AgentJson.flags(visited)));
      case "containers" -> look(request, visited -> AgentJson.containers(visited, true));
      case "monitor" ->
          path.equals(List.of("monitor", "statistics"))
              ? look(request, visited -> AgentJson.containers(visited, false))
              : done(Replies.notFound());
      default -> done(Replies.notFound());
    };
  }

  private CompletionStage<HttpResponse> api(HttpRequest request, List<String> path) {
    if (path.equals(List.of("api", "v1", "executor"))) {
      return executor.handle(request);
    }
    if (path.equals(List.of("api", "v1"))) {
      return done(
          request.method().equals(HttpMethods.POST)
              ? Replies.text(501, Texts.NO_OPERATOR_API)
              : Replies.methodNotAllowed(request, "POST"));
    }
    return done(Replies.notFound());
  }

  private CompletionStage<HttpResponse> look(
      HttpRequest request, java.util.function.Function<LocalAgent, ? extends JsonNode> view) {
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    agent.tell(
        new AgentActor.Visit(
            visited -> {
              try {
                answer.complete(view.apply(visited));
              } catch (RuntimeException e) {
                answer.completeExceptionally(e);
              }
            }));
    return answer
        .orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS)
        .handleAsync(
            (node, failure) ->
                failure == null
                    ? Replies.json(request, CommonJson.bytes(node))
                    : Replies.text(503, Texts.NO_ANSWER),
            system.executionContext());
  }

  private static CompletionStage<HttpResponse> done(HttpResponse response) {
    return CompletableFuture.completedStage(response);
  }
}
