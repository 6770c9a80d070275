package io.troupe.local.agent;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The files of an agent that several executors name: each is fetched once for each user and URI,
 * whoever asks meanwhile waits for it. What was not used for longest goes when they take too much
 * room, but never a file that is being read. Nothing outlives the agent's process. Safe for several
 * threads; blocks.
 */
final class FetcherCache {
  private final Path directory;
  private final long capacity;
  private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
  private long count;

  private record Key(String user, String uri) {}

  /** Brings a file. */
  interface Download {
    /** Writes the file at the target, which does not exist. */
    void to(Path target) throws IOException, InterruptedException;
  }

  /** A file that stays in the cache until this is closed. */
  interface Lease extends AutoCloseable {
    /** The file; not to be changed. */
    Path file();

    @Override
    void close();
  }

  /**
   * @param directory of its own: what is in it goes
   * @param capacity in bytes
   */
  FetcherCache(Path directory, long capacity) {
    this.directory = directory;
    this.capacity = capacity;
    try {
      if (Files.exists(directory)) {
        try (Stream<Path> old = Files.walk(directory)) {
          for (Path path : old.sorted(Comparator.reverseOrder()).toList()) {
            Files.delete(path);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Emptying the cache " + directory, e);
    }
  }

  /**
   * The file of a URI, which is brought if it is not there.
   *
   * @throws IOException when it cannot be brought, or did not fit into the cache: others that wait
   *     for it try it themselves
   */
  Lease file(String user, String uri, String name, Download download)
      throws IOException, InterruptedException {
    Entry entry;
    synchronized (this) {
      entry = entries.computeIfAbsent(new Key(user, uri), key -> new Entry(key, path(name)));
      entry.readers++;
    }
    try {
      entry.bring(download);
    } catch (IOException | InterruptedException | RuntimeException e) {
      release(entry);
      throw e;
    }
    makeRoom();
    return entry;
  }

  private Path path(String name) {
    count++;
    return directory.resolve("c" + count + "-" + name);
  }

  private synchronized void makeRoom() {
    long size = entries.values().stream().mapToLong(entry -> entry.size).sum();
    while (size > capacity) {
      Optional<Entry> oldest =
          entries.values().stream()
              .filter(entry -> entry.readers == 0 && entry.size > 0)
              .findFirst();
      if (oldest.isEmpty()) {
        return;
      }
      size -= oldest.get().size;
      remove(oldest.get());
    }
  }

  private synchronized void release(Entry entry) {
    entry.readers--;
    if (entry.readers == 0 && entry.size == 0) {
      remove(entry);
    }
    makeRoom();
  }

  private void remove(Entry entry) {
    entries.remove(entry.key);
    try {
      Files.deleteIfExists(entry.file);
    } catch (IOException e) {
      throw new UncheckedIOException("Deleting " + entry.file, e);
    }
  }

  private final class Entry implements Lease {
    private final Key key;
    private final Path file;
    private int readers;
    // 0 until it is there: also written under the cache's lock, where it is read.
    private long size;

    Entry(Key key, Path file) {
      this.key = key;
      this.file = file;
    }

    /** Holds whoever else wants it meanwhile. */
    private synchronized void bring(Download download) throws IOException, InterruptedException {
      if (!Files.exists(file)) {
        Files.createDirectories(directory);
        Path part = file.resolveSibling(file.getFileName() + ".part");
        try {
          download.to(part);
          long bytes = Math.max(1, Files.size(part));
          Files.move(part, file);
          synchronized (FetcherCache.this) {
            size = bytes;
          }
        } finally {
          Files.deleteIfExists(part);
        }
      }
    }

    @Override
    public Path file() {
      return file;
    }

    @Override
    public void close() {
      release(this);
    }
  }
}
