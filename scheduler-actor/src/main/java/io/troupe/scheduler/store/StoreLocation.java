package io.troupe.scheduler.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.troupe.scheduler.pool.Store.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;

/**
 * Where a store is, for programs that are no scheduler.
 *
 * @param folder of the node: the database, unless it is a server's, and always blobs and files
 */
public record StoreLocation(StoreSettings settings, Path folder) {
  private static final String PROGRAM = "troupe-store";

  /** Whether the database is a file in the folder. */
  boolean isFile() {
    return settings.url().isEmpty();
  }

  /** The database's file, where it is one. */
  Path file() {
    return folder.resolve("store.mv.db");
  }

  /** How the store is called where people read it. */
  public String name() {
    return isFile() ? Database.nameIn(folder) : Database.nameAt(settings.url());
  }

  /**
   * Opens it unless a scheduler has it.
   *
   * @return empty when one does
   * @throws StoreException when there is none, or it cannot be used
   */
  public Optional<Database> openIfFree() {
    mustExist();
    return openIfFreeOrNew();
  }

  /**
   * Opens it to look, which a server lets anybody do at any time.
   *
   * @return empty when a scheduler has the file
   */
  public Optional<Database> openToRead() {
    return isFile() ? openIfFree() : Optional.of(open());
  }

  private void mustExist() {
    if (isFile() && !Files.exists(file())) {
      throw new StoreException(
          "there is no store in "
              + folder
              + ": say where it is with --dir, or, for a database server, with --conf",
          new IOException(file().toString()));
    }
  }

  /** The same; where there is no store, it makes an empty one. */
  Optional<Database> openIfFreeOrNew() {
    try {
      if (isFile()) {
        Files.createDirectories(folder);
      }
      Database database = open();
      if (!isFile() && usedByScheduler(database)) {
        database.close();
        return Optional.empty();
      }
      return Optional.of(database);
    } catch (IOException e) {
      throw new StoreException("the folder " + folder + " cannot be made: " + e.getMessage(), e);
    } catch (StoreException e) {
      if (Database.isLockedBehind(e)) {
        return Optional.empty();
      }
      throw e;
    }
  }

  private Database open() {
    return isFile()
        ? Database.inFolder(folder)
        : Database.at(settings.url(), settings.user(), settings.password(), PROGRAM);
  }

  private static boolean usedByScheduler(Database database) {
    try (Connection connection = database.connect()) {
      return !Sql.query(
              connection,
              row -> row.getInt(1),
              "select pid from pg_stat_activity where datname = current_database() and"
                  + " application_name = ?",
              Database.SCHEDULER)
          .isEmpty();
    } catch (SQLException | JsonProcessingException e) {
      throw database.failed("read", e);
    }
  }
}
