package io.troupe.scheduler.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.troupe.scheduler.offers.Offer;
import io.troupe.scheduler.pool.ExecutorRecord;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.pool.WorkerRecord;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;

/** What a scheduler knows of its framework and pools, in an SQL database. */
public final class SqlStore implements Store {
  private static final String FRAMEWORK_ID = "framework-id";
  private static final String LAST_LAUNCH = "last-launch";

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .addModule(new JavaTimeModule())
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private final Database database;

  /** In this database, which {@link #close} closes. */
  public SqlStore(Database database) {
    this.database = database;
  }

  @Override
  public Saved load() {
    try (Connection connection = database.connect()) {
      return new Saved(
          value(connection, FRAMEWORK_ID),
          value(connection, LAST_LAUNCH).map(Long::parseLong).orElse(0L),
          Sql.query(connection, SqlStore::pool, "select spec, draining from pools order by name"),
          Sql.query(connection, SqlStore::worker, "select * from workers order by launch"),
          Sql.query(
              connection, SqlStore::executor, "select * from executors order by executor_id"));
    } catch (SQLException | JsonProcessingException e) {
      throw database.failed("read", e);
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
    try (Connection connection = database.connect()) {
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
      throw database.failed("written", e);
    }
  }

  private static void write(Connection connection, Change change)
      throws SQLException, JsonProcessingException {
    if (change instanceof FrameworkKnown known) {
      put(connection, FRAMEWORK_ID, known.id());
    } else if (change instanceof FrameworkForgotten) {
      Sql.run(connection, "delete from framework where name = ?", FRAMEWORK_ID);
    } else if (change instanceof PoolSaved saved) {
      String pool = saved.pool().spec().name();
      Sql.run(connection, "delete from pools where name = ?", pool);
      Sql.run(
          connection,
          "insert into pools (name, spec, draining) values (?, ?, ?)",
          pool,
          JSON.writeValueAsString(PoolSpecJson.write(saved.pool().spec())),
          saved.pool().draining());
    } else if (change instanceof PoolRemoved removed) {
      Sql.run(connection, "delete from pools where name = ?", removed.pool());
    } else if (change instanceof WorkerSaved saved) {
      write(connection, saved.worker());
    } else if (change instanceof WorkerRemoved removed) {
      Sql.run(connection, "delete from workers where task_id = ?", removed.taskId());
    } else if (change instanceof ExecutorSaved saved) {
      write(connection, saved.executor());
    } else if (change instanceof ExecutorRemoved removed) {
      Sql.run(
          connection,
          "delete from executors where agent_id = ? and executor_id = ?",
          removed.agentId(),
          removed.executorId());
    } else if (change instanceof AllReplaced all) {
      Sql.run(connection, "delete from workers");
      Sql.run(connection, "delete from executors");
      for (WorkerRecord worker : all.workers()) {
        write(connection, worker);
      }
      for (ExecutorRecord executor : all.executors()) {
        write(connection, executor);
      }
    }
  }

  private static void write(Connection connection, WorkerRecord worker) throws SQLException {
    Sql.run(connection, "delete from workers where task_id = ?", worker.taskId());
    Sql.run(
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
    Sql.run(
        connection,
        "delete from executors where agent_id = ? and executor_id = ?",
        executor.agentId(),
        executor.executorId());
    Sql.run(
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
    Sql.run(connection, "delete from framework where name = ?", key);
    Sql.run(connection, "insert into framework (name, content) values (?, ?)", key, value);
  }

  @Override
  public void close() {
    database.close();
  }
}
