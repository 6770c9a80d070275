package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.troupe.model.PoolFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/**
 * The executor's folder on the agent and what lies where in it.
 *
 * @param root absolute
 */
public record Sandbox(Path root) {
  /** Longer paths do not fit the kernel's address of a Unix domain socket. */
  private static final int MAX_SOCKET_PATH_BYTES = 100;

  private static final String SOCKET = "troupe.sock";

  public Sandbox {
    root = root.toAbsolutePath().normalize();
  }

  /** Where the pool's files are and where worker processes are started. */
  public Path files() {
    return root.resolve("files");
  }

  /** Where the fetcher has put a part of the pool. */
  Path fetched(PoolFile file) {
    return root.resolve(file.fetchedAs());
  }

  /** Where an archive is to be unpacked. */
  Path unpacked(PoolFile archive) {
    return archive.form() == PoolFile.Form.FOLDER ? files().resolve(archive.name()) : files();
  }

  /** Where worker processes connect, as this process may bind it. */
  public Path socket() {
    Path here = Path.of("").toAbsolutePath();
    return shortest(root.resolve(SOCKET), here);
  }

  /** The same, as a process started in {@link #files} may connect to it. */
  String socketForWorkers() {
    return shortest(root.resolve(SOCKET), files()).toString();
  }

  /**
   * Where the fork server of this number listens, as processes that are started in {@link #files}
   * may bind and reach it.
   */
  Path forks(long number) {
    return shortest(root.resolve("forks-" + number), files());
  }

  /** What the fork server of this number prints. */
  Path forksLog(long number) {
    return root.resolve("forks-" + number + ".log");
  }

  /** Where payloads and results are that are too large for messages. */
  public Path blobs() {
    return root.resolve("blobs");
  }

  Path output(String worker) {
    return root.resolve("worker-" + worker + ".stdout");
  }

  Path errors(String worker) {
    return root.resolve("worker-" + worker + ".stderr");
  }

  Path seat(String worker, long start) {
    return root.resolve("worker-" + worker + "-" + start + ".seat");
  }

  /** Where the path of a worker's virtual environment is written. */
  Path environment(String worker, long start) {
    return root.resolve("worker-" + worker + "-" + start + ".environment");
  }

  /** Where a process writes the stacks of its threads when it is asked to. */
  Path stacks(String worker, long start) {
    return root.resolve("worker-" + worker + "-" + start + ".stacks");
  }

  /** Lets a worker use what is its own here although it is another user. */
  void openTo(String worker, long start) throws IOException {
    if (Files.exists(seat(worker, start)) && !Files.exists(stacks(worker, start))) {
      Files.createFile(stacks(worker, start)); // it cannot make files here
    }
    Files.createDirectories(blobs());
    Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
    for (Path shared : List.of(blobs(), files())) {
      Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
    }
    for (Path own : List.of(seat(worker, start), stacks(worker, start), root.resolve(SOCKET))) {
      if (Files.exists(own)) {
        Files.setPosixFilePermissions(own, PosixFilePermissions.fromString("rw-rw-rw-"));
      }
    }
  }

  private static Path shortest(Path socket, Path from) {
    return socket.toString().getBytes(UTF_8).length <= MAX_SOCKET_PATH_BYTES
        ? socket
        : from.relativize(socket);
  }
}
