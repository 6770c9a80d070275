package io.troupe.scheduler.api;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Route;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Requirements;
import io.troupe.model.WorkerState;
import io.troupe.protocol.WorkerStatus;
import io.troupe.scheduler.jobs.JobQueues;
import io.troupe.scheduler.jobs.QueueCounts;
import io.troupe.scheduler.jobs.QueueEntry;
import io.troupe.scheduler.pool.SchedulerActor;
import io.troupe.scheduler.pool.SchedulerActor.PoolView;
import io.troupe.scheduler.store.Secrets;
import io.troupe.scheduler.watch.TreeKeeper;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;

/** Pools, and the agents their workers run on. */
final class PoolRoutes extends Asking {
  private final ApiParts parts;

  PoolRoutes(ActorSystem<?> system, ApiParts parts) {
    super(system);
    this.parts = parts;
  }

  /** Below /v1. */
  Route routes() {
    return concat(
        path(
            PathMatchers.segment("pools"),
            () ->
                concat(
                    get(() -> answer(list())),
                    post(
                        () ->
                            entity(
                                akka.http.javadsl.unmarshalling.Unmarshaller.entityToString(),
                                text -> answer(apply(text)))))),
        path(
            PathMatchers.segment("pools").slash(PathMatchers.segment()),
            pool -> concat(get(() -> answer(show(pool))), delete(() -> answer(deletePool(pool))))),
        path(
            PathMatchers.segment("pools")
                .slash(PathMatchers.segment())
                .slash(PathMatchers.segment("scale")),
            pool ->
                post(
                    () ->
                        entity(
                            akka.http.javadsl.unmarshalling.Unmarshaller.entityToByteArray(),
                            body -> answer(scale(pool, body))))),
        path(
            PathMatchers.segment("pools")
                .slash(PathMatchers.segment())
                .slash(PathMatchers.segment("drain")),
            pool -> post(() -> answer(drain(pool)))),
        path(
            PathMatchers.segment("pools")
                .slash(PathMatchers.segment())
                .slash(PathMatchers.segment("explain")),
            pool -> get(() -> answer(explain(pool)))),
        path(PathMatchers.segment("agents"), () -> get(() -> answer(agents()))),
        path(PathMatchers.segment("teardown"), () -> post(() -> answer(teardown()))));
  }

  private CompletionStage<HttpResponse> apply(String text) {
    PoolSpec asked = read(text);
    asked.files().forEach(file -> mustBeHere(asked, file));
    Requirements requirements = asked.requirements();
    if (!requirements.isEmpty()) {
      mustBeHere(asked, new PoolFile("requirements", requirements.sha256()));
    }
    PoolSpec spec = withSecrets(asked);
    return change(spec.name(), replyTo -> new SchedulerActor.ApplyPool(spec, replyTo));
  }

  private void mustBeHere(PoolSpec spec, PoolFile file) {
    // Used from now on, so that it is not removed before the pool names it.
    if (!parts.files().use(file.sha256())) {
      throw new ApiException(
          ApiError.of(
              400,
              "FILE_MISSING",
              "File "
                  + ApiError.quoted(file.name())
                  + " of pool "
                  + spec.name()
                  + " is not here: send it first, PUT /v1/files/"
                  + file.sha256()));
    }
  }

  private PoolSpec read(String text) {
    try {
      return parts.poolReader().apply(text);
    } catch (IllegalArgumentException e) {
      throw new ApiException(ApiError.of(400, "INVALID_POOL", String.valueOf(e.getMessage())));
    }
  }

  private PoolSpec withSecrets(PoolSpec spec) {
    try {
      return parts.secrets().taken(spec);
    } catch (Secrets.InvalidSecretException e) {
      throw new ApiException(ApiError.of(400, "INVALID_POOL", String.valueOf(e.getMessage())));
    }
  }

  private CompletionStage<HttpResponse> scale(String pool, byte[] body) {
    PoolSize size = size(Json.parse(body));
    return change(pool, replyTo -> new SchedulerActor.ScalePool(pool, size, replyTo));
  }

  private static PoolSize size(JsonNode body) {
    JsonNode size = body.path("size");
    try {
      if (size.isInt()) {
        return new PoolSize.Fixed(size.intValue());
      }
      if (size.isTextual() && size.textValue().equals("per-agent")) {
        return new PoolSize.PerAgent();
      }
      if (size.path("min").isInt() && size.path("max").isInt()) {
        return new PoolSize.Range(size.path("min").intValue(), size.path("max").intValue());
      }
    } catch (IllegalArgumentException e) {
      throw new ApiException(ApiError.of(400, "INVALID_SIZE", String.valueOf(e.getMessage())));
    }
    throw new ApiException(
        ApiError.of(
            400,
            "INVALID_SIZE",
            "The body must be {\"size\": 4}, {\"size\": \"per-agent\"} or {\"size\": {\"min\": 1,"
                + " \"max\": 8}}"));
  }

  private CompletionStage<HttpResponse> drain(String pool) {
    return change(pool, replyTo -> new SchedulerActor.DrainPool(pool, replyTo));
  }

