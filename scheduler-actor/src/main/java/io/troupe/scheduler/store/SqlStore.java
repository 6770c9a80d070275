package io.troupe.scheduler.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.troupe.scheduler.offers.Offer;
import io.troupe.scheduler.pool.ExecutorRecord;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.pool.WorkerRecord;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;

/** The store in an SQL database; by default a file of H2 that one process at a time can open. */
public final class SqlStore implements Store {
  private static final String FRAMEWORK_ID = "framework-id";
  private static final String LAST_LAUNCH = "last-launch";

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .addModule(new JavaTimeModule())
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private final HikariDataSource connections;
  private final String name;

  private SqlStore(HikariDataSource connections, String name) {
    this.connections = connections;
    this.name = name;
  }

  /**
   * Opens the store in a folder, and makes it where there is none.
   *
   * @throws StoreException when another process has it open, or it cannot be read
   */
  public static SqlStore inFolder(Path folder) {
    Path file = folder.resolve("store").toAbsolutePath();
    // Without a locking thread of its own, H2 holds the file through the operating system's lock.
    return open(
        "jdbc:h2:file:" + file + ";FILE_LOCK=FS;DB_CLOSE_ON_EXIT=FALSE;MAX_COMPACT_TIME=0",
        file.toString());
  }

  private static SqlStore open(String url, String name) {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(url);
    config.setUsername("sa");
    config.setPassword("");
    config.setAutoCommit(false);
    config.setMaximumPoolSize(2);
    config.setMinimumIdle(1);
    config.setPoolName("store");
    config.setInitializationFailTimeout(1);
    HikariDataSource connections;
    try {
      connections = new HikariDataSource(config);
    } catch (RuntimeException e) {
      throw unusable(name, e);
    }
    try {
      Flyway.configure().loggers("slf4j").dataSource(connections).load().migrate();
    } catch (FlywayException e) {
      connections.close();
      throw unusable(name, e);
    }
    return new SqlStore(connections, name);
  }

