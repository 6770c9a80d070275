package io.troupe.scheduler.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import akka.Done;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.JobStore;
import io.troupe.scheduler.jobs.NewJob;
import io.troupe.scheduler.jobs.StoredJob;
import io.troupe.scheduler.pool.Store.StoreException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Jobs in an SQL database. One thread of its own does everything in order; each write is one
 * transaction of a few batches, whatever its number of jobs.
 */
public final class SqlJobStore implements JobStore {
  private static final Logger LOG = LoggerFactory.getLogger(SqlJobStore.class);
  private static final String EPOCH = "job-epoch";
  private static final int SWEPT_AT_A_TIME = 5000;
  // H2 holds the rows of a statement that deletes.
  private static final int DELETED_AT_A_TIME = 1000;
  private static final long IDS_OF_A_PREFIX = 1L << 32;
  private static final long CLOSING_SECONDS = 10;

  private static final String[] COLUMNS = {
    "id",
    "pool",
    "function_name",
    "content_type",
    "payload",
    "attempts",
    "timeout_millis",
    "priority",
    "submitter",
    "delay_millis",
    "ttl_millis",
    "keep_millis",
    "job_key",
    "submitted_at",
    "due",
    "expires",
    "state",
    "fence",
    "started",
    "uncounted",
    "started_at",
    "ended_at",
    "worker",
    "cause",
    "result_type",
    "result",
    "told",
    "keep_until"
  };
  private static final String SELECTED = "select " + String.join(", ", COLUMNS);

  /** The first of the columns, from 0, that may change as long as a job lives, as all after it. */
  private static final int CHANGING = 14;

  private static final String UPDATE =
      "update live_jobs set "
          + String.join(" = ?, ", List.of(COLUMNS).subList(CHANGING, COLUMNS.length))
          + " = ? where id = ?";

  private static final ObjectMapper JSON =
      JsonMapper.builder().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

  /** The two tables that have a job's columns. */
  private enum Table {
    LIVE("live_jobs"),
    ENDED("ended_jobs");

    private final String sqlName;
    private final String insert;

    Table(String sqlName) {
      this.sqlName = sqlName;
      this.insert =
          "insert into "
              + sqlName
              + " ("
              + String.join(", ", COLUMNS)
              + ") values ("
              + String.join(", ", Collections.nCopies(COLUMNS.length, "?"))
              + ")";
    }
  }

  private interface Work<T> {
    T in(Connection connection) throws SQLException, JsonProcessingException;
  }

  private final Database database;
  private final Payloads payloads;
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(task -> new Thread(task, "troupe-job-store"));
  private final int epoch;
  private final long lastPrefix;
  private long sweptUpTo;

  /**
   * Opens the jobs of a database, as another scheduler process than all before.
   *
   * @throws io.troupe.scheduler.pool.Store.StoreException when it does not work
   */
  public SqlJobStore(Database database, Payloads payloads) {
    this.database = database;
    this.payloads = payloads;
    this.epoch = work("written", SqlJobStore::nextEpoch);
    this.lastPrefix = work("read", c -> number(c, "select max(prefix) from job_prefixes"));
  }

  private static int nextEpoch(Connection connection) throws SQLException {
    return skipEpochs(connection, 1);
  }

  /** Counts further processes, and says how many there have been. */
  static int skipEpochs(Connection connection, int epochs) throws SQLException {
    int next =
        (int) number(connection, "select content from framework where name = '" + EPOCH + "'")
            + epochs;
    Sql.run(connection, "delete from framework where name = ?", EPOCH);
    Sql.run(
        connection,
        "insert into framework (name, content) values (?, ?)",
        EPOCH,
        Integer.toString(next));
    return next;
  }

  // ---- how work is done

  private <T> CompletionStage<T> later(String what, Work<T> work) {
    CompletableFuture<T> done = CompletableFuture.supplyAsync(() -> work(what, work), thread);
    // After whoever waits has been told.
    CompletionStage<T> unused = done.whenCompleteAsync((result, failure) -> tidy(), thread);
    return done;
  }

  private void tidy() {
    try {
      database.tidy();
    } catch (StoreException e) {
      LOG.warn("{}", e.getMessage());
    }
  }

