package io.troupe.scheduler.pool;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The container that agents run executors in, workers and all: {@code troupe.executor.container} of
 * reference.conf.
 *
 * @param type which of the agents' containerizers
 * @param image of Docker's kind, such as {@code registry:5000/troupe:1}
 * @param network host, or one that the agents know; with docker also bridge and none
 * @param volumes folders of the agents in it
 * @param pull whether Docker asks the registry each time
 */
public record ExecutorContainer(
    Type type, String image, String network, List<Volume> volumes, boolean pull) {
  private static final String KEY = "troupe.executor.container.";
  private static final Pattern IMAGE = Pattern.compile("[A-Za-z0-9][\\w.:/@+-]*");
  private static final Pattern NETWORK = Pattern.compile("[A-Za-z0-9][\\w.-]*");
  private static final Pattern VOLUME = Pattern.compile("(/[^:]*):(/[^:]*)(:r[ow])?");

  /** The network of the machine itself. */
  public static final String HOST = "host";

  /** The containerizers of Mesos. */
  public enum Type {
    /** Mesos' own. */
    MESOS,
    /** The one that calls Docker. */
    DOCKER
  }

  /** A folder of the agent, and where it is in the container. */
  public record Volume(String host, String container, boolean readOnly) {}

  public ExecutorContainer {
    volumes = List.copyOf(volumes);
  }

  /** Reads the section; empty where no image is named. */
  static Optional<ExecutorContainer> from(Config container) {
    String image = container.getString("image");
    String network = container.getString("network");
    List<String> volumes = container.getStringList("volumes");
    Type type = type(container.getString("type"));
    if (image.isEmpty()) {
      if (!volumes.isEmpty() || !network.equals(HOST)) {
        throw new ConfigException.BadValue(
            KEY + "image", "must be named where network or volumes of a container are");
      }
      return Optional.empty();
    }
    matching("image", image, IMAGE, "a name such as registry:5000/troupe:1");
    matching("network", network, NETWORK, "host or the name of a network");
    return Optional.of(
        new ExecutorContainer(
            type,
            image,
            network,
            volumes.stream().map(ExecutorContainer::volume).toList(),
            container.getBoolean("pull")));
  }

  private static Type type(String word) {
    for (Type type : Type.values()) {
      if (type.name().toLowerCase(Locale.ROOT).equals(word)) {
        return type;
      }
    }
    throw new ConfigException.BadValue(KEY + "type", "must be mesos or docker, not '" + word + "'");
  }

  private static Matcher matching(String key, String value, Pattern pattern, String like) {
    Matcher matcher = pattern.matcher(value);
    if (!matcher.matches()) {
      throw new ConfigException.BadValue(KEY + key, "must be " + like + ", not '" + value + "'");
    }
    return matcher;
  }

  private static Volume volume(String text) {
    Matcher found = matching("volumes", text, VOLUME, "like /data:/data or /data:/data:ro");
    return new Volume(found.group(1), found.group(2), ":ro".equals(found.group(3)));
  }

  /** All of it as one text, for comparing. */
  String content() {
    List<String> parts = new ArrayList<>(List.of(type.name(), image, network));
    volumes.forEach(volume -> parts.add(volume.toString()));
    parts.add(Boolean.toString(pull));
    return String.join(" ", parts);
  }
}
