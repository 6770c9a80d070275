package io.troupe.local.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class FetcherTest {
  private static final int CAPACITY = 1000;

  @TempDir private Path directory;
  private final ConcurrentHashMap<String, Integer> requests = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<String, byte[]> bodies = new ConcurrentHashMap<>();
  private HttpServer server;
  private Fetcher fetcher;

  @BeforeEach
  void serve() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          String path = exchange.getRequestURI().getPath();
          requests.merge(path, 1, Integer::sum);
          byte[] body = bodies.getOrDefault(path, new byte[0]);
          exchange.sendResponseHeaders(bodies.containsKey(path) ? 200 : 404, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    fetcher = new Fetcher(new FetcherCache(directory.resolve("cache"), CAPACITY));
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  @Test
  void a_cached_file_is_fetched_once_and_copied_into_each_sandbox() throws Exception {
    bodies.put("/file", bytes("content"));
    for (String name : List.of("one", "two")) {
      fetcher.fetchAll(List.of(cached("/file")), "root", sandbox(name));
      assertThat(sandbox(name).resolve("file")).hasContent("content");
    }
    assertThat(requests).containsEntry("/file", 1);
  }

  @Test
  void a_file_that_is_not_to_be_cached_is_fetched_each_time() throws Exception {
    bodies.put("/file", bytes("content"));
    CommandInfo.URI uri = cached("/file").toBuilder().setCache(false).build();
    fetcher.fetchAll(List.of(uri), "root", sandbox("one"));
    fetcher.fetchAll(List.of(uri), "root", sandbox("two"));
    assertThat(requests).containsEntry("/file", 2);
  }

  @Test
  void users_do_not_share_files() throws Exception {
    bodies.put("/file", bytes("content"));
    fetcher.fetchAll(List.of(cached("/file")), "root", sandbox("one"));
    fetcher.fetchAll(List.of(cached("/file")), "nobody", sandbox("two"));
    assertThat(requests).containsEntry("/file", 2);
  }

  @Test
  void an_archive_is_unpacked_from_the_cache_and_is_not_itself_in_the_sandbox() throws Exception {
    Path source = Files.createDirectories(directory.resolve("source"));
    Files.writeString(source.resolve("inner.txt"), "inner");
    Path archive = directory.resolve("made.tar.gz");
    assertThat(
            new ProcessBuilder(
                    "tar", "-C", source.toString(), "-czf", archive.toString(), "inner.txt")
                .start()
                .waitFor())
        .isZero();
    bodies.put("/bundle.tar.gz", Files.readAllBytes(archive));
    for (String name : List.of("one", "two")) {
      fetcher.fetchAll(List.of(cached("/bundle.tar.gz")), "root", sandbox(name));
      assertThat(sandbox(name).resolve("inner.txt")).hasContent("inner");
      assertThat(sandbox(name).resolve("bundle.tar.gz")).doesNotExist();
    }
    assertThat(requests).containsEntry("/bundle.tar.gz", 1);
  }

  @Test
  void what_was_not_used_for_longest_makes_room() throws Exception {
    for (String path : List.of("/a", "/b", "/c")) {
      bodies.put(path, new byte[CAPACITY / 2]);
    }
    fetcher.fetchAll(
        List.of(cached("/a"), cached("/b"), cached("/a"), cached("/c")), "root", sandbox("one"));
    fetcher.fetchAll(List.of(cached("/a"), cached("/b")), "root", sandbox("two"));
    assertThat(requests).containsEntry("/a", 1).containsEntry("/b", 2).containsEntry("/c", 1);
  }

  @Test
  void a_file_larger_than_the_cache_is_fetched_all_the_same() throws Exception {
    bodies.put("/large", new byte[CAPACITY * 2]);
    fetcher.fetchAll(List.of(cached("/large")), "root", sandbox("one"));
    assertThat(sandbox("one").resolve("large")).hasSize(CAPACITY * 2L);
    assertThat(directory.resolve("cache")).isEmptyDirectory();
  }

  @Test
  void a_failure_is_not_cached() throws Exception {
    CompletableFuture<Throwable> failure = new CompletableFuture<>();
    try {
      fetcher.fetchAll(List.of(cached("/late")), "root", sandbox("one"));
    } catch (Fetcher.FetchException e) {
      failure.complete(e);
    }
    assertThat(failure.getNow(new AssertionError("it was fetched"))).hasMessageContaining("404");
    bodies.put("/late", bytes("here"));
    fetcher.fetchAll(List.of(cached("/late")), "root", sandbox("one"));
    assertThat(sandbox("one").resolve("late")).hasContent("here");
  }

  @Test
  void who_comes_while_a_file_is_fetched_waits_for_it() throws Exception {
    FetcherCache cache = new FetcherCache(directory.resolve("waiting"), CAPACITY);
    CountDownLatch started = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    CompletableFuture<Path> first =
        CompletableFuture.supplyAsync(
            () ->
                read(
                    cache,
                    target -> {
                      started.countDown();
                      assertThat(goOn.await(10, TimeUnit.SECONDS)).isTrue();
                      Files.writeString(target, "once");
                    }));
    assertThat(started.await(10, TimeUnit.SECONDS)).isTrue();
    CompletableFuture<Path> second =
        CompletableFuture.supplyAsync(
            () ->
                read(
                    cache,
                    target -> {
                      throw new IOException("fetched twice");
                    }));
    goOn.countDown();
    assertThat(first.get(10, TimeUnit.SECONDS)).hasContent("once");
    assertThat(second.get(10, TimeUnit.SECONDS)).isEqualTo(first.join());
  }

  private static Path read(FetcherCache cache, FetcherCache.Download download) {
    try (FetcherCache.Lease lease = cache.file("root", "uri", "name", download)) {
      return lease.file();
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private CommandInfo.URI cached(String path) {
    return CommandInfo.URI
        .newBuilder()
        .setValue("http://127.0.0.1:" + server.getAddress().getPort() + path)
        .setCache(true)
        .build();
  }

  private Path sandbox(String name) throws IOException {
    return Files.createDirectories(directory.resolve(name));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
