package io.troupe.scheduler.store;

import io.troupe.scheduler.store.Table.Column;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a database holds at one moment: whatever others write from then on is not seen, in no table,
 * and nobody is held up. Rows are read as they are asked for, never all of them. Used by one thread
 * at a time, and closed soon: while it is open, the database keeps what it would throw away.
 */
final class Snapshot implements Content, AutoCloseable {
  /** H2's own level, beyond those of JDBC: all tables as they are at the first look at any. */
  private static final int H2_SNAPSHOT = 6;

  private final Database database;
  private final Connection connection;
  private final List<Table> tables;
  private final String schema;
  private final Map<String, Long> rows = new HashMap<>();

  private Snapshot(Database database, Connection connection) throws SQLException {
    this.database = database;
    this.connection = connection;
    this.tables = Table.all(connection);
    this.schema = Table.schema(connection);
    connection.commit();
    for (Table table : tables) {
      try (Statement statement = connection.createStatement();
          ResultSet count = statement.executeQuery("select count(*) from " + table.name())) {
        count.next();
        rows.put(table.name(), count.getLong(1));
      }
    }
  }

  /** The database as it is now. */
  static Snapshot of(Database database) {
    try {
      Connection connection = database.connect();
      try {
        prepare(connection, database.dialect());
        return new Snapshot(database, connection);
      } catch (SQLException | RuntimeException e) {
        release(connection, database.dialect());
        throw e;
      }
    } catch (SQLException e) {
      throw database.failed("read", e);
    }
  }

  private static void prepare(Connection connection, Database.Dialect dialect) throws SQLException {
    switch (dialect) {
      case H2 -> {
        connection.setTransactionIsolation(H2_SNAPSHOT);
        lazily(connection, true);
      }
      case POSTGRESQL -> {
        connection.setReadOnly(true);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      }
    }
    connection.commit();
  }

  /** Without this, H2 puts the whole answer together before it gives the first row of it. */
  private static void lazily(Connection connection, boolean lazily) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("set lazy_query_execution " + lazily);
    }
  }

  private static void release(Connection connection, Database.Dialect dialect) throws SQLException {
    try (connection) {
      connection.rollback();
      if (dialect == Database.Dialect.H2) {
        lazily(connection, false);
      }
    }
  }

  @Override
  public String schema() {
    return schema;
  }

  @Override
  public List<String> tables() {
    return tables.stream().map(Table::name).toList();
  }

  /** The tables with their columns. */
  List<Table> shapes() {
    return tables;
  }

  @Override
  public long rows(String table) {
    return rows.getOrDefault(table, 0L);
  }

  @Override
  public void read(Table table, Sink sink) throws IOException {
    try (PreparedStatement statement =
        connection.prepareStatement("select " + table.list() + " from " + table.name())) {
      statement.setFetchSize(Sql.FETCHED_AT_A_TIME);
      try (ResultSet found = statement.executeQuery()) {
        @Nullable Object[] values = new Object[table.columns().size()];
        while (found.next()) {
          for (int i = 0; i < values.length; i++) {
            values[i] = value(found, i + 1, table.columns().get(i));
          }
          sink.row(values);
        }
      }
    } catch (SQLException e) {
      throw database.failed("read", e);
    }
  }

  private static @Nullable Object value(ResultSet row, int index, Column column)
      throws SQLException {
    Object value =
        switch (column.kind()) {
          case TEXT -> row.getString(index);
          case NUMBER -> row.getLong(index);
          case FLAG -> row.getBoolean(index);
          case BYTES -> row.getBytes(index);
        };
    return row.wasNull() ? null : value;
  }

  @Override
  public void close() {
    try {
      release(connection, database.dialect());
    } catch (SQLException e) {
      throw database.failed("read", e);
    }
  }
}
