package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.typed.ActorRef;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.Outcome;
import io.troupe.scheduler.jobs.FakeSupervisor;
import io.troupe.scheduler.jobs.QueueCounts;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** A client that sends nothing more is still there to read, until its connection says otherwise. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MapEndOfInputTest {
  private static final int JOBS = 300;
  private static final byte[] LINES = "1\n".repeat(JOBS).getBytes(StandardCharsets.US_ASCII);
  private static final String CLOSE = "Connection: close\r\n";
  private static final int A_FEW = 6;

  private RunningApi api;

  @BeforeAll
  void start(@TempDir Path folder) {
    api = RunningApi.start("", folder);
  }

  @AfterAll
  void stop() {
    api.close();
  }

  @Test
  void a_client_that_asks_for_the_end_of_the_connection_gets_all_results() throws Exception {
    ActorRef<FakeSupervisor.Command> worker = pool("polite");
    try (MapClient client = new MapClient(api.port(), "polite", CLOSE)) {
      client.send(LINES, LINES.length);
      client.sendEnd();
      answersAll(client, "polite", worker);
    }
  }

  @Test
  void a_client_that_closes_its_sending_half_gets_all_results() throws Exception {
    ActorRef<FakeSupervisor.Command> worker = pool("half");
    try (MapClient client = new MapClient(api.port(), "half")) {
      client.send(LINES, LINES.length);
      client.sendEnd();
      client.closeSendingHalf();
      answersAll(client, "half", worker);
    }
  }

  @Test
  void what_runs_for_a_client_that_asked_for_the_end_of_the_connection_is_cancelled_when_it_leaves()
      throws Exception {
    pool("left");
    try (MapClient client = new MapClient(api.port(), "left", CLOSE)) {
      client.send(LINES, LINES.length);
      client.sendEnd();
      Eventually.holds(() -> counts("left").running() + counts("left").queued() == JOBS);
    }
    Eventually.holds(() -> counts("left").cancelled() == JOBS);
  }

  @Test
  void what_runs_for_a_client_that_is_gone_is_cancelled_within_a_few_signs_of_life()
      throws Exception {
    pool("gone");
    pool("there");
    MapClient gone = mapOf("gone");
    try (MapClient there = mapOf("there")) {
      there.readSignOfLife();
      gone.close();
      for (int signs = 0; counts("gone").cancelled() < JOBS; signs++) {
        assertThat(signs).as("signs of life for another one until then").isLessThan(A_FEW);
        there.readSignOfLife();
      }
    }
  }

  private MapClient mapOf(String pool) throws IOException {
    MapClient client = new MapClient(api.port(), pool);
    client.send(LINES, LINES.length);
    client.sendEnd();
    Eventually.holds(() -> counts(pool).running() + counts(pool).queued() == JOBS);
    client.readSignOfLife();
    return client;
  }

  @Test
  void of_a_map_that_its_client_leaves_half_way_nothing_runs_or_waits_not_even_in_the_store()
      throws Exception {
    int answered = 100;
    AtomicInteger jobs = new AtomicInteger();
    pool(
        "kept, durability = store",
        job -> jobs.incrementAndGet() > answered ? Optional.empty() : FakeSupervisor.echo(job));
    try (MapClient client = new MapClient(api.port(), "kept")) {
      client.send(LINES, LINES.length);
      assertThat(client.readLines(answered)).isEqualTo(answered);
      Eventually.holds(
          () ->
              counts("kept").running() > 0 && counts("kept").queued() > 0 && total("kept") == JOBS);
    }
    Eventually.holds(() -> counts("kept").cancelled() == JOBS - answered);
    assertThat(counts("kept").running()).isZero();
    assertThat(counts("kept").queued()).isZero();
    assertThat(counts("kept").succeeded()).isEqualTo(answered);
    Eventually.holds(() -> api.stored.rows().stream().allMatch(row -> row.state().ended()));
  }

  private long total(String pool) {
    QueueCounts now = counts(pool);
    return now.running() + now.queued() + now.succeeded();
  }

  /** Lets the jobs end only after the scheduler has had the time to see the end of the input. */
  private void answersAll(MapClient client, String pool, ActorRef<FakeSupervisor.Command> worker)
      throws IOException {
    Eventually.holds(() -> counts(pool).running() + counts(pool).queued() == JOBS);
    client.readSignOfLife();
    worker.tell(new FakeSupervisor.Release(FakeSupervisor::echo));
    assertThat(client.readLines(JOBS + 1)).isEqualTo(JOBS);
    assertThat(counts(pool).succeeded()).isEqualTo(JOBS);
    assertThat(counts(pool).cancelled()).isZero();
  }

  private ActorRef<FakeSupervisor.Command> pool(String name) throws Exception {
    return pool(name, job -> Optional.empty());
  }

  private ActorRef<FakeSupervisor.Command> pool(
      String terms, Function<Assignment, Optional<Outcome>> work) throws Exception {
    HttpResponse<Void> response =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(URI.create(api.url("/v1/pools")))
                    .POST(HttpRequest.BodyPublishers.ofString("name = " + terms))
                    .build(),
                HttpResponse.BodyHandlers.discarding());
    assertThat(response.statusCode()).isEqualTo(200);
    String name = terms.replaceFirst(",.*", "");
    return api.spawn(
        FakeSupervisor.create(new FakeSupervisor.Identity(name, name + "-1", "agent-1", 64), work),
        "fake-" + name);
  }

  private QueueCounts counts(String pool) {
    return api.directory().ofPool(pool).orElseThrow().counts();
  }
}
