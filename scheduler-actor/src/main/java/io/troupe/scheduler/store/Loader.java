package io.troupe.scheduler.store;

import io.troupe.scheduler.pool.Store.StoreException;
import io.troupe.scheduler.store.Table.Column;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Types;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Fills a database with what another one, or a dump, holds. On PostgreSQL that is one transaction,
 * which nobody else sees half of; on H2 the file must be one that nobody uses yet.
 */
final class Loader {
  private static final int ROWS = 2000;
  private static final long BYTES = 4 << 20;

  private Loader() {}

  /**
   * Replaces all that there is.
   *
   * @param epochs how many processes are to be counted beyond those that the content knows of, so
   *     that nothing of what they told others is believed
   */
  static void fill(Database target, Content content, int epochs, CopyProgress progress) {
    try (Connection connection = target.connect()) {
      try {
        List<Table> tables = Table.all(connection);
        checkSchema(Table.schema(connection), tables, content);
        empty(connection, target.dialect(), tables);
        for (Table table : tables) {
          fill(connection, target.dialect(), table, content, progress);
        }
        SqlJobStore.skipEpochs(connection, epochs);
        connection.commit();
      } catch (SQLException | IOException | RuntimeException e) {
        connection.rollback();
        throw e;
      }
    } catch (SQLException | IOException e) {
      throw target.failed("written", e);
    }
  }

  private static void checkSchema(String schema, List<Table> tables, Content content) {
    if (!schema.equals(content.schema())
        || !new TreeSet<>(tables.stream().map(Table::name).toList())
            .equals(new TreeSet<>(content.tables()))) {
      throw new StoreException(
          "it has version %s of the schema, and this program has %s: use the version of Troupe that made it"
              .formatted(content.schema(), schema),
          new IllegalStateException(schema));
    }
  }

  private static void empty(Connection connection, Database.Dialect dialect, List<Table> tables)
      throws SQLException {
    for (Table table : tables) {
      switch (dialect) {
        case H2 -> Sql.run(connection, "delete from " + table.name());
        case POSTGRESQL -> {
          // A scheduler that starts now waits until all is there.
          Sql.run(connection, "lock table " + table.name() + " in access exclusive mode");
          Sql.run(connection, "truncate table " + table.name());
        }
      }
    }
  }

  private static void fill(
      Connection connection,
      Database.Dialect dialect,
      Table table,
      Content content,
      CopyProgress progress)
      throws SQLException, IOException {
    String insert =
        "insert into %s (%s) values (%s)"
            .formatted(
                table.name(),
                table.list(),
                String.join(", ", Collections.nCopies(table.columns().size(), "?")));
    long all = content.rows(table.name());
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      Batch batch = new Batch(connection, dialect, statement);
      content.read(
          table,
          values -> {
            try {
              batch.add(table, values);
            } catch (SQLException e) {
              throw new IOException(e.getMessage(), e);
            }
            progress.at(table.name(), batch.rows, all);
          });
      batch.flush();
      if (batch.rows != all) {
        throw new IOException("%s had %d rows, not %d".formatted(table.name(), batch.rows, all));
      }
    }
  }

  /** Rows on their way. */
  private static final class Batch {
    private final Connection connection;
    private final Database.Dialect dialect;
    private final PreparedStatement statement;
    private long rows;
    private int waiting;
    private long bytes;

    Batch(Connection connection, Database.Dialect dialect, PreparedStatement statement) {
      this.connection = connection;
      this.dialect = dialect;
      this.statement = statement;
    }

    void add(Table table, @Nullable Object[] values) throws SQLException {
      for (int i = 0; i < values.length; i++) {
        set(i + 1, table.columns().get(i), values[i]);
      }
      statement.addBatch();
      rows++;
      if (++waiting >= ROWS || bytes >= BYTES) {
        flush();
      }
    }

    private void set(int index, Column column, @Nullable Object value) throws SQLException {
      switch (column.kind()) {
        case TEXT -> statement.setString(index, (String) value);
        case NUMBER -> statement.setObject(index, value, Types.BIGINT);
        case FLAG -> statement.setObject(index, value, Types.BOOLEAN);
        case BYTES -> {
          byte[] content = (byte[]) value;
          statement.setBytes(index, content);
          bytes += content == null ? 0 : content.length;
        }
      }
    }

    void flush() throws SQLException {
      if (waiting > 0) {
        statement.executeBatch();
        waiting = 0;
        bytes = 0;
      }
      if (dialect == Database.Dialect.H2) {
        // Nobody else is there to see half of it, and H2 keeps all of a transaction for its undo.
        connection.commit();
      }
    }
  }
}
