package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.troupe.model.Upkeep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The processes from which workers are forked, one for each command and environment: started when
 * the first worker asks, again after its end, and ended with this process. They carry the
 * executor's mark as workers do. Any thread.
 */
final class ForkServers {
  private static final Logger log = LoggerFactory.getLogger(ForkServers.class);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(5);
  private static final int MOST_LINES = 20;

  private record Running(Path socket, Path log, CompletableFuture<Integer> end) {}

  private final Sandbox sandbox;
  private final OwnSession session;
  private final Map<String, Running> servers = new HashMap<>();
  private long started;

  ForkServers(Sandbox sandbox, OwnSession session) {
    this.sandbox = sandbox;
    this.session = session;
  }

  /**
   * One that takes orders.
   *
   * @param socket where, from where workers are started
   * @param python the interpreter that runs it
   */
  record Server(Path socket, String python) {}

  /** There is none, and why: how it ended, and the last lines that it printed. */
  static final class EndedException extends Exception {
    private static final long serialVersionUID = 1;
    private final int code;
    private final transient List<String> lines;

    EndedException(int code, List<String> lines) {
      super("the fork server ended with code " + code);
      this.code = code;
      this.lines = lines;
    }

    int code() {
      return code;
    }

    List<String> lines() {
      return lines;
    }
  }

  /**
   * The server of this command; blocks until it takes orders.
   *
   * @param environment of the server: of a worker, without what only one worker has
   * @param wanted whether anybody still waits
   * @throws EndedException when it ended before
   */
  Server of(String command, Map<String, String> environment, BooleanSupplier wanted)
      throws IOException, EndedException {
    Running server = running(command, environment);
    Path socket = sandbox.files().resolve(server.socket());
    while (!Files.exists(socket) && wanted.getAsBoolean()) {
      try {
        int code = server.end().get(BETWEEN_LOOKS.toMillis(), TimeUnit.MILLISECONDS);
        throw new EndedException(code, lastLines(server.log()));
      } catch (TimeoutException e) {
        // not yet
      } catch (ExecutionException e) {
        throw new IOException("the fork server cannot be started", e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted", e);
      }
    }
    String python =
        wanted.getAsBoolean()
            ? Files.readString(socket.resolveSibling(socket.getFileName() + ".python"))
            : "false"; // nobody will see it
    return new Server(server.socket(), python);
  }

  private synchronized Running running(String command, Map<String, String> environment) {
    String key = command + "\n" + new TreeMap<>(environment);
    Running server = servers.get(key);
    if (server == null || server.end().isDone()) {
      long number = ++started;
      server =
          new Running(sandbox.forks(number), sandbox.forksLog(number), new CompletableFuture<>());
      servers.put(key, server);
      Running begun = server;
      Map<String, String> variables = new HashMap<>(environment);
      variables.put("TROUPE_FORKS", server.socket().toString());
      variables.put(LocalServer.WORKER_MARK, UUID.randomUUID().toString());
      // Not a pool's thread: the process dies with the thread that started it.
      Thread thread = new Thread(() -> run(begun, command, variables), "troupe-forks-" + number);
      thread.setDaemon(true);
      thread.start();
    }
    return server;
  }

  private void run(Running server, String command, Map<String, String> variables) {
    try {
      ProcessBuilder builder =
          new ProcessBuilder(session.shell(command, Upkeep.NONE))
              .directory(sandbox.files().toFile())
              .redirectErrorStream(true)
              .redirectOutput(server.log().toFile());
      builder.environment().clear();
      builder.environment().putAll(variables);
      // Its standard input stays open: the end of it tells that this process is gone.
      int code = builder.start().waitFor();
      log.info("A fork server ended with code {}", code);
      Files.deleteIfExists(sandbox.files().resolve(server.socket()));
      server.end().complete(code);
    } catch (IOException e) {
      server.end().completeExceptionally(e);
    } catch (InterruptedException e) {
      server.end().completeExceptionally(e);
      Thread.currentThread().interrupt();
    }
  }

  private static List<String> lastLines(Path file) {
    try {
      List<String> lines = new String(Files.readAllBytes(file), UTF_8).lines().toList();
      return lines.subList(Math.max(0, lines.size() - MOST_LINES), lines.size());
    } catch (IOException e) {
      return List.of(); // it never came so far
    }
  }
}
