package io.troupe.scheduler.store;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * A real PostgreSQL server, started once for all tests of a class, with a new database for each.
 */
public final class Postgres implements AutoCloseable {
  /** Of each database. */
  public static final String USER = "postgres";

  private final Path folder;
  private final AtomicInteger databases = new AtomicInteger();
  private EmbeddedPostgres server;

  private Postgres(Path folder, EmbeddedPostgres server) {
    this.folder = folder;
    this.server = server;
  }

  /** One that keeps its data in a folder. */
  public static Postgres start(Path folder) {
    return new Postgres(folder, start(EmbeddedPostgres.builder(), folder));
  }

  private static EmbeddedPostgres start(EmbeddedPostgres.Builder how, Path folder) {
    try {
      return how.setDataDirectory(folder)
          .setCleanDataDirectory(false)
          .setServerConfig("synchronous_commit", "on") // as it is by default, but not here
          .setPGStartupWait(Duration.ofMinutes(1))
          .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** SIGKILL for all of its processes. */
  public void kill() {
    try {
      String pid = Files.readAllLines(folder.resolve("postmaster.pid")).get(0);
      ProcessHandle main = ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
      List<ProcessHandle> all = Stream.concat(Stream.of(main), main.descendants()).toList();
      all.forEach(ProcessHandle::destroyForcibly);
      all.forEach(process -> process.onExit().join());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** After {@link #kill}: the same server again. */
  public void startAgain() {
    int port = server.getPort();
    close();
    server = start(EmbeddedPostgres.builder().setPort(port), folder);
  }

  /** The URL of an empty database. */
  public String emptyDatabase() {
    String name = "troupe" + databases.incrementAndGet();
    try (Connection connection = server.getPostgresDatabase().getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute("create database " + name);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
    return "jdbc:postgresql://localhost:" + server.getPort() + "/" + name;
  }

  @Override
  public void close() {
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
