package io.troupe.scheduler.store;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.troupe.scheduler.pool.Store.StoreException;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.Map;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationVersion;
import org.h2.api.ErrorCode;
import org.h2.mvstore.MVStoreException;
import org.jspecify.annotations.Nullable;

/**
 * An SQL database with Troupe's schema: by default a file of H2, which one process at a time can
 * open, or PostgreSQL. What has been committed survives the process (SIGKILL); PostgreSQL, as it is
 * set up by default, also the machine. Thread-safe.
 */
public final class Database implements AutoCloseable {
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
  // Jobs, the framework, and whoever copies it.
  private static final int CONNECTIONS = 3;
  private static final Duration REFUSED_AFTERWARDS = Duration.ofMillis(500);
  private static final String NEWEST = "latest";

  /** What PostgreSQL is told of a scheduler that uses it. */
  static final String SCHEDULER = "troupe-scheduler";

  /** The kinds of databases, where they differ. */
  enum Dialect {
    H2("blob", "restore it from a copy, or move it away to start with an empty one"),
    POSTGRESQL("bytea", "look whether the server runs there, and at troupe.store in --conf");

    private final String bytes;

    /** What to do when it cannot be opened. */
    private final String advice;

    Dialect(String bytes, String advice) {
      this.bytes = bytes;
      this.advice = advice;
    }
  }

  private record Unreachable(SQLException why, long since) {}

  private final HikariDataSource connections;
  private final String name;
  private final Dialect dialect;
  private final FileUpkeep upkeep = new FileUpkeep();
  private volatile @Nullable Unreachable unreachable;

  private Database(HikariDataSource connections, String name, Dialect dialect) {
    this.connections = connections;
    this.name = name;
    this.dialect = dialect;
  }

  /**
   * Opens what the settings say.
   *
   * @param folder where the file is, if it is one
   * @throws StoreException when it cannot be used
   */
  public static Database open(StoreSettings settings, Path folder) {
    return settings.url().isEmpty()
        ? inFolder(folder)
        : at(settings.url(), settings.user(), settings.password());
  }

  /**
   * Opens the H2 file in a folder, and makes it where there is none.
   *
   * @throws StoreException when another process has it open, or it cannot be read
   */
  public static Database inFolder(Path folder) {
    return inFolder(folder, NEWEST);
  }

  /**
   * The same with an older schema, to be brought up to date when it is opened next.
   *
   * @param schema a version that this program knows
   */
  static Database inFolder(Path folder, String schema) {
    Path file = folder.resolve("store").toAbsolutePath().normalize();
    return inFile(file.toString(), nameIn(folder), schema);
  }

  /**
   * The same in a file that H2 finds by this name, without its ending.
   *
   * @param name how it is called where people read it
   */
  static Database inFile(String file, String name) {
    return inFile(file, name, NEWEST);
  }

  private static Database inFile(String file, String name, String schema) {
    try {
      FileUpkeep.settle(file);
    } catch (MVStoreException e) {
      throw unusable(name, Dialect.H2, e);
    }
    // Without a locking thread of its own, H2 holds the file through the operating system's lock.
    // It writes at each commit, and not up to half a second later, only if it is told to. Payloads
    // and results are in their rows unless they are large. A connection remembers some more
    // statements than one write has; of eight, as H2 has it, it would parse each one every time.
    return open(
        "jdbc:h2:file:"
            + file
            + ";FILE_LOCK=FS;DB_CLOSE_ON_EXIT=FALSE;MAX_COMPACT_TIME=0;WRITE_DELAY=0"
            + ";QUERY_CACHE_SIZE=64"
            + ";MAX_LENGTH_INPLACE_LOB=65536",
        "sa",
        "",
        name,
        Dialect.H2,
        schema);
  }

  /**
   * Connects to PostgreSQL as a scheduler does.
   *
   * @param url {@code jdbc:postgresql://host:port/database}
   * @throws StoreException when it cannot be reached or used
   */
  public static Database at(String url, String user, String password) {
    return at(url, user, password, SCHEDULER);
  }

  /**
   * Connects to PostgreSQL.
   *
   * @param program what the server is told of who connects
   */
  static Database at(String url, String user, String password, String program) {
    String options = url.contains("?") ? "&" : "?";
    return open(
        url + options + "reWriteBatchedInserts=true&ApplicationName=" + program,
        user,
        password,
        nameAt(url),
        Dialect.POSTGRESQL,
        NEWEST);
  }

  /** How the H2 file of a folder is called where people read it. */
  static String nameIn(Path folder) {
    return "the store " + folder.resolve("store").toAbsolutePath().normalize();
  }

  /** How a server's database is called where people read it. */
  static String nameAt(String url) {
    return "the store at " + url.replaceFirst("\\?.*", "");
  }

