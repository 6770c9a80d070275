package io.troupe.local.agent;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** The directories of an agent, laid out as a real one's. */
final class Sandboxes {

  private final Path workDir;

  Sandboxes(Path workDir) {
    this.workDir = workDir.toAbsolutePath().normalize();
  }

  /**
   * Makes the sandbox of a container, with {@code latest} beside it pointing to it.
   *
   * @throws UncheckedIOException naming the directory
   */
  Path create(String agentId, String frameworkId, String executorId, String containerId) {
    Path slaves = workDir.resolve("slaves");
    Path runs =
        slaves
            .resolve(agentId)
            .resolve("frameworks")
            .resolve(frameworkId)
            .resolve("executors")
            .resolve(executorId)
            .resolve("runs");
    Path sandbox = runs.resolve(containerId);
    try {
      Files.createDirectories(sandbox);
      link(runs.resolve("latest"), sandbox);
      link(slaves.resolve("latest"), slaves.resolve(agentId));
    } catch (IOException e) {
      throw new UncheckedIOException("Failed to create executor directory '" + sandbox + "'", e);
    }
    return sandbox;
  }

  private static void link(Path link, Path target) throws IOException {
    if (Files.exists(link, LinkOption.NOFOLLOW_LINKS)) {
      Files.delete(link);
    }
    Files.createSymbolicLink(link, target);
  }
}