  private <T> T work(String what, Work<T> work) {
    try (Connection connection = database.connect()) {
      try {
        T result = work.in(connection);
        connection.commit();
        return result;
      } catch (SQLException | JsonProcessingException e) {
        rollBack(connection, e);
        throw e;
      }
    } catch (SQLException | JsonProcessingException e) {
      throw database.failed(what, e);
    }
  }

  private static void rollBack(Connection connection, Exception because) {
    try {
      connection.rollback();
    } catch (SQLException e) {
      because.addSuppressed(e);
    }
  }

  private static long number(Connection connection, String sql, Object... values)
      throws SQLException {
    try (PreparedStatement statement = Sql.prepared(connection, sql, values);
        ResultSet rows = statement.executeQuery()) {
      return rows.next() ? rows.getLong(1) : 0;
    }
  }

  // ---- opening

  @Override
  public long lastPrefix() {
    return lastPrefix;
  }

  @Override
  public CompletionStage<Opened> open(String pool, long prefix) {
    return later(
        "read",
        connection -> {
          Sql.run(connection, "delete from job_prefixes where prefix = ?", prefix);
          Sql.run(
              connection, "insert into job_prefixes (prefix, pool) values (?, ?)", prefix, pool);
          Map<JobState, Long> ended = new EnumMap<>(JobState.class);
          Sql.query(
              connection,
              row -> ended.put(JobState.valueOf(row.getString(1)), row.getLong(2)),
              "select state, jobs from job_counts where pool = ?",
              pool);
          return new Opened(
              epoch,
              prefixes(connection, pool),
              Sql.query(
                  connection,
                  row -> new Lane(row.getInt(1), row.getString(2), row.getLong(3)),
                  "select priority, submitter, count(*) from live_jobs where pool = ?"
                      + " group by priority, submitter",
                  pool),
              held(connection, pool),
              ended);
        });
  }

  private static List<Long> prefixes(Connection connection, String pool)
      throws SQLException, JsonProcessingException {
    return Sql.query(
        connection,
        row -> row.getLong(1),
        "select prefix from job_prefixes where pool = ? order by prefix desc",
        pool);
  }

  private static List<StoredJob> held(Connection connection, String pool)
      throws SQLException, JsonProcessingException {
    return Sql.query(
        connection,
        row -> job(row, row.getString(COLUMNS.length + 1)),
        "select "
            + "j."
            + String.join(", j.", COLUMNS)
            + ", h.holder from held_jobs h join live_jobs j on j.id = h.id where h.pool = ?"
            + " order by j.id",
        pool);
  }

  // ---- writing

  @Override
  public CompletionStage<Done> write(
      String pool, List<Change> changes, Map<JobState, Long> ended, boolean again) {
    return later(
        "written",
        connection -> {
          payloads.giveToNew(changes);
          List<Long> live = new ArrayList<>();
          List<Long> over = new ArrayList<>();
          List<Long> held = new ArrayList<>();
          List<Change> others = new ArrayList<>();
          List<StoredJob> changed = new ArrayList<>();
          for (Change change : changes) {
            StoredJob row = change.row();
            boolean stays =
                !again && change.from() == Place.LIVE && row != null && !row.state().ended();
            if (stays) {
              changed.add(row);
            } else {
              others.add(change);
            }
            if (again || change.from() == Place.LIVE) {
              held.add(change.id());
              if (!stays) {
                live.add(change.id());
              }
            }
            if (again || change.from() == Place.ENDED) {
              over.add(change.id());
            }
          }
          delete(connection, Table.LIVE.sqlName, live);
          delete(connection, Table.ENDED.sqlName, over);
          delete(connection, "held_jobs", held);
          update(connection, changed);
          insert(connection, Table.LIVE, rows(others, false));
          insert(connection, Table.ENDED, rows(others, true));
          hold(connection, changes);
          keys(connection, pool, changes, again);
          count(connection, pool, ended);
          return Done.getInstance();
        });
  }

  private static List<StoredJob> rows(List<Change> changes, boolean ended) {
    List<StoredJob> rows = new ArrayList<>();
    for (Change change : changes) {
      StoredJob row = change.row();
      if (row != null && row.state().ended() == ended) {
        rows.add(row);
      }
    }
    return rows;
  }

