package io.troupe.executor.process;

import io.troupe.executor.channel.HttpSecrets;
import io.troupe.protocol.TaskData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The secrets of processes as files: in memory where the machine has a file system for that, in a
 * folder of this executor that no other user can enter, with one folder for each process, which is
 * removed when it has ended. What an executor that was killed leaves behind, {@code guard.py}
 * removes. Any thread; calls block.
 */
public final class SecretFiles implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SecretFiles.class);

  /** Before the mark of the executor in the name of its folder; known to guard.py. */
  static final String PREFIX = "troupe-secrets-";

  private static final Set<String> IN_MEMORY = Set.of("tmpfs", "ramfs");

  private static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

  /** The permissions of a mode that the owner does not have alone. */
  private static final int OTHERS = 077;

  private final HttpSecrets secrets;
  private final Path folder;

  /**
   * @param secrets where they come from
   * @param root where folders of executors are made
   * @param mark of this executor, unique on the machine
   */
  public SecretFiles(HttpSecrets secrets, Path root, String mark) {
    this.secrets = secrets;
    this.folder = root.resolve(PREFIX + mark);
  }

  /**
   * The first of some folders that is in memory and can be written to; the last resort when none
   * is.
   */
  public static Path root(List<Path> candidates, Path lastResort) {
    for (Path candidate : candidates) {
      try {
        if (Files.isWritable(candidate)
            && IN_MEMORY.contains(Files.getFileStore(candidate).type())) {
          return candidate;
        }
      } catch (IOException e) {
        log.debug("{} is not used for secrets: {}", candidate, e.getMessage());
      }
    }
    return lastResort;
  }

  /** Where they come from. */
  HttpSecrets source() {
    return secrets;
  }

  /**
   * Fetches secrets into files of their names.
   *
   * @param process names the folder
   * @param open whether another user, in a container, has to read them; the executor's own folder
   *     keeps all others away
   * @param wanted whether they are still wanted
   * @return the folder
   * @throws IOException when that fails; the message is for people, and nothing is left behind
   */
  Path lay(
      String process, List<TaskData.Secret> wantedSecrets, boolean open, BooleanSupplier wanted)
      throws IOException {
    List<byte[]> contents = new ArrayList<>();
    for (TaskData.Secret secret : wantedSecrets) {
      contents.add(secrets.fetch(secret, wanted));
    }
    Path own = folder.resolve(process);
    try {
      makeFolder();
      Files.createDirectory(own, OWNER_ONLY);
      for (int i = 0; i < contents.size(); i++) {
        write(own.resolve(wantedSecrets.get(i).name()), contents.get(i), open);
      }
      if (open) {
        Files.setPosixFilePermissions(own, PosixFilePermissions.fromString("rwxr-xr-x"));
      }
      return own;
    } catch (IOException e) {
      remove(process);
      throw new IOException("its secrets cannot be written: " + e, e);
    }
  }

  /** Others may know its name: one that they have made is not used. */
  private synchronized void makeFolder() throws IOException {
    try {
      Files.createDirectory(folder, OWNER_ONLY);
    } catch (FileAlreadyExistsException e) {
      var found =
          Files.readAttributes(folder, "unix:uid,mode,isDirectory", LinkOption.NOFOLLOW_LINKS);
      boolean own =
          found.get("uid").equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"))
              && found.get("isDirectory").equals(true)
              && ((Integer) found.get("mode") & OTHERS) == 0;
      if (!own) {
        throw e;
      }
    }
  }

  private static void write(Path file, byte[] content, boolean open) throws IOException {
    try (SeekableByteChannel channel =
        Files.newByteChannel(
            file,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
      ByteBuffer bytes = ByteBuffer.wrap(content);
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    }
    if (open) {
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--r--r--"));
    }
  }

  /** Removes those of a process; without effect when it has none. */
  void remove(String process) {
    delete(folder.resolve(process));
  }

  private static void delete(Path tree) {
    if (!Files.exists(tree)) {
      return;
    }
    try (Stream<Path> all = Files.walk(tree)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (IOException | UncheckedIOException e) { // the latter from the walk itself
      log.warn("Secrets stay in {}: {}", tree, e.getMessage());
    }
  }

  /** Removes all there are. */
  @Override
  public void close() {
    delete(folder);
  }
}
