package io.troupe.scheduler.api;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.ContentType;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpEntity;
import akka.http.javadsl.model.HttpMethods;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.MediaTypes;
import akka.http.javadsl.model.RequestEntity;
import akka.http.javadsl.model.ResponseEntity;
import akka.http.javadsl.model.StatusCodes;
import akka.http.javadsl.model.Uri;
import akka.http.javadsl.model.headers.Location;
import akka.http.javadsl.model.headers.RawHeader;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Route;
import akka.stream.javadsl.Sink;
import akka.util.ByteString;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.model.BlobRef;
import io.troupe.model.JobPolicy;
import io.troupe.model.PoolSpec;
import io.troupe.model.WorkerProtocol;
import io.troupe.protocol.WorkerStatus;
import io.troupe.scheduler.jobs.JobQueue;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.JobView;
import io.troupe.scheduler.jobs.NewJob;
import io.troupe.scheduler.jobs.QueueEntry;
import io.troupe.scheduler.watch.TreeJson;
import io.troupe.scheduler.watch.TreeKeeper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;

/** Jobs: one at a time, many in a stream, and what has become of them. */
final class JobRoutes extends Asking {
  private static final Duration LONGEST_TIMEOUT = Duration.ofDays(7);
  private static final Duration PROGRESS_PATIENCE = Duration.ofSeconds(2);
  private static final Duration LONGEST_KEEP = Duration.ofDays(366);
  private static final int MOST_ATTEMPTS = 1000;
  private static final int PRIORITIES = 1000;
  private static final int MOST_LISTED = 1000;
  private static final int USUALLY_LISTED = 100;
  private static final int LONGEST_NAME = 256;
  private static final int READ_AT_MOST = 8;
  private static final Set<String> OF_SUBMISSION =
      Set.of(
          "function",
          "wait",
          "id",
          "timeout",
          "attempts",
          "priority",
          "submitter",
          "delay",
          "ttl",
          "keep");
  private static final ContentType NDJSON =
      ContentTypes.create(
          MediaTypes.applicationWithFixedCharset(
              "x-ndjson", akka.http.javadsl.model.HttpCharsets.UTF_8));

  private final ActorSystem<?> system;
  private final ApiParts parts;
  private final ApiSettings settings;
  private final Blobs blobs;
  private final Connections connections;
  private final AtomicLong maps = new AtomicLong();

  JobRoutes(
      ActorSystem<?> system,
      ApiParts parts,
      ApiSettings settings,
      Blobs blobs,
      Connections connections) {
    super(system);
    this.blobs = blobs;
    this.connections = connections;
    this.system = system;
    this.parts = parts;
    this.settings = settings;
  }

  /**
   * The pool that this request submits a job to; empty when it does something else. Such a request
   * is for {@link #submit}, all others are for {@link #routes}.
   */
  static Optional<String> poolOfSubmission(HttpRequest request) {
    Uri uri = request.getUri();
    String path = uri.path();
    if (request.method() != HttpMethods.POST
        || !path.startsWith("/v1/pools/")
        || !path.endsWith("/jobs")) {
      return Optional.empty();
    }
    List<String> segments = new ArrayList<>();
    uri.pathSegments().forEach(segments::add);
    return segments.size() == 4 ? Optional.of(segments.get(2)) : Optional.empty();
  }

  /** All below /v1 but submissions. */
  Route routes() {
    return concat(
        path(
            PathMatchers.segment("pools")
                .slash(PathMatchers.segment())
                .slash(PathMatchers.segment("jobs")),
            pool -> post(this::reject)), // other methods: see poolOfSubmission
        path(
            PathMatchers.segment("pools")
                .slash(PathMatchers.segment())
                .slash(PathMatchers.segment("map")),
            pool ->
                post(
                    () ->
                        parameterMap(
                            values ->
                                extractRequest(request -> complete(map(pool, values, request)))))),
        path(
            PathMatchers.segment("jobs"),
            () -> get(() -> parameterMap(values -> answer(list(values))))),
        path(
            PathMatchers.segment("jobs").slash("results"),
            () -> post(() -> noParameters(() -> extractRequest(r -> complete(results(r)))))),
        path(
            PathMatchers.segment("jobs").slash(PathMatchers.segment()),
            id ->
                concat(
                    get(() -> noParameters(() -> answer(status(id)))),
                    delete(() -> noParameters(() -> answer(cancel(id)))))),
        path(
            PathMatchers.segment("jobs")
                .slash(PathMatchers.segment())
                .slash(PathMatchers.segment("result")),
            id -> get(() -> parameterMap(values -> answer(result(id, values))))),
        path(
            PathMatchers.segment("jobs")
                .slash(PathMatchers.segment())
                .slash(PathMatchers.segment("stream")),
            id -> get(() -> noParameters(() -> complete(stream(id))))),
        path(
            PathMatchers.segment("jobs")
                .slash(PathMatchers.segment())
                .slash(PathMatchers.segment("retry")),
            id -> post(() -> noParameters(() -> answer(retry(id))))));
  }

