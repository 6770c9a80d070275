package io.troupe.scheduler.store;

import java.sql.Connection;
import java.sql.SQLException;
import org.h2.engine.SessionLocal;
import org.h2.jdbc.JdbcConnection;
import org.h2.message.DbException;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.MVStoreException;
import org.h2.store.fs.FileUtils;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the file of H2 small, and sound whenever the process is killed. Thread-safe.
 *
 * <p>H2 writes the pages that a commit has changed as one chunk, and uses a chunk's space again
 * when all its pages have been replaced. Its own thread that brings together the pages that are
 * left is there only where commits may be lost; it also moves chunks over each other, which does
 * not survive SIGKILL. So the pages are rewritten here, as if they had been changed: the next
 * commit writes them like any other.
 *
 * <p>After SIGKILL, H2 finds the newest chunk from the one that the file's head names, which may be
 * some twenty commits old, each chunk saying where the next one is. So none of these may be
 * overwritten, although most hold nothing any more: H2 itself keeps them for a time, which is none
 * where commits are rare. Kept by number of versions, they are there.
 */
final class FileUpkeep {
  private static final String ENDING = ".mv.db";

  // The head of the file is at most 21 versions old.
  private static final int VERSIONS_KEPT = 40;
  private static final int COMMITS_BETWEEN = 50;
  private static final int FILLED_PERCENT = 60;
  private static final int BYTES_AT_A_TIME = 256 * 1024;

  private @Nullable MVStore store;
  private long tidiedAt;

  /**
   * Lets the head of a file name its newest chunk, before a database opens it: while H2 does so, it
   * keeps no versions.
   *
   * @param file without its ending; it need not be there
   * @throws MVStoreException when it cannot be read, it has lost what had been committed, or
   *     another process has it; the file is left as it is
   */
  static void settle(String file) {
    if (!FileUtils.exists(file + ENDING)) {
      return;
    }
    MVStore store = new MVStore.Builder().fileName(file + ENDING).autoCommitDisabled().open();
    long head = DataUtils.readHexLong(store.getStoreHeader(), "version", 0);
    if (store.getCurrentVersion() < head) {
      store.closeImmediately();
      // H2 would go on with what is left, be it nothing.
      throw DataUtils.newMVStoreException(
          DataUtils.ERROR_FILE_CORRUPT, "the file has lost what was written last");
    }
    store.setVersionsToKeep(VERSIONS_KEPT);
    store.close();
  }

  /** A connection is to be used, perhaps of a file that has been opened anew. */
  synchronized void uses(Connection connection) throws SQLException {
    MVStore used = storeOf(connection);
    if (used != store) {
      used.setVersionsToKeep(VERSIONS_KEPT);
      used.setRetentionTime(0);
      store = used;
      tidiedAt = used.getCurrentVersion();
    }
  }

  private static MVStore storeOf(Connection connection) throws SQLException {
    try {
      return ((SessionLocal) connection.unwrap(JdbcConnection.class).getSession())
          .getDatabase()
          .getStore()
          .getMvStore();
    } catch (DbException e) {
      throw DbException.toSQLException(e);
    }
  }

  /**
   * Rewrites some pages of chunks that hold the least, if there have been commits enough.
   *
   * @throws MVStoreException when the file cannot be read
   */
  synchronized void tidy() {
    if (store == null || store.isClosed()) {
      return;
    }
    long version = store.getCurrentVersion();
    if (version - tidiedAt >= COMMITS_BETWEEN) {
      tidiedAt = version;
      store.compact(FILLED_PERCENT, BYTES_AT_A_TIME);
    }
  }
}
