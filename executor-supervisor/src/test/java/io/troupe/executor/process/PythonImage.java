package io.troupe.executor.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** An image of this machine's own Python, and whether containers of it can be run here. */
final class PythonImage {
  private static final int LIMIT_SECONDS = 60;

  static final String NAME = "localhost/troupe-test-python:" + ProcessHandle.current().pid();

  private PythonImage() {}

  /** Makes it; the reason why not when this machine cannot. */
  static String make(Path folder) throws Exception {
    if (run(folder, List.of("podman", "version")) != 0) {
      return "there is no podman";
    }
    if (!Files.isExecutable(Path.of("/usr/bin/python3"))) {
      return "there is no Python of the system's";
    }
    String script = Path.of("src/test/resources/python-image.sh").toAbsolutePath().toString();
    if (run(folder, List.of("sh", script, folder.toString(), NAME)) != 0) {
      return "the image cannot be made: " + Files.readString(folder.resolve("output"));
    }
    List<String> probe =
        List.of("podman", "run", "--rm", "--network", "host", "--memory", "64m", "--ulimit");
    List<String> whole = new java.util.ArrayList<>(probe);
    whole.addAll(List.of("nofile=64:64", "--ulimit", "nproc=64:64", NAME, "python3", "-c", "1"));
    return run(folder, whole) == 0
        ? ""
        : "podman runs no containers here: " + Files.readString(folder.resolve("output"));
  }

  /** The containers of this mark that there are, running or not. */
  static List<String> containers(Path folder, String label) throws Exception {
    List<String> list = List.of("podman", "ps", "--all", "--quiet", "--filter", "label=" + label);
    assertThat(run(folder, list)).isZero();
    return Files.readAllLines(folder.resolve("output"));
  }

  /** Its exit code; -1 when it cannot be run or does not end. */
  static int run(Path folder, List<String> command) throws Exception {
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(folder.resolve("output").toFile())
              .start();
      if (process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        return process.exitValue();
      }
      process.destroyForcibly();
      return -1;
    } catch (IOException e) {
      return -1;
    }
  }
}
