package io.troupe.executor.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** What tests ask about real processes. */
public final class Processes {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private Processes() {}

  /** Whether a process lives; a zombie does not. */
  public static boolean lives(long pid) {
    try {
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      return stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
    } catch (IOException e) {
      return false;
    }
  }

  /** Waits until it is so; fails with the description when it is not in time. */
  public static void eventually(String description, BooleanSupplier condition) {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("not within " + LIMIT + ": " + description);
      }
      LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
    }
  }

  /** The pid that a process has written into the file, once it is there whole. */
  public static long pidIn(Path file) {
    eventually(file + " holds a pid", () -> read(file).isPresent());
    return read(file).orElseThrow();
  }

  private static Optional<Long> read(Path file) {
    try {
      String text = Files.readString(file);
      return text.endsWith("\n") ? Optional.of(Long.parseLong(text.strip())) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }
}
