package io.troupe.protocol;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;

/** The part of the Akka configuration that all members of Troupe's cluster share. */
public final class ClusterConfig {
  /** Name of the ActorSystem, on both sides. */
  public static final String SYSTEM = "troupe";

  /** The role of scheduler nodes; it decides splits. */
  public static final String SCHEDULER_ROLE = "scheduler";

  /** The role of executors' nodes. */
  public static final String SUPERVISOR_ROLE = "supervisor";

  private ClusterConfig() {}

  /**
   * What is told here, over troupe-cluster.conf, over the reference.conf of all libraries;
   * resolved.
   *
   * @param own at least {@code akka.remote.artery.canonical} and {@code akka.cluster.roles}
   */
  public static Config with(Config own) {
    return ConfigFactory.defaultOverrides()
        .withFallback(own)
        .withFallback(
            ConfigFactory.parseResources(
                ClusterConfig.class.getClassLoader(), "troupe-cluster.conf"))
        .withFallback(ConfigFactory.defaultReference(ClusterConfig.class.getClassLoader()))
        .resolve();
  }
}
