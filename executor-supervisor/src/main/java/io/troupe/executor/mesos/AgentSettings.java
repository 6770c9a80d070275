package io.troupe.executor.mesos;

import com.typesafe.config.Config;
import io.troupe.mesos.WireFormat;
import java.time.Duration;
import java.util.Locale;

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
        WireFormat.valueOf(agent.getString("wire").toUpperCase(Locale.ROOT)),
        agent.getDuration("subscribe-timeout"),
        agent.getDuration("call-timeout"));
  }
}