  private void delete(Connection connection, String table, List<Long> ids) throws SQLException {
    if (ids.isEmpty()) {
      return;
    }
    switch (database.dialect()) {
      case H2 -> deleteRuns(connection, table, ids);
      case POSTGRESQL -> {
        // One statement: batches of deletes are a round trip for each some hundred rows.
        try (PreparedStatement statement =
            connection.prepareStatement("delete from " + table + " where id = any(?)")) {
          statement.setArray(1, connection.createArrayOf("bigint", ids.toArray()));
          statement.executeUpdate();
        }
      }
    }
  }

  /**
   * One statement for ids that follow each other, as those of jobs do that have been handed out
   * together: for H2, a statement costs more than what it does to a row.
   */
  private static void deleteRuns(Connection connection, String table, List<Long> ids)
      throws SQLException {
    List<Long> sorted = new ArrayList<>(ids);
    Collections.sort(sorted);
    try (PreparedStatement statement =
        connection.prepareStatement("delete from " + table + " where id between ? and ?")) {
      long first = sorted.get(0);
      long last = first;
      for (long id : sorted) {
        if (id > last + 1 || id - first >= DELETED_AT_A_TIME) {
          add(statement, first, last);
          first = id;
        }
        last = id;
      }
      add(statement, first, last);
      statement.executeBatch();
    }
  }

  private static void add(PreparedStatement statement, long first, long last) throws SQLException {
    statement.setLong(1, first);
    statement.setLong(2, last);
    statement.addBatch();
  }

  /** Changes what may change of jobs that stay in their table: no index has to know of it. */
  private static void update(Connection connection, List<StoredJob> rows)
      throws SQLException, JsonProcessingException {
    if (rows.isEmpty()) {
      return;
    }
    try (PreparedStatement statement = connection.prepareStatement(UPDATE)) {
      for (StoredJob row : rows) {
        fillChanging(statement, 1, row);
        statement.setLong(COLUMNS.length - CHANGING + 1, row.id());
        statement.addBatch();
      }
      for (int found : statement.executeBatch()) {
        if (found == 0) {
          throw new SQLException("a job that lives is not in its table");
        }
      }
    }
  }

  private static void insert(Connection connection, Table table, List<StoredJob> rows)
      throws SQLException, JsonProcessingException {
    if (rows.isEmpty()) {
      return;
    }
    try (PreparedStatement statement = connection.prepareStatement(table.insert)) {
      for (StoredJob row : rows) {
        fill(statement, row);
        statement.addBatch();
      }
      statement.executeBatch();
    }
  }

  private static void fill(PreparedStatement statement, StoredJob row)
      throws SQLException, JsonProcessingException {
    NewJob.Terms terms = row.terms();
    statement.setLong(1, row.id());
    statement.setString(2, row.pool());
    statement.setString(3, row.function());
    statement.setString(4, row.type().name());
    statement.setBytes(5, row.payload());
    statement.setInt(6, terms.attempts());
    statement.setLong(7, terms.timeoutMillis());
    statement.setInt(8, terms.priority());
    statement.setString(9, terms.submitter());
    statement.setLong(10, terms.delayMillis());
    statement.setLong(11, terms.ttlMillis());
    statement.setLong(12, terms.keepMillis());
    statement.setString(13, row.key());
    statement.setLong(14, row.submittedAt());
    fillChanging(statement, CHANGING + 1, row);
  }

  /** Fills in what may change, from this parameter on. */
  private static void fillChanging(PreparedStatement statement, int first, StoredJob row)
      throws SQLException, JsonProcessingException {
    statement.setLong(first, row.due());
    statement.setLong(first + 1, row.expires());
    statement.setString(first + 2, row.state().name());
    statement.setInt(first + 3, row.fence());
    statement.setInt(first + 4, row.started());
    statement.setInt(first + 5, row.uncounted());
    statement.setLong(first + 6, row.startedAt());
    statement.setLong(first + 7, row.endedAt());
    statement.setString(first + 8, row.worker());
    statement.setString(first + 9, text(row.cause()));
    statement.setString(first + 10, row.resultType().name());
    statement.setBytes(first + 11, row.result());
    statement.setBoolean(first + 12, row.told());
    statement.setLong(first + 13, row.keepUntil());
  }

