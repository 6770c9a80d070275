package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.scheduler.jobs.FakeSupervisor;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.QueueCounts;
import io.troupe.scheduler.jobs.StoredJob;
import io.troupe.scheduler.store.Database;
import io.troupe.scheduler.store.Postgres;
import io.troupe.scheduler.store.SqlJobStore;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PostgreSQL is killed while jobs come and run, and comes back later. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class DatabaseOutageTest {
  private static final int CLIENTS = 4;
  private static final int SOME = 200;
  private static final int MANY = 50;

  @TempDir private Path data;
  @TempDir private Path folder;
  private final HttpClient http = HttpClient.newHttpClient();
  private final ExecutorService clients = Executors.newFixedThreadPool(CLIENTS);
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicBoolean over = new AtomicBoolean();

  /** Ids of accepted jobs, by key. */
  private final Map<String, String> accepted = new ConcurrentHashMap<>();

  private final AtomicInteger refused = new AtomicInteger();
  private final Set<String> others = ConcurrentHashMap.newKeySet();
  private Postgres server;
  private Database database;
  private SqlJobStore store;
  private RunningApi api;

  @BeforeEach
  void start() throws Exception {
    server = Postgres.start(data);
    database = Database.at(server.emptyDatabase(), Postgres.USER, Postgres.USER);
    store = new SqlJobStore(database, job -> {});
    api = RunningApi.start(folder, store);
    assertThat(send("POST", "/v1/pools", "name = p, durability = store").statusCode())
        .isEqualTo(200);
    api.spawn(
        FakeSupervisor.create(
            new FakeSupervisor.Identity("p", "p-1", "agent-1", 16), FakeSupervisor::echo),
        "fake");
  }

  @AfterEach
  void stop() {
    clients.shutdownNow();
    api.close();
    store.close();
    database.close();
    server.close();
  }

  private HttpResponse<String> send(String method, String path, String body)
      throws IOException, InterruptedException {
    return http.send(request(method, path, body), BodyHandlers.ofString());
  }

  private HttpRequest request(String method, String path, String body) {
    return HttpRequest.newBuilder(URI.create(api.url(path)))
        .timeout(RunningApi.PATIENCE)
        .method(method, HttpRequest.BodyPublishers.ofString(body))
        .build();
  }

  /** Submits one job after the other. */
  private Void client() throws Exception {
    while (!over.get()) {
      String key = Integer.toString(next.incrementAndGet());
      HttpResponse<String> answer = send("POST", "/v1/pools/p/jobs?function=f&id=" + key, key);
      switch (answer.statusCode()) {
        case 202 ->
            accepted.put(
                key, Json.parse(answer.body().getBytes(StandardCharsets.UTF_8)).get("id").asText());
        case 503 -> {
          refused.incrementAndGet();
          if (!answer.body().contains("STORE_UNAVAILABLE")
              || answer.headers().firstValue("Retry-After").isEmpty()) {
            others.add(answer.body());
          }
        }
        default -> others.add(answer.body());
      }
    }
    return null;
  }

  private void someMoreAreAccepted() {
    int before = accepted.size();
    Eventually.holds(() -> accepted.size() >= before + SOME);
  }

  @Test
  void jobs_accepted_before_and_after_it_have_one_outcome_each_and_meanwhile_none_is_accepted()
      throws Exception {
    List<Future<Void>> running = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      running.add(clients.submit(this::client));
    }
    someMoreAreAccepted();
    server.kill();
    Eventually.holds(() -> refused.get() >= 2 * CLIENTS);
    int meanwhile = accepted.size();
    Eventually.holds(() -> refused.get() >= 4 * CLIENTS);
    assertThat(accepted).as("without a database").hasSize(meanwhile);
    whatOnlyTheDatabaseKnowsIsUnavailable();
    server.startAgain();
    someMoreAreAccepted();
    over.set(true);
    for (Future<Void> each : running) {
      each.get(RunningApi.PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }
    assertThat(others).isEmpty();

    for (Map.Entry<String, String> job : accepted.entrySet()) {
      HttpResponse<String> result =
          send("GET", "/v1/jobs/" + job.getValue() + "/result?wait=20s", "");
      assertThat(result.statusCode()).as(job.getKey()).isEqualTo(200);
      assertThat(result.body()).isEqualTo(job.getKey());
    }
    Eventually.holds(() -> counts().queued() + counts().running() == 0);
    List<StoredJob> ended = newest(JobState.SUCCEEDED);
    assertThat(ended)
        .extracting(StoredJob::key)
        .doesNotHaveDuplicates()
        .containsAll(accepted.keySet());
    assertThat(newest(JobState.QUEUED)).isEmpty();
    assertThat(newest(JobState.RUNNING)).isEmpty();
    assertThat(counts().succeeded()).isEqualTo(ended.size());
  }

  /** However many ask. */
  private void whatOnlyTheDatabaseKnowsIsUnavailable() {
    String ofThisQueue = accepted.values().iterator().next().substring(0, 7);
    IntStream.rangeClosed(1, MANY)
        .mapToObj(i -> ofThisQueue + "z%05d".formatted(i))
        .map(id -> http.sendAsync(request("GET", "/v1/jobs/" + id, ""), BodyHandlers.ofString()))
        .toList()
        .forEach(
            answer ->
                assertThat(answer.join().body())
                    .contains("STORE_UNAVAILABLE", "Connection refused"));
  }

  private QueueCounts counts() {
    return api.directory().ofPool("p").orElseThrow().counts();
  }

  private List<StoredJob> newest(JobState state) {
    return store.newest("p", Optional.of(state), Integer.MAX_VALUE).toCompletableFuture().join();
  }
}
