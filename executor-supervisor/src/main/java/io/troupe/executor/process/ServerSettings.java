package io.troupe.executor.process;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.time.Duration;

/**
 * {@code troupe.executor.process} of reference.conf.
 *
 * @param maxFrameBytes of either direction
 * @param inlineResultBytes a result of more bytes is written to a file
 * @param maxResultBytes of one job
 * @param transferTimeout how long fetching a payload or bringing a result may take
 * @param logBytes of one log file before it is rotated
 * @param memoryEvery how often the memory of each process is looked at
 * @param settleTime how long a process of protocol none without a port must live to count as ready
 */
public record ServerSettings(
    int maxFrameBytes,
    int inlineResultBytes,
    long maxResultBytes,
    Duration transferTimeout,
    long logBytes,
    Duration memoryEvery,
    Duration settleTime) {

  /** What fits into a message of a job line, with all that goes with it. */
  static final int LARGEST_MESSAGE = 8 << 20;

  public ServerSettings {
    if (inlineResultBytes < 1 || inlineResultBytes > LARGEST_MESSAGE) {
      throw new ConfigException.BadValue(
          "troupe.executor.process.inline-result",
          "must be positive and at most 8 MiB, as it travels in one message of a job line");
    }
    if (inlineResultBytes + 16 > maxFrameBytes) {
      throw new ConfigException.BadValue(
          "troupe.executor.process.inline-result", "must be less than max-frame");
    }
    if (maxResultBytes < 1) {
      throw new ConfigException.BadValue("troupe.executor.process.max-result", "must be positive");
    }
    if (transferTimeout.toMillis() < 1) {
      throw new ConfigException.BadValue(
          "troupe.executor.process.transfer-timeout", "must be positive");
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
        Math.toIntExact(process.getBytes("inline-result")),
        process.getBytes("max-result"),
        process.getDuration("transfer-timeout"),
        process.getBytes("log-size"),
        process.getDuration("memory-every"),
        process.getDuration("settle-time"));
  }
}
