package io.troupe.executor;

import java.nio.file.Path;
import java.util.Map;

/**
 * Where the executor's own things are.
 *
 * @param python the interpreter for its own helper processes, from TROUPE_PYTHON; python3 by
 *     default
 * @param packages the folder of the {@code troupe} Python package: {@code python} in TROUPE_HOME,
 *     or in the working directory when that is not set
 */
record ExecutorHome(String python, Path packages) {
  static ExecutorHome from(Map<String, String> variables) {
    Path home = Path.of(variables.getOrDefault("TROUPE_HOME", "")).toAbsolutePath();
    return new ExecutorHome(
        variables.getOrDefault("TROUPE_PYTHON", "python3"),
        Path.of(
            variables.getOrDefault("TROUPE_PYTHON_PACKAGES", home.resolve("python").toString())));
  }
}
