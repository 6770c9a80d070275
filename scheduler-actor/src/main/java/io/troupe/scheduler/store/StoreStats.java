package io.troupe.scheduler.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.scheduler.jobs.JobState;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a store holds, in numbers.
 *
 * @param bytes that the database takes
 * @param framework whether it knows one
 * @param pools their names and jobs, those of pools that are gone too
 */
public record StoreStats(
    String store,
    String database,
    String schema,
    long bytes,
    boolean framework,
    long workers,
    Map<String, Pool> pools) {

  /**
   * A pool's jobs that are in the store.
   *
   * @param jobs in each state; what runs counts as queued, because its start is not written
   */
  public record Pool(Map<JobState, Long> jobs) {}

  /** Looks. */
  public static StoreStats of(Database database) {
    try (Connection connection = database.connect()) {
      Map<String, Pool> pools = new TreeMap<>();
      for (String name : strings(connection, "select name from pools")) {
        pools.put(name, new Pool(new EnumMap<>(JobState.class)));
      }
      for (String table : List.of("live_jobs", "ended_jobs")) {
        Sql.query(
            connection,
            row ->
                pools
                    .computeIfAbsent(
                        row.getString(1), gone -> new Pool(new EnumMap<>(JobState.class)))
                    .jobs()
                    .merge(JobState.valueOf(row.getString(2)), row.getLong(3), Long::sum),
            "select pool, state, count(*) from " + table + " group by pool, state");
      }
      return new StoreStats(
          database.name(),
          database.dialect().name().toLowerCase(Locale.ROOT),
          Table.schema(connection),
          bytes(connection, database.dialect()),
          !strings(connection, "select content from framework where name = 'framework-id'")
              .isEmpty(),
          strings(connection, "select task_id from workers").size(),
          pools);
    } catch (SQLException | JsonProcessingException e) {
      throw database.failed("read", e);
    }
  }

  private static long bytes(Connection connection, Database.Dialect dialect)
      throws SQLException, JsonProcessingException {
    return Sql.query(
            connection,
            row -> row.getLong(1),
            switch (dialect) {
              case H2 ->
                  "select cast(setting_value as bigint) from information_schema.settings"
                      + " where setting_name = 'info.FILE_SIZE'";
              case POSTGRESQL -> "select pg_database_size(current_database())";
            })
        .stream()
        .findFirst()
        .orElse(0L);
  }

  private static List<String> strings(Connection connection, String sql)
      throws SQLException, JsonProcessingException {
    return new ArrayList<>(Sql.query(connection, row -> row.getString(1), sql));
  }

  /** The same of a store that will have another name. */
  StoreStats called(String name) {
    return new StoreStats(name, database, schema, bytes, framework, workers, pools);
  }

  /** All jobs. */
  long jobs() {
    return pools.values().stream()
        .flatMap(pool -> pool.jobs().values().stream())
        .mapToLong(Long::longValue)
        .sum();
  }

  /** Whether nothing would be lost with it. */
  boolean isEmpty() {
    return pools.isEmpty() && !framework && workers == 0;
  }

  /** In a few words. */
  public String inShort() {
    return "%,d pools, %,d jobs".formatted(pools.size(), jobs())
        + (framework ? ", a framework" : "");
  }

  /** All of it. */
  public ObjectNode json() {
    ObjectNode json =
        JsonNodeFactory.instance
            .objectNode()
            .put("store", store)
            .put("database", database)
            .put("schema", schema)
            .put("bytes", bytes)
            .put("framework", framework)
            .put("workers", workers)
            .put("jobs", jobs());
    ObjectNode all = json.putObject("pools");
    pools.forEach(
        (name, pool) -> {
          ObjectNode states = all.putObject(name);
          pool.jobs().forEach((state, jobs) -> states.put(state.name(), jobs));
        });
    return json;
  }
}
