package io.troupe.scheduler.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A table as a copy of it needs to know it: the same for every database. */
record Table(String name, List<Column> columns) {

  /** What a column holds, in Java: a String, a Long, a Boolean, bytes. */
  enum Kind {
    TEXT,
    NUMBER,
    FLAG,
    BYTES
  }

  /** One column. */
  record Column(String name, Kind kind) {}

  private static final String HISTORY = "flyway_schema_history";

  Table {
    columns = List.copyOf(columns);
  }

  /** All tables that hold what Troupe knows, whatever the schema's version, by name. */
  static List<Table> all(Connection connection) throws SQLException {
    try {
      List<Table> tables = new ArrayList<>();
      for (String name :
          Sql.query(
              connection,
              row -> row.getString(1),
              "select table_name from information_schema.tables where table_schema ="
                  + " current_schema and table_type = 'BASE TABLE' order by table_name")) {
        String known = name.toLowerCase(Locale.ROOT);
        if (!known.equals(HISTORY)) {
          tables.add(
              new Table(
                  known,
                  Sql.query(
                      connection,
                      row -> column(row.getString(1), row.getString(2)),
                      "select column_name, data_type from information_schema.columns where"
                          + " table_schema = current_schema and table_name = ?"
                          + " order by ordinal_position",
                      name)));
        }
      }
      return tables;
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("no JSON was read", e);
    }
  }

  /** The version of the schema. */
  static String schema(Connection connection) throws SQLException {
    try {
      return Sql.query(
              connection,
              row -> row.getString(1),
              "select \"version\" from \""
                  + HISTORY
                  + "\" where \"success\" order by \"installed_rank\" desc")
          .get(0);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("no JSON was read", e);
    }
  }

  private static Column column(String name, String type) {
    return new Column(name.toLowerCase(Locale.ROOT), kind(type.toLowerCase(Locale.ROOT)));
  }

  private static Kind kind(String type) {
    if (type.endsWith("int") || type.equals("integer")) {
      return Kind.NUMBER;
    }
    if (type.equals("boolean")) {
      return Kind.FLAG;
    }
    if (type.startsWith("binary") || type.equals("bytea")) {
      return Kind.BYTES;
    }
    if (type.startsWith("character") || type.equals("text")) {
      return Kind.TEXT;
    }
    throw new IllegalStateException("a column of a type that is not copied: " + type);
  }

  /** The names of the columns with commas between them. */
  String list() {
    return String.join(", ", columns.stream().map(Column::name).toList());
  }

  /** Where the column is among the others, from 0; -1 when there is none of this name. */
  int indexOf(String column) {
    for (int i = 0; i < columns.size(); i++) {
      if (columns.get(i).name().equals(column)) {
        return i;
      }
    }
    return -1;
  }
}
