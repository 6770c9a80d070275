package io.troupe.scheduler.store;

import io.troupe.model.BlobRef;
import io.troupe.scheduler.jobs.JobIds;
import io.troupe.scheduler.jobs.JobStore;
import io.troupe.scheduler.jobs.StoredJob;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Payloads and results in files, each of which carries in its name the id of the job it belongs to:
 * what is whose is known after any crash, and what belongs to no accepted job is gone with the next
 * start. Thread-safe; calls block for as long as the file system takes.
 */
public final class BlobStore implements JobStore.Payloads {
  private static final Logger LOG = LoggerFactory.getLogger(BlobStore.class);
  private static final Pattern FILE = Pattern.compile("([0-9a-f]{32})(?:\\.([0-9A-Za-z]+))?");

  /**
   * One file.
   *
   * @param job whose it is; empty while that is not known
   * @param since milliseconds since 1970
   */
  public record Blob(BlobRef ref, String job, Path file, long since) {}

  private static final int WRITE_AT_ONCE = 256 << 10;
  private static final String MARK = "here-";
  private static final FileAttribute<?> OWN =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final Set<StandardOpenOption> NEW =
      Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);

  private final Path folder;
  private final Path mark;
  private final Map<String, Blob> blobs = new ConcurrentHashMap<>();
  private final AtomicLong bytes = new AtomicLong();
  private final Map<String, Path> doomed = new ConcurrentHashMap<>();
  private int holds;

  private BlobStore(Path folder, Path mark) {
    this.folder = folder;
    this.mark = mark;
  }

  /**
   * Opens the folder, which is made if it is not there, and removes what belongs to no job.
   *
   * @throws IOException if it cannot be made or read
   */
  public static BlobStore open(Path folder) throws IOException {
    Files.createDirectories(folder);
    try (var files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        Matcher name = FILE.matcher(file.getFileName().toString());
        if (!name.matches() || name.group(2) == null) {
          Files.deleteIfExists(file);
        }
      }
    }
    BlobStore store = new BlobStore(folder, Files.createTempFile(folder, MARK, ""));
    store.lookAround();
    return store;
  }

  /**
   * A file that nobody else's folder has: who can write to it may put results here himself, under a
   * name of 32 hexadecimal digits, a dot and the job's id.
   */
  public Path mark() {
    return mark.toAbsolutePath();
  }

  /** Gets to know what others have put here. */
  public void lookAround() throws IOException {
    try (var files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        Matcher name = FILE.matcher(file.getFileName().toString());
        if (name.matches() && name.group(2) != null && !blobs.containsKey(name.group(1))) {
          meet(name.group(1), name.group(2), file);
        }
      }
    }
  }

  private Optional<Blob> meet(String name, String job, Path file) {
    try {
      BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
      Blob blob =
          new Blob(
              new BlobRef(name, attributes.size()),
              job,
              file,
              attributes.lastModifiedTime().toMillis());
      know(blob);
      return Optional.of(blob);
    } catch (IOException e) {
      return Optional.empty(); // removed meanwhile, or never here
    }
  }

  /**
   * Stores these bytes.
   *
   * @param job whose they are; empty when {@link #belongs} will say
   */
  public BlobRef put(Iterable<ByteBuffer> content, String job) throws IOException {
    String name = newName();
    Path file = file(name, job);
    try (FileChannel out = FileChannel.open(file, NEW, OWN)) {
      for (ByteBuffer piece : content) {
        // Java keeps a copy of what it writes at once for each thread.
        int end = piece.limit();
        while (piece.position() < end) {
          piece.limit(Math.min(end, piece.position() + WRITE_AT_ONCE));
          out.write(piece);
        }
      }
      BlobRef ref = new BlobRef(name, out.position());
      know(new Blob(ref, job, file, System.currentTimeMillis()));
      return ref;
    } catch (IOException e) {
      discard(file);
      throw e;
    }
  }

  private static String newName() {
    return UUID.randomUUID().toString().replace("-", "");
  }

  private Path file(String name, String job) {
    return folder.resolve(job.isEmpty() ? name : name + "." + job);
  }

  /** A new empty file in the folder, to write what comes in to. */
  public Path incoming() throws IOException {
    return Files.createTempFile(folder, "incoming-", "");
  }

  /**
   * Takes in a file that {@link #incoming} made, whole by now.
   *
   * @param job whose it is; empty when {@link #belongs} will say
   */
  public BlobRef keep(Path incoming, String job) throws IOException {
    String name = newName();
    Path file = file(name, job);
    Files.move(incoming, file, StandardCopyOption.ATOMIC_MOVE);
    BlobRef ref = new BlobRef(name, Files.size(file));
    know(new Blob(ref, job, file, System.currentTimeMillis()));
    return ref;
  }

  /** From now on the blob is this job's; without effect when it is not there. */
  public synchronized void belongs(BlobRef ref, String job) throws IOException {
    Blob blob = blobs.get(ref.name());
    if (blob != null && blob.job().isEmpty()) {
      Path file = file(ref.name(), job);
      Files.move(blob.file(), file, StandardCopyOption.ATOMIC_MOVE);
      blobs.put(ref.name(), new Blob(ref, job, file, blob.since()));
    }
  }

  @Override
  public void giveTo(StoredJob job) throws IOException {
    belongs(BlobRef.of(job.payload()), JobIds.text(job.id()));
  }

  /** The blob of this name. */
  public Optional<Blob> find(String name) {
    return Optional.ofNullable(blobs.get(name));
  }

  /** The blob of this name that is the job's, also when somebody else has put it here. */
  public Optional<Blob> find(String name, String job) {
    Blob known = blobs.get(name);
    return known != null ? Optional.of(known) : meet(name, job, file(name, job));
  }

  /** All that are known, the oldest first. */
  public List<Blob> all() {
    return blobs.values().stream().sorted(Comparator.comparingLong(Blob::since)).toList();
  }

  /** How many bytes they take. */
  public long bytes() {
    return bytes.get();
  }

  /** Removes it; without effect when it is not there. */
  public synchronized void remove(String name) {
    Blob blob = blobs.remove(name);
    if (blob != null) {
      bytes.addAndGet(-blob.ref().size());
      if (holds > 0) {
        doomed.put(name, blob.file());
      } else {
        discard(blob.file());
      }
    }
  }

  /** Removes it unless it belongs to a job. */
  public synchronized void removeUnowned(String name) {
    if (find(name).filter(blob -> blob.job().isEmpty()).isPresent()) {
      remove(name);
    }
  }

  /** Where blobs are, while somebody copies them. */
  interface Held extends AutoCloseable {
    /** The file of the blob of this name. */
    Optional<Path> file(String name);

    @Override
    void close();
  }

  /** Keeps the files of all blobs, also of those that are removed, until it is closed. */
  synchronized Held hold() {
    holds++;
    return new Held() {
      @Override
      public Optional<Path> file(String name) {
        return find(name).map(Blob::file).or(() -> Optional.ofNullable(doomed.get(name)));
      }

      @Override
      public void close() {
        release();
      }
    };
  }

  private synchronized void release() {
    if (--holds == 0) {
      doomed.values().forEach(BlobStore::discard);
      doomed.clear();
    }
  }

  /** The blobs of a folder that nobody changes now; nothing is removed from it. */
  static Held lookInto(Path folder) throws IOException {
    Map<String, Path> files = new HashMap<>();
    if (Files.isDirectory(folder)) {
      try (var all = Files.newDirectoryStream(folder)) {
        for (Path file : all) {
          Matcher name = FILE.matcher(file.getFileName().toString());
          if (name.matches() && name.group(2) != null) {
            files.put(name.group(1), file);
          }
        }
      }
    }
    return new Held() {
      @Override
      public Optional<Path> file(String name) {
        return Optional.ofNullable(files.get(name));
      }

      @Override
      public void close() {}
    };
  }

  /** Deletes a file that is of no use any more, such as one that came in only in part. */
  public static void discard(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      LOG.warn("{} could not be deleted: {}", file, e.getMessage());
    }
  }

  private void know(Blob blob) {
    if (blobs.put(blob.ref().name(), blob) == null) {
      bytes.addAndGet(blob.ref().size());
    }
  }
}
