package io.troupe.local.http;

import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.HttpMethods;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.stream.Materializer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** {@code /local/…}: agents come, go and come back. Not a part of Mesos. */
final class ControlEndpoint {

  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final ActorSystem<?> system;
  private final Control control;
  private final Set<String> consoleOrigins;

  /**
   * @param consoleOrigins pages from elsewhere may not change anything
   */
  ControlEndpoint(ActorSystem<?> system, Control control, Set<String> consoleOrigins) {
    this.system = system;
    this.control = control;
    this.consoleOrigins = Set.copyOf(consoleOrigins);
  }

  /**
   * @param path what follows {@code /local}
   */
  CompletionStage<HttpResponse> handle(HttpRequest request, List<String> path) {
    boolean post = request.method().equals(HttpMethods.POST);
    boolean foreign =
        request
            .getHeader("Origin")
            .filter(origin -> !consoleOrigins.contains(origin.value()))
            .isPresent();
    if (foreign) {
      return done(Replies.text(403, Texts.FOREIGN_PAGE));
    }
    if (path.equals(List.of("agents"))) {
      return post ? add(request) : done(list(request));
    }
    if (path.size() == 3 && path.get(0).equals("agents") && post) {
      return change(request, path.get(1), path.get(2));
    }
    if (path.equals(List.of("shutdown")) && post) {
      control.shutdown();
      return done(Replies.empty(202));
    }
    return done(Replies.notFound());
  }

  private HttpResponse list(HttpRequest request) {
    ArrayNode agents = CommonJson.NODES.arrayNode();
    control.agents().forEach(view -> agents.add(node(view)));
    return Replies.json(request, CommonJson.bytes(agents));
  }

  private CompletionStage<HttpResponse> add(HttpRequest request) {
    return Bodies.read(
        request,
        Materializer.matFromSystem(system),
        body -> {
          Optional<Double> cpus;
          Optional<Double> mem;
          try {
            JsonNode asked =
                body.length == 0 ? CommonJson.NODES.objectNode() : MAPPER.readTree(body);
            if (!asked.isObject()) {
              throw new IllegalArgumentException("no object");
            }
            cpus = positive(asked, "cpus");
            mem = positive(asked, "mem");
          } catch (IOException | IllegalArgumentException e) {
            return done(
                Replies.text(
                    400, "Expected {\"cpus\": number, \"mem\": MiB}, both may be left out"));
          }
          return control
              .addAgent(cpus, mem)
              .handle(
                  (view, failure) ->
                      failure == null
                          ? Replies.json(request, CommonJson.bytes(node(view)))
                          : Replies.text(500, "The agent could not be added: " + failure));
        });
  }

  private static Optional<Double> positive(JsonNode asked, String name) {
    JsonNode value = asked.get(name);
    if (value == null || value.isNull()) {
      return Optional.empty();
    }
    if (!value.isNumber() || value.doubleValue() <= 0) {
      throw new IllegalArgumentException(name);
    }
    return Optional.of(value.doubleValue());
  }

  private CompletionStage<HttpResponse> change(HttpRequest request, String id, String verb) {
    CompletionStage<Optional<Control.AgentView>> changed;
    switch (verb) {
      case "kill" -> changed = control.killAgent(id);
      case "restart" -> changed = control.restartAgent(id);
      default -> {
        return done(Replies.notFound());
      }
    }
    return changed.handle(
        (view, failure) -> {
          if (failure != null) {
            return Replies.text(500, "Failed to " + verb + " agent " + id + ": " + failure);
          }
          return view.map(known -> Replies.json(request, CommonJson.bytes(node(known))))
              .orElse(Replies.text(404, "There is no agent " + id + " to " + verb));
        });
  }

  private static ObjectNode node(Control.AgentView view) {
    return CommonJson.NODES
        .objectNode()
        .put("id", view.id())
        .put("hostname", view.hostname())
        .put("port", view.port())
        .put("state", view.state());
  }

  private static CompletionStage<HttpResponse> done(HttpResponse response) {
    return CompletableFuture.completedStage(response);
  }
}
