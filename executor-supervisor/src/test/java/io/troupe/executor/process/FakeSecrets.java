package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.troupe.executor.channel.HttpSecrets;
import io.troupe.protocol.SchedulerToSupervisor.SecretsAt;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** What a scheduler gives of secrets over HTTP, and the files that are made of it. */
final class FakeSecrets implements AutoCloseable {
  private static final String TOKEN = "t0k3n";

  private final HttpServer server;
  private final HttpSecrets client = new HttpSecrets(Duration.ofSeconds(2));
  private final SecretFiles files;
  private final Map<String, String> contents = new ConcurrentHashMap<>();
  private final AtomicInteger asked = new AtomicInteger();

  private FakeSecrets(HttpServer server, Path lastResort) {
    this.server = server;
    this.files =
        new SecretFiles(
            client,
            SecretFiles.root(List.of(Path.of("/dev/shm")), lastResort),
            "test-" + java.util.UUID.randomUUID());
  }

  static FakeSecrets start(Path lastResort) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    FakeSecrets secrets = new FakeSecrets(server, lastResort);
    server.createContext("/", secrets::answer);
    server.start();
    return secrets;
  }

  private void answer(HttpExchange exchange) throws IOException {
    asked.incrementAndGet();
    String content = contents.get(exchange.getRequestURI().getPath());
    boolean welcome =
        ("Bearer " + TOKEN).equals(exchange.getRequestHeaders().getFirst("Authorization"));
    byte[] body = content == null ? new byte[0] : content.getBytes(UTF_8);
    exchange.sendResponseHeaders(
        !welcome ? 401 : content == null ? 404 : 200, body.length == 0 ? -1 : body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  SecretFiles files() {
    return files;
  }

  void put(String name, String version, String content) {
    contents.put("/p/" + name + "/" + version, content);
  }

  /** Says where they are, as a scheduler does when it is there. */
  void announce() {
    client.at(new SecretsAt("http://127.0.0.1:" + server.getAddress().getPort() + "/p", TOKEN));
  }

  int asked() {
    return asked.get();
  }

  void stopAnswering() {
    server.stop(0);
  }

  @Override
  public void close() {
    stopAnswering();
    files.close();
  }
}
