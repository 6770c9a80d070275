package io.troupe.scheduler.mesos;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import io.troupe.mesos.WireFormat;
import io.troupe.scheduler.scaling.Backoff;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * {@code troupe.mesos} of reference.conf.
 *
 * @param masters where to look for the leading master, in this order
 * @param credentials empty where the master asks for none
 * @param missedHeartbeats so many heartbeats may be missing before the connection counts as dead
 * @param maxRedirects so many redirects are followed for one subscription
 */
public record MesosSettings(
    List<MasterAddress> masters,
    WireFormat format,
    String frameworkName,
    String user,
    List<String> roles,
    Duration failoverTimeout,
    Optional<Credentials> credentials,
    String webUiUrl,
    Backoff reconnectBackoff,
    Duration connectTimeout,
    int missedHeartbeats,
    int maxRedirects) {

  public MesosSettings {
    masters = List.copyOf(masters);
    roles = List.copyOf(roles);
  }

  /** Who we are to the master, by HTTP basic authentication. */
  public record Credentials(String principal, String secret) {
    @Override
    public String toString() {
      return "Credentials[principal=" + principal + "]";
    }
  }

  /** Reads the section. */
  public static MesosSettings from(Config root) {
    Config mesos = root.getConfig("troupe.mesos");
    List<String> roles = mesos.getStringList("roles");
    if (roles.isEmpty()) {
      throw new ConfigException.BadValue(
          "troupe.mesos.roles", "must name at least one role; [\"*\"] is everybody's");
    }
    String principal = mesos.getString("principal");
    int missed = mesos.getInt("missed-heartbeats");
    if (missed < 1) {
      throw new ConfigException.BadValue("troupe.mesos.missed-heartbeats", "must be at least 1");
    }
    String user = mesos.getString("user");
    return new MesosSettings(
        masters(mesos.getString("master")),
        format(mesos.getString("format")),
        mesos.getString("framework-name"),
        user.isEmpty() ? System.getProperty("user.name") : user,
        roles,
        mesos.getDuration("failover-timeout"),
        principal.isEmpty()
            ? Optional.empty()
            : Optional.of(new Credentials(principal, mesos.getString("secret"))),
        mesos.getString("web-ui-url"),
        new Backoff(
            mesos.getDuration("reconnect-backoff.first"),
            mesos.getDuration("reconnect-backoff.max")),
        mesos.getDuration("connect-timeout"),
        missed,
        mesos.getInt("max-redirects"));
  }

  private static WireFormat format(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "protobuf" -> WireFormat.PROTOBUF;
      case "json" -> WireFormat.JSON;
      default ->
          throw new ConfigException.BadValue(
              "troupe.mesos.format", "must be protobuf or json, not '" + name + "'");
    };
  }

  private static List<MasterAddress> masters(String text) {
    if (text.startsWith("zk://")) {
      throw new ConfigException.BadValue(
          "troupe.mesos.master",
          "finding the master through ZooKeeper ("
              + text
              + ") is not supported yet: name the masters themselves, as host:port,host:port");
    }
    List<MasterAddress> masters = new ArrayList<>();
    for (String one : text.split(",", -1)) {
      masters.add(
          MasterAddress.parse(one.strip())
              .orElseThrow(
                  () ->
                      new ConfigException.BadValue(
                          "troupe.mesos.master",
                          "'"
                              + text
                              + "' is no address of a master: say http://host:port, or several"
                              + " with commas between them")));
    }
    return masters;
  }
}