  private Route noParameters(java.util.function.Supplier<Route> inner) {
    return parameterMap(
        values -> {
          Parameters.of(values, Set.of());
          return inner.get();
        });
  }

  // ---- one job

  CompletionStage<HttpResponse> submit(String pool, HttpRequest request) {
    Parameters parameters = Parameters.of(request.getUri().query().toMap(), OF_SUBMISSION);
    QueueEntry entry = queueFor(pool);
    String function = function(parameters);
    NewJob.Terms terms = terms(parameters, entry.spec().job(), "");
    Duration wait = wait(parameters);
    Optional<String> key = parameters.text("id").map(id -> bounded("id", id));
    io.troupe.model.ContentType type =
        isBytes(request.entity().getContentType())
            ? io.troupe.model.ContentType.BYTES
            : io.troupe.model.ContentType.JSON;
    RequestEntity entity = request.entity();
    if (!blobs.takes(entity.getContentLengthOption().orElse(-1))) {
      return payload(entity, type == io.troupe.model.ContentType.BYTES)
          .thenCompose(
              payload ->
                  submit(
                      entry, new NewJob(function, type, payload, terms, key.orElse(null), 0), wait))
          .thenCompose(answer -> told(answer, wait));
    }
    return blobs
        .take(entity, "", type == io.troupe.model.ContentType.JSON)
        .thenCompose(
            ref ->
                submitted(
                    entry,
                    new NewJob(function, type.blob(), ref.bytes(), terms, key.orElse(null), 0),
                    ref,
                    wait))
        .thenCompose(answer -> told(answer, wait));
  }

  private CompletionStage<HttpResponse> told(JobQueue.Answer answer, Duration wait) {
    return wait.isZero() ? CompletableFuture.completedFuture(accepted(answer)) : result(answer);
  }

  private CompletionStage<JobQueue.Answer> submit(QueueEntry entry, NewJob job, Duration wait) {
    return this.<JobQueue.Command, JobQueue.Answer>ask(
        entry.queue(), replyTo -> new JobQueue.Submit(job, wait, replyTo), wait);
  }

  /**
   * The blob must be the job's in all eyes before the client hears that the job is accepted: until
   * then it is gone with the next start. So the job is asked for twice, first without waiting.
   */
  private CompletionStage<JobQueue.Answer> submitted(
      QueueEntry entry, NewJob job, BlobRef ref, Duration wait) {
    return submit(entry, job, Duration.ZERO)
        .whenComplete(
            (answer, failure) -> {
              if (!(answer instanceof JobQueue.Accepted)) {
                blobs.remove(ref); // refused, or the key of a job that has ended
              }
            })
        .thenCompose(
            answer ->
                answer instanceof JobQueue.Accepted accepted
                    ? claimed(entry, accepted.job().id(), ref, wait)
                    : CompletableFuture.completedFuture(answer));
  }

  private CompletionStage<JobQueue.Answer> claimed(
      QueueEntry entry, String id, BlobRef ref, Duration wait) {
    return blobs
        .belongs(ref, id)
        .thenCompose(
            claimed ->
                this.<JobQueue.Command, JobQueue.Answer>ask(
                    entry.queue(), replyTo -> new JobQueue.Find(id, wait, replyTo), wait))
        .thenApply(
            answer -> {
              if (answer instanceof JobQueue.Ended ended
                  && ended.job().state() == JobState.SUCCEEDED
                  && !Arrays.equals(ended.body(), ref.bytes())) {
                blobs.remove(ref);
              }
              return answer;
            });
  }

  /**
   * Whether the payload is said to be bytes. Where nothing is said, Akka HTTP puts its constant for
   * bytes; a header makes an equal object, but another one.
   */
  @SuppressWarnings("ReferenceEquality")
  private static boolean isBytes(ContentType type) {
    return type != akka.http.scaladsl.model.ContentTypes.application$divoctet$minusstream()
        && type.mediaType().equals(MediaTypes.APPLICATION_OCTET_STREAM);
  }

