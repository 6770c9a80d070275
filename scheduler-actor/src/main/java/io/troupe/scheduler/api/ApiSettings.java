package io.troupe.scheduler.api;

import com.typesafe.config.Config;
import io.troupe.scheduler.watch.Loopback;
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
        Loopback.only("troupe.bind", root.getString("troupe.bind")),
        api.getInt("port"),
        api.getDuration("longest-wait"),
        api.getInt("map-jobs"),
        api.getBytes("map-bytes"),
        api.getInt("event-buffer"));
  }
}
