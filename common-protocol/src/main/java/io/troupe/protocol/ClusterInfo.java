package io.troupe.protocol;

import java.util.List;

/**
 * Where the scheduler's Akka cluster is. Reaches an executor in TaskInfo.data when a worker is
 * launched, and as a Mesos framework message when a new scheduler takes over.
 *
 * @param system name of the ActorSystem
 * @param epoch milliseconds since 1970 at which the scheduler that says this started; of two, the
 *     higher one holds
 * @param seeds addresses such as {@code akka://troupe@127.0.0.1:25520}
 */
public record ClusterInfo(String system, long epoch, List<String> seeds) {
  public ClusterInfo {
    seeds = List.copyOf(seeds);
  }
}