  private CompletionStage<byte[]> payload(RequestEntity entity, boolean bytes) {
    long most = parts.jobs().payloadBytes();
    return strict(entity, most)
        .thenApply(
            body -> {
              byte[] payload = body.toArray();
              if (payload.length > most) {
                throw new ApiException(payloadTooLarge(most));
              }
              if (bytes) {
                return payload;
              }
              if (payload.length == 0) {
                return new byte[] {'n', 'u', 'l', 'l'};
              }
              Json.flaw(payload, 0, payload.length)
                  .ifPresent(
                      flaw -> {
                        throw new ApiException(ApiError.invalidJson(flaw));
                      });
              return payload;
            });
  }

  private CompletionStage<ByteString> strict(RequestEntity entity, long most) {
    if (entity instanceof HttpEntity.Strict strict) {
      return CompletableFuture.completedFuture(strict.getData());
    }
    if (entity.getContentLengthOption().orElse(0) > most) {
      return refuseWhenRead(entity, most);
    }
    return Stages.direct(
            entity.withSizeLimit(most).toStrict(Duration.ofMinutes(5).toMillis(), system))
        .thenApply(HttpEntity.Strict::getData);
  }

  /**
   * Refuses a payload that says itself that it is too large; if it is not out of all bounds, only
   * after it has come, because many clients do not look for an answer while they send.
   */
  private CompletionStage<ByteString> refuseWhenRead(RequestEntity entity, long most) {
    ApiException refusal = new ApiException(payloadTooLarge(most));
    if (entity.getContentLengthOption().orElse(0) > most * READ_AT_MOST) {
      return CompletableFuture.failedFuture(refusal);
    }
    return Stages.direct(entity.withoutSizeLimit().getDataBytes().runWith(Sink.ignore(), system))
        .thenCompose(done -> CompletableFuture.failedFuture(refusal));
  }

  static ApiError payloadTooLarge(long most) {
    return ApiError.of(
        413,
        "PAYLOAD_TOO_LARGE",
        "A payload may have at most " + most + " bytes (troupe.jobs.max-payload)");
  }

  private CompletionStage<HttpResponse> status(String id) {
    return find(id, replyTo -> new JobQueue.Find(id, Duration.ZERO, replyTo), Duration.ZERO)
        .thenCompose(answer -> withProgress(job(answer)))
        .thenApply(job -> json(200, job));
  }

  /** A running job with what its function says of how far it is. */
  private CompletionStage<ObjectNode> withProgress(JobView job) {
    ObjectNode node = TreeJson.job(job);
    if (job.state() != JobState.RUNNING) {
      return CompletableFuture.completedFuture(node);
    }
    return this.<TreeKeeper.Command, Optional<WorkerStatus.Progress>>askWithin(
            parts.tree(),
            replyTo -> new TreeKeeper.GetProgress(job.id(), replyTo),
            PROGRESS_PATIENCE)
        .exceptionally(late -> Optional.empty())
        .thenApply(
            progress -> {
              progress.ifPresent(told -> node.set("progress", TreeJson.progress(told)));
              return node;
            });
  }

  private CompletionStage<HttpResponse> cancel(String id) {
    return find(id, replyTo -> new JobQueue.Cancel(id, replyTo), Duration.ZERO)
        .thenApply(answer -> json(200, TreeJson.job(job(answer))));
  }

  private CompletionStage<HttpResponse> retry(String id) {
    return find(id, replyTo -> new JobQueue.Retry(id, replyTo), Duration.ZERO)
        .thenApply(JobRoutes::accepted);
  }

  private CompletionStage<HttpResponse> result(String id, Map<String, String> values) {
    Duration wait = wait(Parameters.of(values, Set.of("wait")));
    return find(id, replyTo -> new JobQueue.Find(id, wait, replyTo), wait)
        .thenCompose(this::result);
  }

  private CompletionStage<JobQueue.Answer> find(
      String id,
      akka.japi.function.Function<ActorRef<JobQueue.Answer>, JobQueue.Command> question,
      Duration wait) {
    return ask(queueOf(id).queue(), question, wait);
  }