  private CompletionStage<HttpResponse> deletePool(String pool) {
    return change(pool, replyTo -> new SchedulerActor.DeletePool(pool, replyTo))
        .thenApplyAsync(
            gone -> {
              parts.secrets().forget(pool);
              return gone;
            },
            blocking());
  }

  private CompletionStage<HttpResponse> teardown() {
    return this.<SchedulerActor.Command, SchedulerActor.Answer>ask(
            parts.scheduler(), SchedulerActor.Teardown::new)
        .thenCompose(
            answer -> synced(() -> json(200, accept(answer, Json.object().put("done", true)))));
  }

  /** Changes a pool, and answers when the queues know of it too. */
  private CompletionStage<HttpResponse> change(
      String pool, Function<ActorRef<SchedulerActor.Answer>, SchedulerActor.Command> question) {
    return this.<SchedulerActor.Command, SchedulerActor.Answer>ask(
            parts.scheduler(), question::apply)
        .thenCompose(
            answer -> synced(() -> json(200, accept(answer, Json.object().put("name", pool)))));
  }

  private CompletionStage<HttpResponse> synced(java.util.function.Supplier<HttpResponse> then) {
    return this.<JobQueues.Command, JobQueues.Synced>ask(parts.queues(), JobQueues.Sync::new)
        .thenApply(synced -> then.get());
  }

  private static ObjectNode accept(SchedulerActor.Answer answer, ObjectNode body) {
    if (answer instanceof SchedulerActor.Refused refused) {
      throw new ApiException(refusal(refused));
    }
    return body;
  }

  private static ApiError refusal(SchedulerActor.Refused refused) {
    int status =
        switch (refused.reason()) {
          case POOL_NOT_FOUND -> 404;
          case INVALID_POOL -> 400;
          case NOT_SUBSCRIBED, STORE_UNAVAILABLE -> 503;
        };
    ApiError error = ApiError.of(status, refused.reason().name(), refused.message());
    return status == 503 ? error.after(Duration.ofSeconds(2)) : error;
  }

  private CompletionStage<List<PoolView>> pools() {
    return ask(parts.scheduler(), SchedulerActor.ListPools::new);
  }

  private CompletionStage<HttpResponse> list() {
    return pools()
        .thenApply(
            pools -> {
              ArrayNode array = Json.array();
              pools.forEach(pool -> array.add(json(pool)));
              return json(200, array);
            });
  }

  private CompletionStage<HttpResponse> show(String name) {
    return this.<TreeKeeper.Command, List<TreeKeeper.WorkerRow>>ask(
            parts.tree(), TreeKeeper.ListWorkers::new)
        .thenCombine(
            pools(),
            (workers, pools) ->
                pools.stream()
                    .filter(pool -> pool.spec().name().equals(name))
                    .findFirst()
                    .map(pool -> json(200, withPreparing(json(pool), name, workers)))
                    .orElseGet(() -> ApiError.poolNotFound(name).toResponse()));
  }

  /** The workers for which something is being installed, and how far that is. */
  private static ObjectNode withPreparing(
      ObjectNode node, String pool, List<TreeKeeper.WorkerRow> workers) {
    ArrayNode preparing = node.putArray("preparing");
    for (TreeKeeper.WorkerRow row : workers) {
      WorkerStatus worker = row.worker();
      if (row.pool().equals(pool) && worker.state() == WorkerState.PREPARING) {
        preparing
            .addObject()
            .put("worker", worker.id())
            .put("message", worker.progress() == null ? "" : worker.progress().message());
      }
    }
    return node;
  }

  private ObjectNode json(PoolView pool) {
    QueueCounts counts =
        parts
            .directory()
            .ofPool(pool.spec().name())
            .map(QueueEntry::counts)
            .orElse(QueueCounts.ZERO);
    return Json.pool(pool, counts);
  }

  private CompletionStage<HttpResponse> explain(String pool) {
    return this.<SchedulerActor.Command, SchedulerActor.Answer>ask(
            parts.scheduler(), replyTo -> new SchedulerActor.Explain(pool, replyTo))
        .thenApply(
            answer -> {
              ObjectNode body = accept(answer, Json.object());
              if (answer instanceof SchedulerActor.Explained explained) {
                body.set("pool", json(explained.pool()));
                ArrayNode lines = body.putArray("lines");
                explained.lines().forEach(lines::add);
              }
              return json(200, body);
            });
  }

  private CompletionStage<HttpResponse> agents() {
    return this.<SchedulerActor.Command, List<SchedulerActor.AgentView>>ask(
            parts.scheduler(), SchedulerActor.ListAgents::new)
        .thenApply(
            agents -> {
              ArrayNode array = Json.array();
              for (SchedulerActor.AgentView agent : agents) {
                ObjectNode node = array.addObject();
                node.put("id", agent.id());
                node.put("hostname", agent.hostname());
                node.put("lost", agent.lost());
                ObjectNode workers = node.putObject("workers");
                agent.workers().forEach(workers::put);
              }
              return json(200, array);
            });
  }
}
