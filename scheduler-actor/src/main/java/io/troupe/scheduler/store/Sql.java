package io.troupe.scheduler.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Statements as both stores make them: one text, its values in order. */
final class Sql {
  /** How many rows come with one answer of the database. */
  static final int FETCHED_AT_A_TIME = 500;

  private Sql() {}

  /** Makes something of a row. */
  interface Row<T> {
    T read(ResultSet row) throws SQLException, JsonProcessingException;
  }

  /** The statement with its values; to be closed. */
  static PreparedStatement prepared(Connection connection, String sql, Object... values)
      throws SQLException {
    PreparedStatement statement = connection.prepareStatement(sql);
    for (int i = 0; i < values.length; i++) {
      statement.setObject(i + 1, values[i]);
    }
    return statement;
  }

  /** Changes something. */
  static void run(Connection connection, String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = prepared(connection, sql, values)) {
      statement.executeUpdate();
    }
  }

  /** All rows that a question has. */
  static <T> List<T> query(Connection connection, Row<T> reader, String sql, Object... values)
      throws SQLException, JsonProcessingException {
    try (PreparedStatement statement = prepared(connection, sql, values)) {
      statement.setFetchSize(FETCHED_AT_A_TIME);
      try (ResultSet rows = statement.executeQuery()) {
        List<T> all = new ArrayList<>();
        while (rows.next()) {
          all.add(reader.read(rows));
        }
        return all;
      }
    }
  }
}
