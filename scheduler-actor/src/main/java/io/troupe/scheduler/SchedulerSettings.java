package io.troupe.scheduler;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import io.troupe.scheduler.api.ApiSettings;
import io.troupe.scheduler.api.FileSweep;
import io.troupe.scheduler.jobs.JobSettings;
import io.troupe.scheduler.mesos.MesosSettings;
import io.troupe.scheduler.pool.ExecutorSettings;
import io.troupe.scheduler.pool.PoolPolicy;
import io.troupe.scheduler.store.StoreSettings;
import java.nio.file.Path;
import java.util.List;

/**
 * All that a scheduler node is told, read once.
 *
 * @param bind the address on which everything listens
 * @param dir where the node keeps its state
 */
public record SchedulerSettings(
    String bind,
    Path dir,
    ApiSettings api,
    JobSettings jobs,
    int linePort,
    FileSweep.Settings files,
    StoreSettings store,
    MesosSettings mesos,
    ExecutorSettings executor,
    PoolPolicy pool,
    List<Listening> ports) {

  /**
   * A port that the node listens on.
   *
   * @param key the setting that chooses it
   */
  public record Listening(String key, String host, int port) {}

  public SchedulerSettings {
    ports = List.copyOf(ports);
  }

  /** Reads them from the whole configuration. */
  public static SchedulerSettings from(Config root) {
    String bind = root.getString("troupe.bind");
    return new SchedulerSettings(
        bind,
        Path.of(root.getString("troupe.dir")),
        ApiSettings.from(root),
        JobSettings.from(root),
        port(root, "troupe.jobs.line-port"),
        FileSweep.Settings.from(root),
        StoreSettings.from(root),
        MesosSettings.from(root),
        ExecutorSettings.from(root),
        PoolPolicy.from(root),
        List.of(
            new Listening("troupe.api.port", bind, port(root, "troupe.api.port")),
            new Listening("troupe.jobs.line-port", bind, port(root, "troupe.jobs.line-port")),
            new Listening(
                "akka.management.http.port",
                root.getString("akka.management.http.hostname"),
                port(root, "akka.management.http.port")),
            new Listening(
                "akka.remote.artery.canonical.port",
                root.getString("akka.remote.artery.canonical.hostname"),
                port(root, "akka.remote.artery.canonical.port"))));
  }

  private static int port(Config root, String key) {
    int port = root.getInt(key);
    if (port < 0 || port > 65535) {
      throw new ConfigException.BadValue(key, "must be a port from 0 to 65535, not " + port);
    }
    return port;
  }

  /** Where agents fetch files from. */
  public String filesUrl() {
    return "http://" + bind + ":" + api.port();
  }
}
