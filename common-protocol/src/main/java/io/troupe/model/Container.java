package io.troupe.model;

import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The container that each worker of a pool runs in, by the podman or docker of its agent.
 *
 * @param image as podman and docker name it; empty when workers are plain processes
 * @param user user or user:group inside; empty for the one that the executor runs as
 * @param network host, none, or the name of a network of the agents
 * @param mounts further folders of the agent, each FROM:TO or FROM:TO:ro
 * @param pullTimeout how long fetching the image may take
 */
public record Container(
    String image, String user, String network, List<String> mounts, Duration pullTimeout) {
  private static final Pattern IMAGE = Pattern.compile("[A-Za-z0-9][\\w.:/@+-]*");
  private static final Pattern USER = Pattern.compile("[\\w.-]*(:[\\w.-]+)?");
  private static final Pattern NETWORK = Pattern.compile("[A-Za-z0-9][\\w.-]*");
  private static final Pattern MOUNT =
      Pattern.compile("/[^:,\\p{Cntrl}]*:/[^:,\\p{Cntrl}]*(:r[ow])?");

  /** What holds where a pool file does not say. */
  public static final String DEFAULT_NETWORK = "host";

  /** What holds where a pool file does not say. */
  public static final Duration DEFAULT_PULL_TIMEOUT = Duration.ofMinutes(10);

  /** No container. */
  public static final Container NONE =
      new Container("", "", DEFAULT_NETWORK, List.of(), DEFAULT_PULL_TIMEOUT);

  public Container {
    mounts = List.copyOf(mounts);
    if (!image.isEmpty() && !IMAGE.matcher(image).matches()) {
      throw new IllegalArgumentException(
          "image is a name such as python:3.12, not '" + image + "'");
    }
    if (!USER.matcher(user).matches()) {
      throw new IllegalArgumentException(
          "container.user is a user or user:group such as 1000:1000, not '" + user + "'");
    }
    if (!NETWORK.matcher(network).matches()) {
      throw new IllegalArgumentException(
          "container.network is host, none or the name of a network, not '" + network + "'");
    }
    for (String mount : mounts) {
      if (!MOUNT.matcher(mount).matches()) {
        throw new IllegalArgumentException(
            "container.mounts are like /data:/data or /data:/data:ro, not '" + mount + "'");
      }
    }
    if (pullTimeout.isNegative() || pullTimeout.isZero()) {
      throw new IllegalArgumentException("container.pull-timeout must be positive: " + pullTimeout);
    }
  }

  /** Whether there is none. */
  public boolean isEmpty() {
    return image.isEmpty();
  }
}
