package io.troupe.scheduler;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValueFactory;
import io.troupe.protocol.ClusterConfig;
import io.troupe.scheduler.pool.Nearest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Puts the node's configuration together: system properties, the command line, the user's file,
 * scheduler-node.conf, troupe-cluster.conf, and every library's reference.conf. A key of the user's
 * that nothing knows stops the start.
 */
public final class Configuration {
  private static final String OURS = "troupe";
  private static final Set<String> SECTIONS = Set.of(OURS, "akka");

  private Configuration() {}

  /**
   * The whole configuration, resolved.
   *
   * @param file the user's, if there is one
   * @param commandLine keys that the command line sets
   * @throws ConfigException with one line for people when the user's part is wrong
   */
  static Config load(Optional<Path> file, Map<String, String> commandLine) {
    check(ConfigFactory.systemProperties().withOnlyPath(OURS), reference());
    return ofFile(file, commandLine);
  }

  /** The same for a program that is no node: its own system properties are no settings. */
  public static Config ofFile(Optional<Path> file, Map<String, String> commandLine) {
    Config user = file.map(Configuration::parse).orElse(ConfigFactory.empty());
    Config overrides = ConfigFactory.empty();
    for (Map.Entry<String, String> entry : commandLine.entrySet()) {
      overrides =
          overrides.withValue(
              entry.getKey(), ConfigValueFactory.fromAnyRef(entry.getValue(), "command line"));
    }
    check(user, reference());
    return ClusterConfig.with(
        overrides
            .withFallback(user)
            .withFallback(
                ConfigFactory.parseResources(
                    Configuration.class.getClassLoader(), "scheduler-node.conf")));
  }

  private static Config reference() {
    return ConfigFactory.defaultReferenceUnresolved(Configuration.class.getClassLoader());
  }

  private static Config parse(Path file) {
    if (!Files.isReadable(file)) {
      throw new ConfigException.Generic("the configuration file " + file + " cannot be read");
    }
    return ConfigFactory.parseFile(
        file.toFile(), ConfigParseOptions.defaults().setAllowMissing(false));
  }

  private static void check(Config user, Config reference) {
    for (String section : user.root().keySet()) {
      if (!SECTIONS.contains(section)) {
        throw unknown(
            section, SECTIONS, user.getValue(ConfigUtil.joinPath(section)).origin().description());
      }
    }
    Set<String> known =
        reference.withOnlyPath(OURS).root().isEmpty()
            ? Set.of()
            : reference.withOnlyPath(OURS).entrySet().stream()
                .map(Map.Entry::getKey)
                .collect(Collectors.toCollection(TreeSet::new));
    if (user.hasPathOrNull(OURS)) {
      user.withOnlyPath(OURS)
          .entrySet()
          .forEach(
              entry -> {
                if (!known.contains(entry.getKey())) {
                  throw unknown(entry.getKey(), known, entry.getValue().origin().description());
                }
              });
    }
  }

  private static ConfigException unknown(String key, Set<String> known, String where) {
    return new ConfigException.Generic(
        "unknown setting '"
            + key
            + "' ("
            + where
            + ")"
            + Nearest.of(key, List.copyOf(known))
                .map(nearest -> ": did you mean '" + nearest + "'?")
                .orElse(": see reference.conf for those there are"));
  }
}
