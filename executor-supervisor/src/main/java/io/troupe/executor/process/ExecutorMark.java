package io.troupe.executor.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.UUID;

/**
 * What every process of one executor carries, so that it can be found when the executor is gone.
 */
public final class ExecutorMark {
  private static final int START_FIELD = 19;
  private static final int PARTS = 4;

  private ExecutorMark() {}

  /**
   * Whether the executor of this mark is gone, as a zombie is; false for what is no mark, or of
   * elsewhere.
   */
  static boolean isGone(String mark) {
    String[] parts = mark.split("-", PARTS);
    try {
      if (parts.length < PARTS || !parts[2].equals(namespace())) {
        return false;
      }
      String[] stat = ProcessTable.stat(Long.parseLong(parts[0]));
      return ProcessTable.hasEnded(stat) || !stat[START_FIELD].equals(parts[1]);
    } catch (NoSuchFileException e) {
      return true;
    } catch (IOException | RuntimeException e) {
      return false;
    }
  }

  private static String namespace() throws IOException {
    return Files.getAttribute(Path.of("/proc/self/ns/pid"), "unix:ino").toString();
  }

  /**
   * This process as PID-START-NAMESPACE-RANDOM: its number, when it was started in ticks since
   * boot, and its PID namespace, so that no later process with the same number is taken for it.
   * Only RANDOM where /proc does not tell.
   */
  public static String own() {
    String random = UUID.randomUUID().toString();
    try {
      long pid = ProcessHandle.current().pid();
      return pid + "-" + ProcessTable.stat(pid)[START_FIELD] + "-" + namespace() + "-" + random;
    } catch (IOException | RuntimeException e) {
      return random;
    }
  }
}
