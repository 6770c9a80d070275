package io.troupe.executor.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/**
 * What every process of one executor carries, so that it can be found when the executor is gone.
 */
public final class ExecutorMark {
  private static final int START_FIELD = 19;

  private ExecutorMark() {}

  /**
   * This process as PID-START-NAMESPACE-RANDOM: its number, when it was started in ticks since
   * boot, and its PID namespace, so that no later process with the same number is taken for it.
   * Only RANDOM where /proc does not tell.
   */
  public static String own() {
    String random = UUID.randomUUID().toString();
    try {
      String stat = Files.readString(Path.of("/proc/self/stat"));
      String start = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[START_FIELD];
      Object namespace = Files.getAttribute(Path.of("/proc/self/ns/pid"), "unix:ino");
      return ProcessHandle.current().pid() + "-" + start + "-" + namespace + "-" + random;
    } catch (IOException | RuntimeException e) {
      return random;
    }
  }
}
