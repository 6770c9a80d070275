package io.troupe.scheduler.store;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.troupe.model.BlobRef;
import io.troupe.model.ContentType;
import io.troupe.scheduler.pool.Store.StoreException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One backup while it is made: the database, the payloads and results that are files, and the files
 * of pools, all as they were when it was begun, while a scheduler may go on with its work. Used by
 * one thread.
 */
public final class Backup implements AutoCloseable {
  static final String BLOBS = "blobs";
  static final String FILES = "files";

  private static final ObjectMapper JSON = new ObjectMapper();

  /** What a blob is needed for. */
  private enum Need {
    LIVE,
    ENDED
  }

  private final BlobStore.Held blobs;
  private final Path files;
  private final Snapshot snapshot;
  private final String origin;
  private final Map<String, Need> references = new TreeMap<>();
  private final TreeSet<String> poolFiles = new TreeSet<>();

  private Backup(Database database, BlobStore.Held blobs, Path files) {
    this.blobs = blobs;
    this.files = files;
    this.origin = database.dialect().name().toLowerCase(Locale.ROOT);
    try {
      this.snapshot = Snapshot.of(database);
    } catch (RuntimeException e) {
      blobs.close();
      throw e;
    }
  }

  /** Of the store that this process works with. */
  public static Backup ofRunning(Database database, BlobStore blobs, FileStore files) {
    return new Backup(database, blobs.hold(), files.folder());
  }

  /** Of one that nobody works with. */
  public static Backup ofResting(Database database, Path folder) {
    try {
      return new Backup(database, BlobStore.lookInto(folder.resolve(BLOBS)), folder.resolve(FILES));
    } catch (IOException e) {
      throw new StoreException("the blobs in " + folder + " cannot be read: " + e.getMessage(), e);
    }
  }

  /**
   * Writes it, which takes as long as there is much.
   *
   * @throws StoreException when the database cannot be read, or lacks what a job needs
   */
  public void writeTo(OutputStream out, CopyProgress progress) throws IOException {
    DumpWriter dump =
        new DumpWriter(
            out,
            JsonNodeFactory.instance
                .objectNode()
                .put("schema", snapshot.schema())
                .put("database", origin)
                .put("made", Instant.now().toString()));
    for (Table table : snapshot.shapes()) {
      long all = snapshot.rows(table.name());
      long[] done = {0};
      Content.Sink references = references(table);
      dump.table(
          table,
          snapshot,
          row -> {
            references.row(row);
            progress.at(table.name(), ++done[0], all);
          });
    }
    writeFiles(dump, progress);
    dump.finish();
  }

  private Content.Sink references(Table table) {
    return switch (table.name()) {
      case "live_jobs" -> row -> references(table, row, Need.LIVE);
      case "ended_jobs" -> row -> references(table, row, Need.ENDED);
      case "pools" -> row -> poolFiles(String.valueOf(row[table.indexOf("spec")]));
      default -> row -> {};
    };
  }

  private void references(Table table, @Nullable Object[] row, Need need) {
    reference(row[table.indexOf("content_type")], row[table.indexOf("payload")], need);
    reference(row[table.indexOf("result_type")], row[table.indexOf("result")], Need.ENDED);
  }

  private void reference(@Nullable Object type, @Nullable Object content, Need need) {
    if (content instanceof byte[] bytes
        && bytes.length > 0
        && ContentType.valueOf(String.valueOf(type)).isBlob()) {
      references.merge(
          BlobRef.of(bytes).name(), need, (one, other) -> one == Need.LIVE ? one : other);
    }
  }

  private void poolFiles(String spec) throws IOException {
    poolFiles.addAll(PoolSpecJson.read(JSON.readTree(spec)).fileHashes());
  }

  private void writeFiles(DumpWriter dump, CopyProgress progress) throws IOException {
    long done = 0;
    for (Map.Entry<String, Need> reference : references.entrySet()) {
      if (!writeBlob(dump, reference.getKey()) && reference.getValue() == Need.LIVE) {
        throw new StoreException(
            "a job that waits has its payload in the file "
                + reference.getKey()
                + ", which is not there: is --dir the folder of the scheduler that used this"
                + " store?",
            new NoSuchFileException(reference.getKey()));
      }
      progress.at("payloads and results", ++done, references.size());
    }
    for (String sha256 : poolFiles) {
      Path file = files.resolve(sha256);
      if (Files.exists(file)) {
        dump.file(FILES, sha256, file);
      }
    }
  }

  /** Of those of ended jobs the oldest go when space is scarce, so one may be missing. */
  private boolean writeBlob(DumpWriter dump, String name) throws IOException {
    Optional<Path> before = Optional.empty();
    while (true) {
      Optional<Path> file = blobs.file(name);
      if (file.isEmpty() || file.equals(before)) {
        return false;
      }
      try {
        dump.file(BLOBS, file.get().getFileName().toString(), file.get());
        return true;
      } catch (NoSuchFileException justRenamed) {
        before = file;
      }
    }
  }

  @Override
  public void close() {
    try (blobs) {
      snapshot.close();
    }
  }
}
