package io.troupe.scheduler.pool;

import io.troupe.scheduler.offers.Offer;
import java.util.List;

/**
 * An executor on an agent as the store keeps it: what later launches must repeat word for word,
 * lest the master refuses them.
 *
 * @param resources what it was charged with, of which kind
 * @param filesUrl where it fetched its files from
 */
public record ExecutorRecord(
    String agentId, String executorId, String pool, List<Offer.Part> resources, String filesUrl) {
  public ExecutorRecord {
    resources = List.copyOf(resources);
  }

  /** What a supervisor calls itself. */
  String supervisor() {
    return supervisor(agentId, executorId);
  }

  /** What the supervisor of this executor on this agent calls itself. */
  static String supervisor(String agentId, String executorId) {
    return executorId + "@" + agentId;
  }
}
