package io.troupe.executor.process;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.time.Duration;

/**
 * {@code troupe.executor.process} of reference.conf.
 *
 * @param maxFrameBytes of either direction
 * @param maxResultBytes of one job
 * @param logBytes of one log file before it is rotated
 * @param memoryEvery how often the memory of each process is looked at
 * @param settleTime how long a process of protocol none without a port must live to count as ready
 */
public record ServerSettings(
    int maxFrameBytes,
    int maxResultBytes,
    long logBytes,
    Duration memoryEvery,
    Duration settleTime) {

  public ServerSettings {
    if (maxResultBytes < 1 || maxResultBytes + 16 > maxFrameBytes) {
      throw new ConfigException.BadValue(
          "troupe.executor.process.max-result", "must be positive and less than max-frame");
    }
    if (logBytes < 1) {
      throw new ConfigException.BadValue("troupe.executor.process.log-size", "must be positive");
    }
    if (memoryEvery.toMillis() < 1) {
      throw new ConfigException.BadValue(
          "troupe.executor.process.memory-every", "must be at least 1 ms");
    }
  }

  /** Reads them from a whole configuration. */
  public static ServerSettings from(Config root) {
    Config process = root.getConfig("troupe.executor.process");
    return new ServerSettings(
        Math.toIntExact(process.getBytes("max-frame")),
        Math.toIntExact(process.getBytes("max-result")),
        process.getBytes("log-size"),
        process.getDuration("memory-every"),
        process.getDuration("settle-time"));
  }
}