  private static @Nullable String text(@Nullable Cause cause) throws JsonProcessingException {
    if (cause == null) {
      return null;
    }
    // PostgreSQL's texts have neither the character 0 nor halves of characters; output of programs
    // may.
    String json = JSON.writeValueAsString(cause).replace("\\u0000", "\\ufffd");
    return new String(json.getBytes(UTF_8), UTF_8);
  }

  private static StoredJob job(ResultSet row, String holder)
      throws SQLException, JsonProcessingException {
    String cause = row.getString(24);
    return new StoredJob(
        row.getLong(1),
        row.getString(2),
        row.getString(3),
        ContentType.valueOf(row.getString(4)),
        row.getBytes(5),
        new NewJob.Terms(
            row.getInt(6),
            row.getLong(7),
            row.getInt(8),
            row.getString(9),
            row.getLong(10),
            row.getLong(11),
            row.getLong(12)),
        row.getString(13),
        row.getLong(14),
        row.getLong(15),
        row.getLong(16),
        JobState.valueOf(row.getString(17)),
        row.getInt(18),
        holder,
        row.getInt(19),
        row.getInt(20),
        row.getLong(21),
        row.getLong(22),
        row.getString(23),
        cause == null ? null : JSON.readValue(cause, Cause.class),
        ContentType.valueOf(row.getString(25)),
        row.getBytes(26),
        row.getBoolean(27),
        row.getLong(28));
  }

  private static StoredJob job(ResultSet row) throws SQLException, JsonProcessingException {
    return job(row, "");
  }

