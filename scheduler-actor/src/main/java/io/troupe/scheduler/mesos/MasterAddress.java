package io.troupe.scheduler.mesos;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Optional;

/** Where a master listens. */
public record MasterAddress(boolean secure, String host, int port) {
  private static final int DEFAULT_PORT = 5050;

  /** Reads {@code http://host:port}, {@code https://host:port} or {@code host:port}. */
  static Optional<MasterAddress> parse(String text) {
    return parse(text, "http");
  }

  /**
   * Where a redirect leads.
   *
   * @param location as the master wrote it: a whole URL, one without a scheme, or just {@code
   *     host:port}
   */
  Optional<MasterAddress> redirectedTo(String location) {
    String scheme = secure ? "https" : "http";
    return parse(location.startsWith("//") ? scheme + ":" + location : location, scheme);
  }

  private static Optional<MasterAddress> parse(String text, String defaultScheme) {
    try {
      URI uri = new URI(text.contains("://") ? text : defaultScheme + "://" + text);
      boolean secure = "https".equals(uri.getScheme());
      if (uri.getHost() == null || (!secure && !"http".equals(uri.getScheme()))) {
        return Optional.empty();
      }
      return Optional.of(
          new MasterAddress(
              secure, uri.getHost(), uri.getPort() == -1 ? DEFAULT_PORT : uri.getPort()));
    } catch (URISyntaxException e) {
      return Optional.empty();
    }
  }

  @Override
  public String toString() {
    return host + ":" + port;
  }
}