  private QueueEntry queueOf(String id) {
    Optional<QueueEntry> known = parts.directory().ofJob(id);
    if (known.isEmpty() && parts.directory().isOpening()) {
      throw new ApiException(
          ApiError.of(503, "STARTING", "The scheduler still reads its jobs; ask again in a moment")
              .after(Duration.ofSeconds(1)));
    }
    return known.orElseThrow(() -> new ApiException(ApiError.jobNotFound(id)));
  }

  private static JobView job(JobQueue.Answer answer) {
    if (answer instanceof JobQueue.Accepted accepted) {
      return accepted.job();
    }
    if (answer instanceof JobQueue.Ended ended) {
      return ended.job();
    }
    throw new ApiException(refusal(answer));
  }

  private static ApiError refusal(JobQueue.Answer answer) {
    if (answer instanceof JobQueue.Full full) {
      return ApiError.of(429, "QUEUE_FULL", full.message()).after(full.retryAfter());
    }
    if (answer instanceof JobQueue.Unavailable unavailable) {
      return ApiError.of(503, "STORE_UNAVAILABLE", unavailable.message())
          .after(unavailable.retryAfter());
    }
    if (answer instanceof JobQueue.Unknown unknown) {
      return ApiError.jobNotFound(unknown.id());
    }
    if (answer instanceof JobQueue.Refused refused) {
      return ApiError.of(409, "WRONG_STATE", refused.message());
    }
    throw new IllegalStateException("No refusal: " + answer);
  }

  private static HttpResponse accepted(JobQueue.Answer answer) {
    JobView job = job(answer);
    ObjectNode body = Json.object();
    body.put("id", job.id());
    body.put("state", job.state().name());
    return json(202, body).addHeader(Location.create("/v1/jobs/" + job.id()));
  }

  /** The result of a job that has succeeded, the error of one that has not, or 202. */
  private CompletionStage<HttpResponse> result(JobQueue.Answer answer) {
    if (!(answer instanceof JobQueue.Ended ended)) {
      return CompletableFuture.completedFuture(accepted(answer));
    }
    if (ended.job().state() != JobState.SUCCEEDED) {
      ApiError error = ResultLines.jobError(ended.job().state(), ended.job().cause());
      error.details().set("job", TreeJson.job(ended.job()));
      return CompletableFuture.completedFuture(error.toResponse());
    }
    ContentType type =
        switch (ended.type().plain()) {
          case JSON, JSON_BLOB -> ContentTypes.APPLICATION_JSON;
          case BYTES, BYTES_BLOB -> ContentTypes.APPLICATION_OCTET_STREAM;
        };
    String id = ended.job().id();
    if (!ended.type().isBlob()) {
      return CompletableFuture.completedFuture(
          result(id, HttpEntities.create(type, ByteString.fromArrayUnsafe(ended.body()))));
    }
    return blobs
        .entity(BlobRef.of(ended.body()), id, type)
        .thenApply(
            body ->
                result(id, body.orElseThrow(() -> new ApiException(ResultLines.forgotten(id)))));
  }

  private static HttpResponse result(String job, ResponseEntity body) {
    return HttpResponse.create().addHeader(RawHeader.create("Troupe-Job", job)).withEntity(body);
  }

  // ---- many jobs

  private HttpResponse map(String pool, Map<String, String> values, HttpRequest request) {
    Parameters parameters =
        Parameters.of(
            values,
            Set.of("function", "timeout", "attempts", "priority", "submitter", "ttl", "keep"));
    QueueEntry entry = queueFor(pool);
    Body body = new Body();
    MapStage.Order order =
        new MapStage.Order(
            entry.queue(),
            pool,
            function(parameters),
            // Maps of nobody in particular take turns like so many submitters.
            terms(parameters, entry.spec().job(), "map " + maps.incrementAndGet()),
            (int) parts.jobs().payloadBytes(),
            settings.mapJobs(),
            settings.mapBytes(),
            body::isWhole,
            connections.closed(request),
            parts.jobs().blobs().above(),
            blobs);
    return HttpResponse.create()
        .withStatus(StatusCodes.OK)
        .withEntity(
            HttpEntities.create(
                NDJSON,
                body.of(request.entity())
                    .via(new MapStage(order))
                    .mapMaterializedValue(ignored -> akka.NotUsed.getInstance())));
  }

  private HttpResponse results(HttpRequest request) {
    JobResults results = new JobResults(system, parts.directory(), settings.mapJobs(), blobs);
    return HttpResponse.create()
        .withStatus(StatusCodes.OK)
        .withEntity(HttpEntities.create(NDJSON, results.of(request)));
  }

