package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.typed.ActorRef;
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
    HttpResponse<Void> response =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(URI.create(api.url("/v1/pools")))
                    .POST(HttpRequest.BodyPublishers.ofString("name = " + name))
                    .build(),
                HttpResponse.BodyHandlers.discarding());
    assertThat(response.statusCode()).isEqualTo(200);
    return api.spawn(
        FakeSupervisor.create(
            new FakeSupervisor.Identity(name, name + "-1", "agent-1", 64), job -> Optional.empty()),
        "fake-" + name);
  }

  private QueueCounts counts(String pool) {
    return api.directory().ofPool(pool).orElseThrow().counts();
  }
}