  private static void hold(Connection connection, List<Change> changes) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("insert into held_jobs (id, pool, holder) values (?, ?, ?)")) {
      boolean some = false;
      for (Change change : changes) {
        StoredJob row = change.row();
        if (row != null && !row.state().ended() && !row.holder().isEmpty()) {
          statement.setLong(1, row.id());
          statement.setString(2, row.pool());
          statement.setString(3, row.holder());
          statement.addBatch();
          some = true;
        }
      }
      if (some) {
        statement.executeBatch();
      }
    }
  }

  private static void keys(Connection connection, String pool, List<Change> changes, boolean again)
      throws SQLException {
    for (Change change : changes) {
      String key = change.key();
      if (key == null) {
        continue;
      }
      boolean isNew = change.from() == Place.NONE && change.row() != null;
      if (change.row() == null || (isNew && again)) {
        Sql.run(
            connection,
            "delete from job_keys where pool = ? and job_key = ? and id = ?",
            pool,
            key,
            change.id());
      }
      if (isNew) {
        Sql.run(
            connection,
            "insert into job_keys (pool, job_key, id) values (?, ?, ?)",
            pool,
            key,
            change.id());
      }
    }
  }

  private static void count(Connection connection, String pool, Map<JobState, Long> ended)
      throws SQLException {
    for (Map.Entry<JobState, Long> state : ended.entrySet()) {
      String sql = "update job_counts set jobs = ? where pool = ? and state = ?";
      int updated;
      try (PreparedStatement statement =
          Sql.prepared(connection, sql, state.getValue(), pool, state.getKey().name())) {
        updated = statement.executeUpdate();
      }
      if (updated == 0) {
        Sql.run(
            connection,
            "insert into job_counts (jobs, pool, state) values (?, ?, ?)",
            state.getValue(),
            pool,
            state.getKey().name());
      }
    }
  }

  // ---- reading

  @Override
  public CompletionStage<List<StoredJob>> page(
      String pool, int priority, String submitter, long after, int jobs, long bytes) {
    return later(
        "read",
        connection -> {
          String sql =
              SELECTED
                  + " from live_jobs where pool = ? and priority = ? and submitter = ? and id > ?"
                  + " order by pool, priority, submitter, id limit "
                  + jobs;
          List<StoredJob> page = new ArrayList<>();
          long size = 0;
          try (PreparedStatement statement =
              Sql.prepared(connection, sql, pool, priority, submitter, after)) {
            statement.setFetchSize(Sql.FETCHED_AT_A_TIME);
            try (ResultSet rows = statement.executeQuery()) {
              while (size < bytes && rows.next()) {
                StoredJob job = job(rows);
                page.add(job);
                size += job.payload().length;
              }
            }
          }
          return page;
        });
  }

  @Override
  public CompletionStage<Optional<StoredJob>> find(String pool, long id) {
    return later("read", connection -> one(connection, pool, id));
  }

  private static Optional<StoredJob> one(Connection connection, String pool, long id)
      throws SQLException, JsonProcessingException {
    for (Table table : Table.values()) {
      List<StoredJob> found =
          Sql.query(
              connection,
              SqlJobStore::job,
              SELECTED + " from " + table.sqlName + " where id = ?",
              id);
      if (!found.isEmpty()) {
        return found.get(0).pool().equals(pool) ? Optional.of(found.get(0)) : Optional.empty();
      }
    }
    return Optional.empty();
  }

  @Override
  public CompletionStage<Optional<StoredJob>> withKey(String pool, String key) {
    return later(
        "read",
        connection -> {
          long id =
              number(
                  connection, "select id from job_keys where pool = ? and job_key = ?", pool, key);
          return id == 0 ? Optional.empty() : one(connection, pool, id);
        });
  }

  @Override
  public CompletionStage<List<StoredJob>> newest(String pool, Optional<JobState> state, int limit) {
    return later(
        "read",
        connection -> {
          List<StoredJob> newest = new ArrayList<>();
          // By ranges of ids, each of one pool: so the primary key serves, whatever there is.
          for (long prefix : prefixes(connection, pool)) {
            for (Table table : Table.values()) {
              boolean ended = table == Table.ENDED;
              if (state.isEmpty() || state.get().ended() == ended) {
                newest.addAll(
                    newest(connection, table, prefix, ended ? state : Optional.empty(), limit));
              }
            }
            if (newest.size() >= limit) {
              break;
            }
          }
          newest.sort(java.util.Comparator.comparingLong(StoredJob::id).reversed());
          return newest.size() > limit ? List.copyOf(newest.subList(0, limit)) : newest;
        });
  }

  private static List<StoredJob> newest(
      Connection connection, Table table, long prefix, Optional<JobState> state, int limit)
      throws SQLException, JsonProcessingException {
    String sql =
        SELECTED
            + " from "
            + table.sqlName
            + " where id >= ? and id < ?"
            + (state.isPresent() ? " and state = ?" : "")
            + " order by id desc limit "
            + limit;
    List<Object> values = new ArrayList<>();
    values.add(prefix * IDS_OF_A_PREFIX);
    values.add((prefix + 1) * IDS_OF_A_PREFIX);
    state.ifPresent(wanted -> values.add(wanted.name()));
    return Sql.query(connection, SqlJobStore::job, sql, values.toArray());
  }

  // ---- forgetting

  private record Passed(long id, String pool, @Nullable String key, long keepUntil) {}

  @Override
  public CompletionStage<Integer> sweep(long now) {
    return later(
        "written",
        connection -> {
          List<Passed> some =
              Sql.query(
                  connection,
                  row ->
                      new Passed(
                          row.getLong(1), row.getString(2), row.getString(3), row.getLong(4)),
                  "select id, pool, job_key, keep_until from ended_jobs where id > ? order by id"
                      + " limit "
                      + SWEPT_AT_A_TIME,
                  sweptUpTo);
          sweptUpTo = some.size() < SWEPT_AT_A_TIME ? 0 : some.get(some.size() - 1).id();
          List<Passed> over = some.stream().filter(row -> row.keepUntil() <= now).toList();
          delete(connection, Table.ENDED.sqlName, over.stream().map(Passed::id).toList());
          for (Passed row : over) {
            if (row.key() != null) {
              Sql.run(
                  connection,
                  "delete from job_keys where pool = ? and job_key = ? and id = ?",
                  row.pool(),
                  row.key(),
                  row.id());
            }
          }
          return over.size();
        });
  }

  @Override
  public CompletionStage<Done> forget(String pool) {
    return later(
        "written",
        connection -> {
          for (String table :
              List.of(
                  "live_jobs",
                  "ended_jobs",
                  "held_jobs",
                  "job_keys",
                  "job_counts",
                  "job_prefixes")) {
            Sql.run(connection, "delete from " + table + " where pool = ?", pool);
          }
          return Done.getInstance();
        });
  }

  @Override
  public void close() {
    thread.shutdown();
    try {
      if (!thread.awaitTermination(CLOSING_SECONDS, TimeUnit.SECONDS)) {
        thread.shutdownNow();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
