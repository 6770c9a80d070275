package io.troupe.scheduler.cli;

import java.io.File;
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

  private final String name;
  private final Path log;
  private final long logStart;
  private final Process process;
  private final LocalProcess identity;

  private Daemon(String name, Path log, long logStart, Process process) {
    this.name = name;
    this.log = log;
    this.logStart = logStart;
    this.process = process;
    this.identity =
        LocalProcess.of(process.pid()).orElseGet(() -> new LocalProcess(process.pid(), 0));
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
    List<String> line = new ArrayList<>();
    line.add("setsid");
    line.addAll(command);
    ProcessBuilder builder =
        new ProcessBuilder(line)
            .directory(directory.toFile())
            .redirectInput(new File("/dev/null"))
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .redirectErrorStream(true);
    builder.environment().putAll(environment);
    try {
      long logStart = Files.exists(log) ? Files.size(log) : 0;
      return new Daemon(name, log, logStart, builder.start());
    } catch (IOException e) {
      throw Failure.of("cannot start " + name + ": " + e.getMessage());
    }
  }

  LocalProcess identity() {
    return identity;
  }

  /** Waits until it is ready; fails with what it said if it ends, or says nothing for too long. */
  void awaitReady(Duration deadline) {
    long end = System.nanoTime() + deadline.toNanos();
    while (output().stream().noneMatch(line -> line.startsWith("ready http"))) {
      if (!process.isAlive()) {
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
