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
 * @param environments the folder of virtual environments, from TROUPE_ENVIRONMENTS; {@code
 *     .cache/troupe/environments} of the user when that is not set
 * @param environmentsBytes what they may take together, from TROUPE_ENVIRONMENTS_SIZE
 */
record ExecutorHome(String python, Path packages, Path environments, long environmentsBytes) {
  private static final long DEFAULT_BYTES = 20L << 30;

  static ExecutorHome from(Map<String, String> variables) {
    Path home = Path.of(variables.getOrDefault("TROUPE_HOME", "")).toAbsolutePath();
    return new ExecutorHome(
        variables.getOrDefault("TROUPE_PYTHON", "python3"),
        Path.of(
            variables.getOrDefault("TROUPE_PYTHON_PACKAGES", home.resolve("python").toString())),
        environments(variables.getOrDefault("TROUPE_ENVIRONMENTS", "")),
        Long.parseLong(
            variables.getOrDefault("TROUPE_ENVIRONMENTS_SIZE", Long.toString(DEFAULT_BYTES))));
  }

  private static Path environments(String folder) {
    return folder.isEmpty()
        ? Path.of(System.getProperty("user.home"), ".cache", "troupe", "environments")
        : Path.of(folder);
  }
}
