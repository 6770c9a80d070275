package io.troupe.scheduler.store;

import io.troupe.scheduler.pool.Store.StoreException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Puts what a dump, or another store, holds in the place of what a store holds: all of it or, when
 * anything goes wrong, nothing.
 */
public final class Restore {
  /** More processes than will have used the store since the copy was made. */
  private static final int EPOCHS = 256;

  private final StoreLocation target;
  private final boolean replace;
  private final CopyProgress progress;

  /**
   * @param replace whether what the store holds may be lost
   */
  public Restore(StoreLocation target, boolean replace, CopyProgress progress) {
    this.target = target;
    this.replace = replace;
    this.progress = progress;
  }

  /**
   * Restores a dump, once it has been found whole.
   *
   * @return what the store holds now
   * @throws StoreException when that cannot be, with the store as it was
   */
  public StoreStats from(Path dump) {
    try (DumpReader reader = DumpReader.open(dump)) {
      return into(
          reader,
          () -> {
            reader.check(progress);
            place(reader, Backup.FILES);
            place(reader, Backup.BLOBS);
          },
          EPOCHS);
    }
  }

  /**
   * Copies another store that nobody works with; blobs and files stay where they are.
   *
   * @return what the store holds now
   * @throws StoreException when that cannot be, with this store as it was
   */
  public StoreStats from(Database source) {
    try (Snapshot snapshot = Snapshot.of(source)) {
      return into(snapshot, () -> {}, 0);
    }
  }

  private interface Step {
    void run() throws IOException;
  }

  private StoreStats into(Content content, Step files, int epochs) {
    boolean isNew = target.isFile() && !Files.exists(target.file());
    Optional<Database> free = target.openIfFreeOrNew();
    if (free.isEmpty()) {
      throw new StoreException(
          target.name() + " is in use: stop the scheduler that uses it first",
          new IllegalStateException(target.name()));
    }
    boolean done = false;
    // Held until the end, so that no scheduler begins to use it meanwhile.
    try (Database held = free.get()) {
      StoreStats there = StoreStats.of(held);
      if (!replace && !there.isEmpty()) {
        throw new StoreException(
            "%s is not empty (%s): add --replace to lose all that"
                .formatted(target.name(), there.inShort()),
            new IllegalStateException(target.name()));
      }
      files.run();
      there =
          held.isNewerThan(content.schema())
              ? updated(held, content, epochs)
              : placed(held, content, epochs);
      done = true;
      return there;
    } catch (IOException e) {
      throw new StoreException(target.name() + " cannot be written: " + e.getMessage(), e);
    } finally {
      if (isNew && !done) {
        discard(target.file());
      }
    }
  }

  /** By way of a file beside the store, which is brought up to date as any store is. */
  private StoreStats updated(Database held, Content content, int epochs) throws IOException {
    Path aside = aside();
    try {
      try (Database old = Database.inFolder(aside, content.schema())) {
        Loader.fill(old, content, epochs, progress);
      }
      try (Database fresh = Database.inFolder(aside);
          Snapshot snapshot = Snapshot.of(fresh)) {
        return placed(held, snapshot, 0);
      }
    } finally {
      discardAll(aside);
    }
  }

  private StoreStats placed(Database held, Content content, int epochs) throws IOException {
    if (target.isFile()) {
      return fillAnew(content, epochs);
    }
    Loader.fill(held, content, epochs, progress);
    return StoreStats.of(held);
  }

  /** Into a file beside the store, which then takes its place. */
  private StoreStats fillAnew(Content content, int epochs) throws IOException {
    Path aside = aside();
    try {
      StoreStats stats;
      try (Database fresh = Database.inFolder(aside)) {
        Loader.fill(fresh, content, epochs, progress);
        stats = StoreStats.of(fresh).called(target.name());
      }
      Path made = aside.resolve(target.file().getFileName());
      sync(made);
      Files.move(made, target.file(), StandardCopyOption.ATOMIC_MOVE);
      sync(target.folder());
      return stats;
    } finally {
      discardAll(aside);
    }
  }

  private Path aside() throws IOException {
    return Files.createTempDirectory(Files.createDirectories(target.folder()), "restoring-");
  }

  private static void discardAll(Path folder) throws IOException {
    try (Stream<Path> left = Files.walk(folder)) {
      left.sorted(Comparator.reverseOrder()).forEach(Restore::discard);
    }
  }

  private void place(DumpReader dump, String group) throws IOException {
    Path folder = Files.createDirectories(target.folder().resolve(group));
    int all = dump.files(group);
    int[] done = {0};
    dump.files(
        group,
        (name, content) -> {
          Path file = folder.resolve(name).normalize();
          if (!folder.equals(file.getParent())) {
            throw new IOException("a file of the backup has the name " + name);
          }
          place(folder, file, content);
          progress.at(group, ++done[0], all);
        });
    sync(folder);
  }

  private static void place(Path folder, Path file, InputStream content) throws IOException {
    Path incoming = Files.createTempFile(folder, "incoming-", "");
    try {
      Files.copy(content, incoming, StandardCopyOption.REPLACE_EXISTING);
      sync(incoming);
      Files.move(incoming, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(incoming);
    }
  }

  private static void discard(Path file) {
    BlobStore.discard(file);
  }

  /** Lets a file, or the names in a folder, survive a power cut. */
  public static void sync(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
