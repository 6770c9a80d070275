package io.troupe.executor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** An executor in a Java process of its own, as an agent starts it. */
final class RealExecutor {
  private static final Path PACKAGES = Path.of("src/main/python").toAbsolutePath();

  final Process process;

  private RealExecutor(Process process) {
    this.process = process;
  }

  static RealExecutor start(Path sandbox, Map<String, String> environment, String... options)
      throws IOException {
    List<String> command = new java.util.ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-Xmx128m", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(sandbox.toFile())
            .redirectOutput(sandbox.resolve("stdout").toFile())
            .redirectError(sandbox.resolve("stderr").toFile());
    builder.environment().clear();
    builder.environment().put("PATH", System.getenv("PATH"));
    builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
    builder.environment().put("TROUPE_PYTHON_PACKAGES", PACKAGES.toString());
    builder.environment().putAll(environment);
    return new RealExecutor(builder.start());
  }

  static void write(Path sandbox, String file, String content) throws IOException {
    Files.createDirectories(sandbox.resolve("files"));
    Files.writeString(sandbox.resolve("files").resolve(file), content);
  }

  int exitCode() throws InterruptedException {
    return exitCodeWithin(Duration.ofSeconds(60));
  }

  int exitCodeWithin(Duration limit) throws InterruptedException {
    if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new AssertionError("the executor does not end");
    }
    return process.exitValue();
  }

  void close() throws InterruptedException {
    process.destroyForcibly();
    process.waitFor(60, TimeUnit.SECONDS);
  }
}
