package io.troupe.scheduler.api;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;

/**
 * {@code troupe.bind} and {@code troupe.api} of reference.conf.
 *
 * @param host where to listen; a loopback address
 * @param port where to listen; 0 for any free one
 * @param longestWait how long a client may wait for a result in one request
 * @param mapJobs how many jobs of one map are queued or running at a time
 * @param mapBytes how many bytes of payloads, and of results that the client has yet to read, one
 *     map may take
 * @param eventBuffer how many events wait for a slow reader of the event stream before some are
 *     left out
 */
public record ApiSettings(
    String host, int port, Duration longestWait, int mapJobs, long mapBytes, int eventBuffer) {

  /** Reads them from the whole configuration and checks that they are safe. */
  public static ApiSettings from(Config root) {
    Config api = root.getConfig("troupe.api");
    return new ApiSettings(
        loopback("troupe.bind", root.getString("troupe.bind")),
        api.getInt("port"),
        api.getDuration("longest-wait"),
        api.getInt("map-jobs"),
        api.getBytes("map-bytes"),
        api.getInt("event-buffer"));
  }

  /**
   * The address, which must be a loopback one: whoever reaches the API can run any command on the
   * agents, and it has no tokens yet.
   *
   * @param key the setting, for the message
   */
  public static String loopback(String key, String host) {
    try {
      if (InetAddress.getByName(host).isLoopbackAddress()) {
        return host;
      }
    } catch (UnknownHostException e) {
      throw new ConfigException.BadValue(key, "no such address: " + host);
    }
    throw new ConfigException.BadValue(
        key,
        host
            + " is not a loopback address: everybody who reached it could run commands on all"
            + " agents, because requests need no token yet. Use 127.0.0.1, and an SSH tunnel from"
            + " elsewhere");
  }
}