  private static StoreException unusable(String name, Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null && root.getCause() != root) {
      if (isLocked(root)) {
        break;
      }
      root = root.getCause();
    }
    if (isLocked(root)) {
      return new StoreException(
          "the store "
              + name
              + " is in use by another process: is a scheduler running with the same --dir?",
          failure);
    }
    return new StoreException(
        "the store "
            + name
            + " cannot be opened: "
            + firstLine(root.getMessage())
            + "; restore it from a copy, or move it away to start with an empty one",
        failure);
  }

  private static boolean isLocked(Throwable failure) {
    // 90020: H2's DATABASE_ALREADY_OPEN
    return (failure instanceof SQLException sql && sql.getErrorCode() == 90020)
        || String.valueOf(failure.getMessage()).contains("file is locked");
  }

  private static String firstLine(String text) {
    return String.valueOf(text).lines().findFirst().orElse("");
  }

  @Override
  public Saved load() {
    try (Connection connection = connections.getConnection()) {
      return new Saved(
          value(connection, FRAMEWORK_ID),
          value(connection, LAST_LAUNCH).map(Long::parseLong).orElse(0L),
          query(connection, "select spec, draining from pools order by name", SqlStore::pool),
          query(connection, "select * from workers order by launch", SqlStore::worker),
          query(connection, "select * from executors order by executor_id", SqlStore::executor));
    } catch (SQLException | JsonProcessingException e) {
      throw new StoreException(
          "the store " + name + " cannot be read: " + firstLine(e.getMessage()), e);
    }
  }

  private interface Row<T> {
    T read(ResultSet row) throws SQLException, JsonProcessingException;
  }

  private static <T> List<T> query(Connection connection, String sql, Row<T> reader)
      throws SQLException, JsonProcessingException {
    try (PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet rows = statement.executeQuery()) {
      List<T> all = new ArrayList<>();
      while (rows.next()) {
        all.add(reader.read(rows));
      }
      return all;
    }
  }

  private static Optional<String> value(Connection connection, String key) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("select content from framework where name = ?")) {
      statement.setString(1, key);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? Optional.of(rows.getString(1)) : Optional.empty();
      }
    }
  }

  private static SavedPool pool(ResultSet row) throws SQLException, JsonProcessingException {
    return new SavedPool(
        PoolSpecJson.read(JSON.readTree(row.getString("spec"))), row.getBoolean("draining"));
  }

  private static WorkerRecord worker(ResultSet row) throws SQLException {
    return new WorkerRecord(
        row.getString("task_id"),
        row.getString("pool"),
        row.getInt("slot"),
        row.getLong("launch"),
        row.getString("agent_id"),
        row.getString("hostname"),
        row.getString("executor_id"),
        WorkerRecord.Phase.valueOf(row.getString("phase")),
        row.getLong("since"));
  }

  private static ExecutorRecord executor(ResultSet row)
      throws SQLException, JsonProcessingException {
    return new ExecutorRecord(
        row.getString("agent_id"),
        row.getString("executor_id"),
        row.getString("pool"),
        List.of(JSON.readValue(row.getString("resources"), Offer.Part[].class)),
        row.getString("files_url"));
  }

  @Override
  public void write(List<Change> changes) {
    if (changes.isEmpty()) {
      return;
    }
    try (Connection connection = connections.getConnection()) {
      try {
        for (Change change : changes) {
          write(connection, change);
        }
        connection.commit();
      } catch (SQLException | JsonProcessingException e) {
        connection.rollback();
        throw e;
      }
    } catch (SQLException | JsonProcessingException e) {
      throw new StoreException(
          "the store " + name + " cannot be written: " + firstLine(e.getMessage()), e);
    }
  }

  private static void write(Connection connection, Change change)
      throws SQLException, JsonProcessingException {
    if (change instanceof FrameworkKnown known) {
      put(connection, FRAMEWORK_ID, known.id());
    } else if (change instanceof FrameworkForgotten) {
      run(connection, "delete from framework where name = ?", FRAMEWORK_ID);
    } else if (change instanceof PoolSaved saved) {
      String pool = saved.pool().spec().name();
      run(connection, "delete from pools where name = ?", pool);
      run(
          connection,
          "insert into pools (name, spec, draining) values (?, ?, ?)",
          pool,
          JSON.writeValueAsString(PoolSpecJson.write(saved.pool().spec())),
          saved.pool().draining());
    } else if (change instanceof PoolRemoved removed) {
      run(connection, "delete from pools where name = ?", removed.pool());
    } else if (change instanceof WorkerSaved saved) {
      write(connection, saved.worker());
    } else if (change instanceof WorkerRemoved removed) {
      run(connection, "delete from workers where task_id = ?", removed.taskId());
    } else if (change instanceof ExecutorSaved saved) {
      write(connection, saved.executor());
    } else if (change instanceof ExecutorRemoved removed) {
      run(
          connection,
          "delete from executors where agent_id = ? and executor_id = ?",
          removed.agentId(),
          removed.executorId());
    } else if (change instanceof AllReplaced all) {
      run(connection, "delete from workers");
      run(connection, "delete from executors");
      for (WorkerRecord worker : all.workers()) {
        write(connection, worker);
      }
      for (ExecutorRecord executor : all.executors()) {
        write(connection, executor);
      }
    }
  }

  private static void write(Connection connection, WorkerRecord worker) throws SQLException {
    run(connection, "delete from workers where task_id = ?", worker.taskId());
    run(
        connection,
        "insert into workers"
            + " (task_id, pool, slot, launch, agent_id, hostname, executor_id, phase, since)"
            + " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        worker.taskId(),
        worker.pool(),
        worker.slot(),
        worker.launch(),
        worker.agentId(),
        worker.hostname(),
        worker.executorId(),
        worker.phase().name(),
        worker.sinceMillis());
    long last = value(connection, LAST_LAUNCH).map(Long::parseLong).orElse(0L);
    if (worker.launch() > last) {
      put(connection, LAST_LAUNCH, Long.toString(worker.launch()));
    }
  }

  private static void write(Connection connection, ExecutorRecord executor)
      throws SQLException, JsonProcessingException {
    run(
        connection,
        "delete from executors where agent_id = ? and executor_id = ?",
        executor.agentId(),
        executor.executorId());
    run(
        connection,
        "insert into executors (agent_id, executor_id, pool, resources, files_url)"
            + " values (?, ?, ?, ?, ?)",
        executor.agentId(),
        executor.executorId(),
        executor.pool(),
        JSON.writeValueAsString(executor.resources()),
        executor.filesUrl());
  }

  private static void put(Connection connection, String key, String value) throws SQLException {
    run(connection, "delete from framework where name = ?", key);
    run(connection, "insert into framework (name, content) values (?, ?)", key, value);
  }

  private static void run(Connection connection, String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) {
        statement.setObject(i + 1, values[i]);
      }
      statement.executeUpdate();
    }
  }

  @Override
  public void close() {
    connections.close();
  }
}
