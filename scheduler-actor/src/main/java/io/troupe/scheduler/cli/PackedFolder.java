package io.troupe.scheduler.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A folder as one zip archive, the same bytes for the same content: names in order, no times, of
 * the rights only whether a file may be executed. What Python and git keep for themselves is left
 * out; links are followed.
 */
final class PackedFolder {
  private static final Set<String> LEFT_OUT = Set.of("__pycache__", ".git");
  private static final FileTime NO_TIME = FileTime.fromMillis(315_576_000_000L);

  private PackedFolder() {}

  /** Writes it to a file that is gone when this program ends. */
  static Path of(Path folder) throws IOException {
    Path temporary = Files.createTempDirectory("troupe");
    Path zip = temporary.resolve("folder.zip");
    temporary.toFile().deleteOnExit();
    zip.toFile().deleteOnExit();
    Map<String, String> options = Map.of("create", "true", "enablePosixFileAttributes", "true");
    try (Stream<Path> walk = Files.walk(folder, FileVisitOption.FOLLOW_LINKS);
        FileSystem archive = FileSystems.newFileSystem(URI.create("jar:" + zip.toUri()), options)) {
      List<Path> all = walk.filter(path -> !isLeftOut(folder.relativize(path))).sorted().toList();
      for (Path path : all) {
        add(archive, folder, path);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return zip;
  }

  private static boolean isLeftOut(Path path) {
    return StreamSupport.stream(path.spliterator(), false)
        .anyMatch(part -> LEFT_OUT.contains(part.toString()));
  }

  private static void add(FileSystem archive, Path folder, Path path) throws IOException {
    String name = folder.relativize(path).toString();
    if (name.isEmpty()) {
      return;
    }
    Path entry = archive.getPath("/" + name);
    if (Files.isDirectory(path)) {
      Files.createDirectory(entry);
    } else {
      Files.copy(path, entry);
    }
    boolean executable = Files.isDirectory(path) || Files.isExecutable(path);
    Files.setPosixFilePermissions(
        entry, PosixFilePermissions.fromString(executable ? "rwxr-xr-x" : "rw-r--r--"));
    Files.setLastModifiedTime(entry, NO_TIME);
  }
}
