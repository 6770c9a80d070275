package io.troupe.scheduler.cli;

import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * A program started in the background, in a session of its own, so that it outlives this one and
 * the terminal. It says {@code ready} with its address on standard output when it can be talked to.
 */
final class Daemon {
  private static final Duration POLL = Duration.ofMillis(20);
  private static final int TAIL = 5;

  /**
   * Says its pid and becomes the program, as nobody's child: a JVM that ends waits 300 ms for the
   * threads that wait for its children. The launcher itself ends when the pid is said.
   */
  private static final List<String> LAUNCH =
      List.of(
          "sh",
          "-c",
          "\"$@\" | head -n 1",
          "sh",
          "setsid",
          "--fork",
          "sh",
          "-c",
          "echo $$; exec \"$@\" < /dev/null >> \"$0\" 2>&1");

  private final String name;
  private final Path log;
  private final long logStart;
  private final LocalProcess identity;

  private Daemon(String name, Path log, long logStart, LocalProcess identity) {
    this.name = name;
    this.log = log;
    this.logStart = logStart;
    this.identity = identity;
  }

  /**
   * Starts it.
   *
   * @param log gets what it prints, after what is there
   * @param environment of the process, instead of this one's
   */
  static Daemon start(
      String name,
      List<String> command,
      Path directory,
      Path log,
      Map<String, String> environment) {
    List<String> line = new ArrayList<>(LAUNCH);
    line.add(log.toString());
    line.addAll(command);
    ProcessBuilder builder =
        new ProcessBuilder(line)
            .directory(directory.toFile())
            .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()));
    builder.environment().putAll(environment);
    try {
      long logStart = Files.exists(log) ? Files.size(log) : 0;
      Process launcher = builder.start();
      String pid = new String(launcher.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      Daemon daemon = new Daemon(name, log, logStart, identity(Long.parseLong("0" + pid.strip())));
      if (daemon.identity.pid() == 0) {
        throw Failure.of("cannot start %s: %s (log: %s)".formatted(name, daemon.lastWords(), log));
      }
      return daemon;
    } catch (IOException e) {
      throw Failure.of("cannot start " + name + ": " + e.getMessage());
    }
  }

  /** The process, or what stays alike when it has ended already. */
  private static LocalProcess identity(long pid) {
    return LocalProcess.of(pid).orElseGet(() -> new LocalProcess(pid, 0));
  }

  LocalProcess identity() {
    return identity;
  }

  /** Waits until it is ready; fails with what it said if it ends, or says nothing for too long. */
  void awaitReady(Duration deadline) {
    long end = System.nanoTime() + deadline.toNanos();
    while (output().stream().noneMatch(line -> line.startsWith("ready http"))) {
      if (!identity.alive()) {
        throw Failure.of(name + " did not start: " + lastWords() + " (log: " + log + ")");
      }
      if (System.nanoTime() > end) {
        identity.kill();
        throw Failure.of(
            "%s was not ready after %d s and was stopped (log: %s)"
                .formatted(name, deadline.toSeconds(), log));
      }
      MapRun.pause(POLL);
    }
  }

  /** What it printed since it was started. */
  private List<String> output() {
    try (FileChannel channel = FileChannel.open(log, StandardOpenOption.READ)) {
      channel.position(logStart);
      byte[] bytes = Channels.newInputStream(channel).readAllBytes();
      return new String(bytes, StandardCharsets.UTF_8).lines().toList();
    } catch (IOException notYet) {
      return List.of();
    }
  }

  private String lastWords() {
    Predicate<String> stackFrame = line -> line.matches("\\s+(at |\\.\\.\\. ).*");
    List<String> lines =
        output().stream().filter(stackFrame.negate()).filter(line -> !line.isBlank()).toList();
    return lines.isEmpty()
        ? "it said nothing"
        : String.join(" | ", lines.subList(Math.max(0, lines.size() - TAIL), lines.size()));
  }
}