  private static Database open(
      String url, String user, String password, String name, Dialect dialect, String schema) {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(url);
    config.setUsername(user);
    config.setPassword(password);
    config.setAutoCommit(false);
    config.setMaximumPoolSize(CONNECTIONS);
    config.setMinimumIdle(1);
    config.setPoolName("store");
    config.setConnectionTimeout(CONNECT_TIMEOUT.toMillis());
    config.setInitializationFailTimeout(1);
    HikariDataSource connections;
    try {
      connections = new HikariDataSource(config);
    } catch (RuntimeException e) {
      throw unusable(name, dialect, e);
    }
    try {
      Flyway.configure()
          .loggers("slf4j")
          .dataSource(connections)
          .placeholders(Map.of("bytes", dialect.bytes))
          .target(schema)
          .load()
          .migrate();
    } catch (FlywayException e) {
      connections.close();
      throw unusable(name, dialect, e);
    }
    return new Database(connections, name, dialect);
  }

  private static StoreException unusable(String name, Dialect dialect, Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null && root.getCause() != root) {
      if (isLocked(root)) {
        break;
      }
      root = root.getCause();
    }
    if (isLocked(root)) {
      return new StoreException(
          name + " is in use by another process: is a scheduler running with the same --dir?",
          failure);
    }
    return new StoreException(
        name + " cannot be opened: " + said(root) + "; " + dialect.advice, failure);
  }

  /** Without the version that H2 puts behind what it says. */
  private static String said(Throwable root) {
    return root.getMessage() == null
        ? "it is no file of a store, or only the beginning of one"
        : firstLine(root.getMessage()).replaceFirst(" \\[[0-9./]+\\]$", "");
  }

  /** Whether the reason is that another process has the file. */
  static boolean isLockedBehind(Throwable failure) {
    Throwable cause = failure.getCause();
    return cause != null && (isLocked(cause) || isLockedBehind(cause));
  }

  private static boolean isLocked(Throwable failure) {
    // 90020: H2's DATABASE_ALREADY_OPEN
    return (failure instanceof SQLException sql && sql.getErrorCode() == 90020)
        || String.valueOf(failure.getMessage()).contains("file is locked");
  }

  /**
   * A connection that does not commit by itself; to be closed soon. Who asks just after somebody
   * else has waited for one in vain is refused at once, so that many do not wait one after the
   * other.
   */
  Connection connect() throws SQLException {
    Unreachable last = unreachable;
    if (last != null && System.nanoTime() - last.since() < REFUSED_AFTERWARDS.toNanos()) {
      throw new SQLTransientConnectionException(last.why().getMessage(), last.why());
    }
    Connection connection;
    try {
      connection = connections.getConnection();
      unreachable = null;
    } catch (SQLTransientConnectionException e) {
      // Without a cause all connections were in use, which says nothing of the database.
      if (e.getCause() != null) {
        unreachable = new Unreachable(e, System.nanoTime());
      }
      throw e;
    }
    if (dialect == Dialect.H2) {
      try {
        upkeep.uses(connection);
      } catch (SQLException e) {
        connection.close();
        throw e;
      }
    }
    return connection;
  }

  /**
   * Does some of what keeps the file of H2 small, if it is due. Takes milliseconds at most; to be
   * called now and then, when nobody waits.
   *
   * @throws StoreException when it does not work
   */
  void tidy() {
    try {
      upkeep.tidy();
    } catch (MVStoreException e) {
      connections.getHikariPoolMXBean().softEvictConnections();
      throw new StoreException(name + " cannot be tidied: " + reason(e), e);
    }
  }

  /** How it is called where people read it. */
  String name() {
    return name;
  }

  Dialect dialect() {
    return dialect;
  }

  /** Whether its schema is of a later version than this one; false when that is none. */
  boolean isNewerThan(String schema) {
    try (Connection connection = connect()) {
      return schema.matches("[0-9]{1,9}")
          && MigrationVersion.fromVersion(Table.schema(connection)).isNewerThan(schema);
    } catch (SQLException e) {
      throw failed("read", e);
    }
  }

  /** What is told when something failed: which store, what, and why, in one line. */
  StoreException failed(String what, Exception why) {
    if (dialect == Dialect.H2 && why instanceof SQLException sql && endsH2(sql)) {
      // H2 closes a file that it could not write to, and a pool would keep its dead connections:
      // the
      // next one opens the file again, as it was after the last commit.
      connections.getHikariPoolMXBean().softEvictConnections();
    }
    return new StoreException(name + " cannot be " + what + ": " + reason(why), why);
  }

  private static boolean endsH2(SQLException failure) {
    return failure.getErrorCode() == ErrorCode.DATABASE_IS_CLOSED
        || failure.getErrorCode() == ErrorCode.DATABASE_CALLED_AT_SHUTDOWN
        || failure.getErrorCode() == ErrorCode.GENERAL_ERROR_1
        || failure.getErrorCode() == ErrorCode.IO_EXCEPTION_2;
  }

  /** Of what lies deepest where that is the disk's doing, such as that it is full. */
  private static String reason(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof IOException && cause.getMessage() != null) {
        return firstLine(cause.getMessage());
      }
    }
    return firstLine(failure.getMessage());
  }

  private static String firstLine(@Nullable String text) {
    return String.valueOf(text).lines().findFirst().orElse("");
  }

  @Override
  public void close() {
    connections.close();
  }
}
