package io.troupe.local.http;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.HttpMethods;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.Query;
import akka.http.javadsl.model.headers.RawHeader;
import akka.japi.function.Function;
import akka.stream.Materializer;
import com.fasterxml.jackson.databind.JsonNode;
import io.troupe.local.console.Console;
import io.troupe.local.master.Master;
import io.troupe.local.master.MasterActor;
import io.troupe.local.master.MasterSettings;
import io.troupe.mesos.WireFormat;
import io.troupe.mesos.WireFormat.UnreadableBodyException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.v1.master.Protos;

/** Everything that the master's port answers. */
public final class MasterRoutes implements Function<HttpRequest, CompletionStage<HttpResponse>> {

  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final int DEFAULT_TASKS = 100;

  private final ActorSystem<?> system;
  private final ActorRef<MasterActor.Command> master;
  private final MasterSettings settings;
  private final SchedulerEndpoint scheduler;
  private final ControlEndpoint control;

  /**
   * @param consoleOrigins pages from elsewhere may not change the cluster
   */
  public MasterRoutes(
      ActorSystem<?> system,
      ActorRef<MasterActor.Command> master,
      MasterSettings settings,
      Control control,
      Set<String> consoleOrigins) {
    this.system = system;
    this.master = master;
    this.settings = settings;
    this.scheduler = new SchedulerEndpoint(system, master);
    this.control = new ControlEndpoint(system, control, consoleOrigins);
  }

  @Override
  public CompletionStage<HttpResponse> apply(HttpRequest request) {
    Optional<List<String>> whole = Paths.segments(request);
    if (whole.isEmpty()) {
      return done(Replies.notFound());
    }
    List<String> segments = whole.get();
    if (segments.isEmpty()) {
      return done(Console.page());
    }
    switch (segments.get(0)) {
      case "version" -> {
        return done(Replies.json(request, CommonJson.bytes(CommonJson.version())));
      }
      case "metrics" -> {
        return segments.equals(List.of("metrics", "snapshot"))
            ? look(request, MasterJson::metrics)
            : done(Replies.notFound());
      }
      case "local" -> {
        return control.handle(request, segments.subList(1, segments.size()));
      }
      default -> {
        return process(request, Paths.within(segments, "master"));
      }
    }
  }

  private CompletionStage<HttpResponse> process(HttpRequest request, List<String> path) {
    if (path.isEmpty()) {
      return done(Replies.notFound());
    }
    Query query = request.getUri().query();
    return switch (path.get(0)) {
      case "api" -> api(request, path);
      case "health" -> done(Replies.empty(200));
      case "redirect" -> done(path.size() == 1 ? redirect() : Replies.notFound());
      case "state" -> look(request, MasterJson::state);
      case "state-summary" -> look(request, MasterJson::stateSummary);
      case "slaves" ->
          look(request, master -> MasterJson.slaves(master, query.get("slave_id"), true));
      case "frameworks" ->
          look(request, master -> MasterJson.frameworks(master, query.get("framework_id")));
      case "tasks" -> tasks(request, query);
      case "roles" -> look(request, MasterJson::roles);
      case "flags" ->
          look(
              request,
              master -> CommonJson.NODES.objectNode().set("flags", MasterJson.flags(master)));
      case "teardown" -> teardown(request);
      default -> done(Replies.notFound());
    };
  }

  private CompletionStage<HttpResponse> api(HttpRequest request, List<String> path) {
    if (path.equals(List.of("api", "v1", "scheduler"))) {
      return scheduler.handle(request);
    }
    if (path.size() > 1 && path.get(1).equals("v1")) {
      return request.method().equals(HttpMethods.POST)
          ? operator(request)
          : done(Replies.methodNotAllowed(request, "POST"));
    }
    return done(Replies.notFound());
  }

  /** The operator API is not there; that is said once it is clear that the call is one. */
  private CompletionStage<HttpResponse> operator(HttpRequest request) {
    Optional<WireFormat> format = Negotiation.formatOf(request);
    if (format.isEmpty()) {
      return done(Replies.text(415, Texts.CONTENT_TYPE_UNKNOWN));
    }
    return Bodies.read(
        request,
        Materializer.matFromSystem(system),
        body -> {
          Protos.Call.Builder call = Protos.Call.newBuilder();
          try {
            format.get().read(body, call);
          } catch (UnreadableBodyException e) {
            return done(Replies.text(400, e.getMessage()));
          }
          return done(
              call.hasType()
                  ? Replies.text(501, Texts.NO_OPERATOR_API)
                  : Replies.text(400, Texts.OPERATOR_CALL_WITHOUT_TYPE));
        });
  }

  private HttpResponse redirect() {
    return Replies.empty(307)
        .addHeader(
            RawHeader.create("Location", "//" + settings.hostname() + ":" + settings.port()));
  }

  private CompletionStage<HttpResponse> tasks(HttpRequest request, Query query) {
    MasterJson.TaskQuery asked;
    try {
      asked =
          new MasterJson.TaskQuery(
              query.get("limit").map(Integer::parseInt).orElse(DEFAULT_TASKS),
              query.get("offset").map(Integer::parseInt).orElse(0),
              query.get("order").filter("asc"::equals).isPresent(),
              query.get("framework_id"),
              query.get("task_id"));
    } catch (NumberFormatException e) {
      return done(Replies.text(400, "Failed to parse query string: " + e.getMessage()));
    }
    return look(request, master -> MasterJson.tasks(master, asked));
  }

  private CompletionStage<HttpResponse> teardown(HttpRequest request) {
    if (!request.method().equals(HttpMethods.POST)) {
      return done(Replies.methodNotAllowed(request, "POST"));
    }
    return Bodies.read(
        request,
        Materializer.matFromSystem(system),
        body -> {
          String form = new String(body, StandardCharsets.UTF_8);
          Optional<String> id =
              List.of(form.split("&", -1)).stream()
                  .filter(pair -> pair.startsWith("frameworkId="))
                  .map(pair -> pair.substring("frameworkId=".length()))
                  .map(value -> URLDecoder.decode(value, StandardCharsets.UTF_8))
                  .findFirst();
          if (id.isEmpty()) {
            return done(Replies.text(400, Texts.TEARDOWN_WITHOUT_ID));
          }
          return ask(master -> master.teardown(id.get()))
              .handle(
                  (found, failure) -> {
                    if (failure != null) {
                      return Replies.text(503, Texts.NO_ANSWER);
                    }
                    return found ? Replies.empty(200) : Replies.text(400, Texts.TEARDOWN_UNKNOWN);
                  });
        });
  }

  /** Asks something of the master, on its thread. */
  private <T> CompletableFuture<T> ask(java.util.function.Function<Master, T> question) {
    CompletableFuture<T> answer = new CompletableFuture<>();
    master.tell(
        new MasterActor.Visit(
            visited -> {
              try {
                answer.complete(question.apply(visited));
              } catch (RuntimeException e) {
                answer.completeExceptionally(e);
              }
            }));
    return answer.orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS);
  }

  private CompletionStage<HttpResponse> look(
      HttpRequest request, java.util.function.Function<Master, ? extends JsonNode> view) {
    return ask(visited -> (JsonNode) view.apply(visited))
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
