package io.troupe.scheduler.watch;

import com.typesafe.config.ConfigException;
import java.net.InetAddress;
import java.net.UnknownHostException;

/** The rule for every address that this node listens at. */
public final class Loopback {
  private Loopback() {}

  /**
   * The address, which must be a loopback one: whoever reaches the API can run any command on the
   * agents, and it has no tokens yet.
   *
   * @param key the setting, for the message
   * @throws ConfigException.BadValue if it is another one, or none
   */
  public static String only(String key, String host) {
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
