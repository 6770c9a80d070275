package io.troupe.executor.channel;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.troupe.model.BlobRef;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class NearBlobsTest {
  private static final String NAME = "0123456789abcdef0123456789abcdef";
  private static final BlobRef PAYLOAD = new BlobRef(NAME, 4);

  @TempDir private Path root;
  private Path theirs;
  private Path mark;
  private HttpServer scheduler;
  private NearBlobs blobs;
  private final Queue<String> requests = new ConcurrentLinkedQueue<>();

  @BeforeEach
  void start() throws IOException {
    theirs = Files.createDirectory(root.resolve("theirs"));
    mark = Files.createFile(theirs.resolve("here-1"));
    Path ours = root.resolve("ours");
    blobs = new NearBlobs(ours, new HttpBlobs(ours, Duration.ofSeconds(30)));
    scheduler = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    scheduler.createContext("/v1/blobs", this::answer);
    scheduler.start();
  }

  @AfterEach
  void stop() {
    scheduler.stop(0);
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      exchange.getRequestBody().readAllBytes();
      String line = exchange.getRequestMethod() + " " + exchange.getRequestURI();
      requests.add(line);
      byte[] body =
          (line.equals("GET /v1/blobs")
                  ? "{\"mark\":\"" + mark + "\"}"
                  : line.startsWith("POST") ? "{\"name\":\"far\",\"size\":6}" : "1234")
              .getBytes(UTF_8);
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
    }
  }

  /** Registers, and waits until it is known whether the scheduler is near. */
  private void register() throws Exception {
    blobs.at("http://127.0.0.1:" + scheduler.getAddress().getPort() + "/v1/blobs");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!blobs.isSettled()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  private Path fetched() throws Exception {
    return blobs.fetch("job1", PAYLOAD).toCompletableFuture().get(30, TimeUnit.SECONDS);
  }

  private BlobRef brought(Path file) throws Exception {
    return blobs.bring("job1", file).toCompletableFuture().get(30, TimeUnit.SECONDS);
  }

  @Test
  void a_payload_on_the_same_machine_gets_a_second_name_which_outlives_the_first()
      throws Exception {
    register();
    Path file = Files.writeString(theirs.resolve(NAME), "1234");
    Path mine = fetched();
    Files.delete(file);
    assertThat(mine).hasContent("1234");
    assertThat(requests).containsExactly("GET /v1/blobs");
    blobs.remove(mine);
    assertThat(mine).doesNotExist();
  }

  @Test
  void a_payload_whose_job_has_been_accepted_is_found_too() throws Exception {
    register();
    Files.writeString(theirs.resolve(NAME + ".job1"), "1234");
    assertThat(fetched()).hasContent("1234");
    assertThat(requests).containsExactly("GET /v1/blobs");
  }

  @Test
  void a_result_is_moved_to_where_the_scheduler_looks_for_it() throws Exception {
    register();
    Path file = Files.writeString(root.resolve("ours/out"), "result");
    BlobRef ref = brought(file);
    assertThat(ref.size()).isEqualTo(6);
    assertThat(theirs.resolve(ref.name() + ".job1")).hasContent("result");
    assertThat(file).doesNotExist();
    assertThat(requests).containsExactly("GET /v1/blobs");
  }

  @Test
  void what_is_not_at_hand_goes_over_http() throws Exception {
    register();
    assertThat(fetched()).hasContent("1234");
    assertThat(requests).containsExactly("GET /v1/blobs", "GET /v1/blobs/" + NAME);
  }

  @Test
  void a_scheduler_whose_folder_is_not_here_gets_all_over_http() throws Exception {
    Files.delete(mark);
    register();
    Files.writeString(theirs.resolve(NAME), "of somebody else");
    assertThat(fetched()).hasContent("1234");
    assertThat(brought(Files.writeString(root.resolve("ours/out"), "result")).name())
        .isEqualTo("far");
  }

  @Test
  void a_scheduler_whose_folder_has_gone_gets_all_over_http() throws Exception {
    register();
    Files.delete(mark);
    assertThat(brought(Files.writeString(root.resolve("ours/out"), "result")).name())
        .isEqualTo("far");
    try (var files = Files.list(theirs)) {
      assertThat(files).isEmpty();
    }
  }
}
