package io.troupe.scheduler.store;

import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that a store holds, as it was at one moment: a snapshot of a database, or a dump. Failures
 * are {@link io.troupe.scheduler.pool.Store.StoreException}s, or those of the sink.
 */
interface Content {

  /** Takes one row: for each column a String, a Long, a Boolean or bytes, or null. */
  interface Sink {
    void row(@Nullable Object[] values) throws IOException;
  }

  /** The version of the schema. */
  String schema();

  /** The names of the tables. */
  List<String> tables();

  /** How many rows a table has. */
  long rows(String table);

  /** Hands over all rows of a table, with the columns in this order, one at a time. */
  void read(Table table, Sink sink) throws IOException;
}
