package io.troupe.executor.supervision;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.time.Duration;

/**
 * {@code troupe.executor.worker} of reference.conf.
 *
 * @param stopGrace from the order to stop to SIGKILL, unless the order says otherwise
 * @param backoff pauses between starts
 * @param crashBudget crashes in a row after which the worker gives up
 * @param stableAfter a process that was ready for so long makes earlier crashes forgotten
 * @param cancelGrace from SIGINT for a cancelled job to SIGKILL of its process
 */
public record WorkerSettings(
    Duration stopGrace,
    Backoff backoff,
    int crashBudget,
    Duration stableAfter,
    Duration cancelGrace) {

  public WorkerSettings {
    if (stopGrace.isNegative()) {
      throw new ConfigException.BadValue(
          "troupe.executor.worker.stop-grace", "must not be negative");
    }
    if (crashBudget < 1) {
      throw new ConfigException.BadValue(
          "troupe.executor.worker.crash-budget", "must be at least 1");
    }
  }

  /** Reads them from a whole configuration. */
  public static WorkerSettings from(Config root) {
    Config worker = root.getConfig("troupe.executor.worker");
    return new WorkerSettings(
        worker.getDuration("stop-grace"),
        new Backoff(
            worker.getDuration("restart-backoff.first"),
            worker.getDuration("restart-backoff.second"),
            worker.getDuration("restart-backoff.max")),
        worker.getInt("crash-budget"),
        worker.getDuration("stable-after"),
        worker.getDuration("cancel-grace"));
  }
}
