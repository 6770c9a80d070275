package io.troupe.scheduler.store;

import io.troupe.model.Sha256;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Files of pools, by the SHA-256 of their content, in one folder. A file is there whole or not at
 * all. Thread-safe; the calls do blocking I/O.
 */
public final class FileStore {
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

  private final Path folder;

  private FileStore(Path folder) {
    this.folder = folder;
  }

  /**
   * Opens the folder, which is made if it is not there.
   *
   * @throws IOException if it cannot be made or written to
   */
  public static FileStore open(Path folder) throws IOException {
    Files.createDirectories(folder);
    try (var leftovers = Files.newDirectoryStream(folder, "incoming-*")) {
      for (Path leftover : leftovers) {
        Files.deleteIfExists(leftover);
      }
    }
    return new FileStore(folder);
  }

  /** Where all of them are. */
  Path folder() {
    return folder;
  }

  /** Whether the text can name a file: 64 lower-case hexadecimal digits. */
  public static boolean isName(String sha256) {
    return SHA256.matcher(sha256).matches();
  }

  /** Where the file of this name is, or would be. */
  public Path path(String sha256) {
    if (!isName(sha256)) {
      throw new IllegalArgumentException("Not a SHA-256: " + sha256);
    }
    return folder.resolve(sha256);
  }

  /** Whether the file is there. */
  public boolean has(String sha256) {
    return Files.isRegularFile(path(sha256));
  }

  /**
   * Whether the file is there; if so it counts as just used, so that {@link #sweep} leaves it.
   *
   * @throws UncheckedIOException if that cannot be noted
   */
  public synchronized boolean use(String sha256) {
    if (!has(sha256)) {
      return false;
    }
    try {
      Files.setLastModifiedTime(path(sha256), FileTime.from(Instant.now()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return true;
  }

  /**
   * Removes files that are not needed and were not used lately.
   *
   * @param needed the names of those that are; they count as just used
   * @param before what was used at this time or later stays
   * @return how many were removed
   */
  public synchronized int sweep(Set<String> needed, Instant before) throws IOException {
    int removed = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        String name = String.valueOf(file.getFileName());
        if (needed.contains(name)) {
          use(name);
        } else if (isName(name) && Files.getLastModifiedTime(file).toInstant().isBefore(before)) {
          Files.deleteIfExists(file);
          removed++;
        }
      }
    }
    return removed;
  }

  /** A new empty file in the folder, to write what comes in to. */
  public Path incoming() throws IOException {
    return Files.createTempFile(folder, "incoming-", "");
  }

  /**
   * Copies a file in, unless it is there.
   *
   * @return its SHA-256
   */
  public String add(Path file) throws IOException {
    String name = Sha256.of(file);
    if (!use(name)) {
      Path incoming = incoming();
      Files.copy(file, incoming, StandardCopyOption.REPLACE_EXISTING);
      keep(incoming, name);
    }
    return name;
  }

  /** Gives a file that {@link #incoming} made, whole by now, its name. */
  public synchronized void keep(Path incoming, String sha256) throws IOException {
    Files.setLastModifiedTime(incoming, FileTime.from(Instant.now()));
    Files.move(
        incoming,
        path(sha256),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }
}
