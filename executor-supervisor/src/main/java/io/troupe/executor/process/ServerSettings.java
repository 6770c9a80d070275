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
 * @param settleTime how long a process of protocol none without a port must live to count as ready
 */
public record ServerSettings(
    int maxFrameBytes, int maxResultBytes, long logBytes, Duration settleTime) {

  public ServerSettings {
    if (maxResultBytes < 1 || maxResultBytes + 16 > maxFrameBytes) {
      throw new ConfigException.BadValue(
          "troupe.executor.process.max-result", "must be positive and less than max-frame");
    }
    if (logBytes < 1) {
      throw new ConfigException.BadValue("troupe.executor.process.log-size", "must be positive");
    }
  }

  /** Reads them from a whole configuration. */
  public static ServerSettings from(Config root) {
    Config process = root.getConfig("troupe.executor.process");
    return new ServerSettings(
        Math.toIntExact(process.getBytes("max-frame")),
        Math.toIntExact(process.getBytes("max-result")),
        process.getBytes("log-size"),
        process.getDuration("settle-time"));
  }
}
