package io.troupe.scheduler.store;

import com.fasterxml.jackson.databind.JsonNode;
import io.troupe.scheduler.pool.Store.StoreException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * A dump on its way into a file, which has its name only once it has been read again and is on the
 * disk. Closing it before that leaves nothing.
 */
public final class DumpFile implements AutoCloseable {
  private final Path file;
  private final Path incoming;

  private DumpFile(Path file, Path incoming) {
    this.file = file;
    this.incoming = incoming;
  }

  /**
   * Begins.
   *
   * @throws StoreException when there is such a file, or none can be made
   */
  public static DumpFile create(Path file) {
    Path whole = file.toAbsolutePath();
    try {
      if (Files.exists(whole)) {
        throw new FileAlreadyExistsException(file + " is there already; choose another name");
      }
      return new DumpFile(
          file, Files.createTempFile(whole.getParent(), "." + whole.getFileName() + ".", ".part"));
    } catch (FileAlreadyExistsException e) {
      throw new StoreException(String.valueOf(e.getMessage()), e);
    } catch (IOException e) {
      throw new StoreException("cannot write into the folder " + e.getMessage(), e);
    }
  }

  /** The file to write to. */
  public Path incoming() {
    return incoming;
  }

  /** Writes a backup. */
  public void write(Backup backup, CopyProgress progress) {
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(incoming))) {
      backup.writeTo(out, progress);
    } catch (IOException e) {
      throw new StoreException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Reads what was written, and gives it its name.
   *
   * @return the manifest
   */
  public JsonNode keep(CopyProgress progress) {
    try (DumpReader reader = DumpReader.open(incoming)) {
      reader.check(progress);
      Restore.sync(incoming);
      Files.move(incoming, file, StandardCopyOption.ATOMIC_MOVE);
      Restore.sync(file.toAbsolutePath().getParent());
      return reader.manifest();
    } catch (IOException e) {
      throw new StoreException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    BlobStore.discard(incoming);
  }
}