  private HttpResponse stream(String id) {
    queueOf(id); // refuses an id that is none
    JobResults results = new JobResults(system, parts.directory(), settings.mapJobs(), blobs);
    return HttpResponse.create()
        .withStatus(StatusCodes.OK)
        .withEntity(
            HttpEntities.create(NDJSON, new JobParts(system, parts.directory(), results).of(id)));
  }

  // ---- lists

  private CompletionStage<HttpResponse> list(Map<String, String> values) {
    Parameters parameters = Parameters.of(values, Set.of("pool", "state", "limit"));
    int limit = parameters.integer("limit", 1, MOST_LISTED, USUALLY_LISTED);
    Optional<JobState> state = parameters.text("state").map(JobRoutes::state);
    Optional<String> pool = parameters.text("pool");
    List<QueueEntry> entries =
        pool.isPresent() ? List.of(entry(pool.get())) : List.copyOf(parts.directory().all());
    CompletionStage<List<JobView>> all = CompletableFuture.completedFuture(List.of());
    for (QueueEntry entry : entries) {
      CompletionStage<List<JobView>> some =
          ask(entry.queue(), replyTo -> new JobQueue.ListJobs(state, limit, replyTo));
      all =
          all.thenCombine(
              some,
              (before, more) -> {
                List<JobView> both = new ArrayList<>(before);
                both.addAll(more);
                return both;
              });
    }
    return all.thenApply(
        jobs -> {
          ArrayNode array = Json.array();
          jobs.stream()
              .sorted(
                  Comparator.comparingLong(JobView::submittedAt)
                      .thenComparing(JobView::id)
                      .reversed())
              .limit(limit)
              .forEach(job -> array.add(TreeJson.job(job)));
          return json(200, array);
        });
  }

  private static JobState state(String text) {
    try {
      return JobState.valueOf(text.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new ApiException(
          ApiError.badParameter(
              "state",
              ApiError.quoted(text) + " is none of " + Arrays.toString(JobState.values())));
    }
  }

  // ---- parameters

  private QueueEntry entry(String pool) {
    return parts
        .directory()
        .ofPool(pool)
        .orElseThrow(() -> new ApiException(ApiError.poolNotFound(pool)));
  }

  private QueueEntry queueFor(String pool) {
    QueueEntry entry = entry(pool);
    PoolSpec spec = entry.spec();
    if (spec.protocol() == WorkerProtocol.NONE) {
      throw new ApiException(
          ApiError.of(
              409,
              "POOL_TAKES_NO_JOBS",
              "Pool "
                  + pool
                  + " only runs its servers (protocol = none); jobs need protocol = frames or"
                  + " http"));
    }
    return entry;
  }

  private static String function(Parameters parameters) {
    return bounded("function", parameters.required("function", "?function=measure"));
  }

  private static boolean isNoText(int letter) {
    int type = Character.getType(letter);
    return type == Character.CONTROL || type == Character.SURROGATE;
  }

  private static String bounded(String name, String value) {
    if (value.length() > LONGEST_NAME) {
      throw new ApiException(
          ApiError.badParameter(name, "longer than " + LONGEST_NAME + " characters"));
    }
    if (value.codePoints().anyMatch(JobRoutes::isNoText)) {
      throw new ApiException(ApiError.badParameter(name, "it has characters that are no text"));
    }
    return value;
  }

  private Duration wait(Parameters parameters) {
    return parameters.duration("wait", settings.longestWait(), Duration.ZERO);
  }

  private static NewJob.Terms terms(Parameters parameters, JobPolicy policy, String submitter) {
    Duration timeout = parameters.duration("timeout", LONGEST_TIMEOUT, policy.timeout());
    if (timeout.isZero()) {
      throw new ApiException(ApiError.badParameter("timeout", "must be more than nothing"));
    }
    return new NewJob.Terms(
        parameters.integer("attempts", 1, MOST_ATTEMPTS, policy.attempts()),
        Math.max(1, timeout.toMillis()),
        parameters.integer("priority", -PRIORITIES, PRIORITIES, 0),
        bounded("submitter", parameters.text("submitter").orElse(submitter)),
        parameters.duration("delay", LONGEST_TIMEOUT, Duration.ZERO).toMillis(),
        parameters.duration("ttl", LONGEST_TIMEOUT, Duration.ZERO).toMillis(),
        parameters.duration("keep", LONGEST_KEEP, policy.limits().keep()).toMillis());
  }
}
