package io.troupe.executor.mesos;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import io.troupe.mesos.WireFormat;
import java.time.Duration;

/**
 * {@code troupe.executor.agent} of reference.conf.
 *
 * @param wire how calls and events are written
 * @param subscribeTimeout how long the first subscription is tried
 * @param callTimeout how long one call may take
 */
public record AgentSettings(WireFormat wire, Duration subscribeTimeout, Duration callTimeout) {

  /** Reads them from a whole configuration. */
  public static AgentSettings from(Config root) {
    Config agent = root.getConfig("troupe.executor.agent");
    return new AgentSettings(
        wire(agent.getString("wire")),
        agent.getDuration("subscribe-timeout"),
        agent.getDuration("call-timeout"));
  }

  private static WireFormat wire(String name) {
    return switch (name) {
      case "protobuf" -> WireFormat.PROTOBUF;
      case "json" -> WireFormat.JSON;
      default ->
          throw new ConfigException.BadValue(
              "troupe.executor.agent.wire", "must be protobuf or json, not " + name);
    };
  }
}
