package io.troupe.executor.process;

import io.troupe.model.Requirements;
import io.troupe.protocol.TaskData;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The virtual environments that this executor's workers use: none of them is removed while this
 * process lives, as it holds a shared lock on each. {@code troupe/environment.py} makes them, and
 * says how they are shared by all executors of a machine. Any thread.
 */
public final class Environments {
  private static final String COMPLETE = "troupe-complete";

  private final Path packages;
  private final Path folder;
  private final long mostBytes;
  private final Map<Requirements, Path> known = new HashMap<>();
  private final Map<Path, FileLock> held = new HashMap<>();

  /**
   * @param packages folder that holds the {@code troupe} package
   * @param folder of all environments; made when the first is
   * @param mostBytes that they should take together
   */
  public Environments(Path packages, Path folder, long mostBytes) {
    this.packages = packages;
    this.folder = folder.toAbsolutePath();
    this.mostBytes = mostBytes;
  }

  /** The environment for what has been prepared here before, if it is still there. */
  synchronized Optional<Path> of(Requirements requirements) {
    return Optional.ofNullable(known.get(requirements)).filter(Environments::isComplete);
  }

  /** The shell command that prepares one. */
  String command(Requirements requirements) {
    String script = packages.resolve("troupe/environment.py").toString();
    return requirements.python() + " -I -S -B '" + script.replace("'", "'\\''") + "'";
  }

  /**
   * What that command finds in its environment.
   *
   * @param answer the file in which it names the environment's folder
   */
  Map<String, String> variables(Requirements requirements, Sandbox sandbox, Path answer) {
    return Map.of(
        "TROUPE_ENVIRONMENTS", folder.toString(),
        "TROUPE_ENVIRONMENTS_SIZE", Long.toString(mostBytes),
        "TROUPE_REQUIREMENTS", sandbox.root().resolve(TaskData.REQUIREMENTS).toString(),
        "TROUPE_WHEELS", requirements.wheels(),
        "TROUPE_ANSWER", answer.toString());
  }

  /** Keeps the environment from being removed; false when it has been meanwhile. */
  synchronized boolean hold(Requirements requirements, Path environment) throws IOException {
    if (!held.containsKey(environment)) {
      FileChannel channel =
          FileChannel.open(Path.of(environment + ".lock"), StandardOpenOption.READ);
      FileLock lock = channel.tryLock(0, Long.MAX_VALUE, true);
      if (lock == null || !isComplete(environment)) {
        channel.close();
        return false;
      }
      held.put(environment, lock);
    }
    known.put(requirements, environment);
    return isComplete(environment);
  }

  private static boolean isComplete(Path environment) {
    return Files.isRegularFile(environment.resolve(COMPLETE));
  }
}
