package io.troupe.scheduler.pool;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import io.troupe.model.Resources;
import io.troupe.scheduler.offers.Amount;
import java.time.Duration;
import java.util.Optional;

/**
 * {@code troupe.executor} of reference.conf.
 *
 * @param command the shell command that starts an executor
 * @param bundle SHA-256 of the bundle that executors fetch; empty when Troupe is installed at home
 * @param amount what an executor takes besides its workers
 * @param shutdownGrace how long it may take to end
 * @param container that agents run it in; empty where it is a plain process
 */
public record ExecutorSettings(
    String command,
    String bundle,
    Amount amount,
    Duration shutdownGrace,
    Optional<ExecutorContainer> container) {

  /** Reads the section. */
  public static ExecutorSettings from(Config root) {
    Config executor = root.getConfig("troupe.executor");
    String home = executor.getString("home");
    String bundle = executor.getString("bundle");
    double cpus = executor.getDouble("cpus");
    long mem = executor.getMemorySize("mem").toBytes();
    if (cpus <= 0) {
      throw new ConfigException.BadValue("troupe.executor.cpus", "must be positive");
    }
    if (mem < 32L << 20) {
      throw new ConfigException.BadValue("troupe.executor.mem", "must be at least 32 MiB");
    }
    Optional<ExecutorContainer> container = ExecutorContainer.from(executor.getConfig("container"));
    return new ExecutorSettings(
        inSandbox(container)
            + command(
                home,
                executor.getString("java"),
                executor.getString("java-options"),
                executor.getString("python"),
                executor.getString("environments.folder"),
                executor.getBytes("environments.size")),
        home.isEmpty() ? bundle : "",
        Amount.of(new Resources(cpus, mem / 1048576.0, 0)),
        executor.getDuration("shutdown-grace"),
        container);
  }

  /** An image may have a working directory of its own. */
  private static String inSandbox(Optional<ExecutorContainer> container) {
    return container.isEmpty() ? "" : "cd \"$MESOS_SANDBOX\" && ";
  }

  private static String command(
      String home,
      String java,
      String options,
      String python,
      String environments,
      long environmentsBytes) {
    String homeInShell = home.isEmpty() ? "\"$PWD\"" : quoted(home);
    return "TROUPE_HOME="
        + homeInShell
        + " TROUPE_PYTHON="
        + quoted(python)
        + " TROUPE_ENVIRONMENTS="
        + quoted(environments)
        + " TROUPE_ENVIRONMENTS_SIZE="
        + environmentsBytes
        + " && export TROUPE_HOME TROUPE_PYTHON TROUPE_ENVIRONMENTS TROUPE_ENVIRONMENTS_SIZE &&"
        + " exec "
        + (java.isEmpty() ? "\"$TROUPE_HOME/runtime/bin/java\"" : quoted(java))
        + " "
        + options
        // The bundle's archive of classes holds for its Java, and for the class path as it is
        // there.
        + (home.isEmpty() && java.isEmpty() ? " @executor.args" : " -cp \"$TROUPE_HOME/lib/*\"")
        + " io.troupe.executor.Main";
  }

  private static String quoted(String word) {
    return "'" + word.replace("'", "'\\''") + "'";
  }
}
