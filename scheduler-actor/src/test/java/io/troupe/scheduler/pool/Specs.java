package io.troupe.scheduler.pool;

import io.troupe.model.JobPolicy;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Resources;
import io.troupe.model.WorkerProtocol;
import io.troupe.protocol.ClusterInfo;
import io.troupe.scheduler.offers.Amount;
import io.troupe.scheduler.offers.Offer;
import io.troupe.scheduler.offers.Offer.Part;
import io.troupe.scheduler.offers.Offer.Range;
import io.troupe.scheduler.scaling.Backoff;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Pools, settings and offers as the tests of this package like them. */
final class Specs {
  static final ExecutorSettings EXECUTOR =
      new ExecutorSettings(
          "run", "", new Amount(100, 256_000, 0), Duration.ofSeconds(15), Optional.empty());
  static final ClusterInfo CLUSTER =
      new ClusterInfo("troupe", 1, List.of("akka://troupe@127.0.0.1:25520"));
  static final PoolPolicy POLICY =
      new PoolPolicy(
          new Backoff(Duration.ofSeconds(1), Duration.ofSeconds(60)),
          Duration.ofSeconds(30),
          Duration.ofSeconds(60),
          Duration.ofMinutes(10),
          Duration.ofSeconds(1),
          Duration.ofSeconds(10),
          Duration.ofSeconds(20),
          Duration.ofSeconds(60),
          new Backoff(Duration.ofSeconds(2), Duration.ofSeconds(60)),
          Duration.ofMinutes(5),
          Duration.ofSeconds(2),
          Duration.ofSeconds(20),
          Duration.ofSeconds(5),
          Duration.ofHours(1));

  private Specs() {}

  static PoolSpec pool(String name, PoolSize size) {
    return pool(name, size, "run " + name);
  }

  static PoolSpec pool(String name, PoolSize size, String command) {
    return new PoolSpec(
        name,
        command,
        WorkerProtocol.FRAMES,
        List.of(),
        new Resources(0.5, 128, 0),
        size,
        new JobPolicy(Duration.ofSeconds(60), 3, JobPolicy.Durability.MEMORY),
        Map.of());
  }

  static Offer offer(String id, String agent, long cpuMillis, long memMib, String... executors) {
    return new Offer(
        id,
        agent,
        "host-" + agent,
        Set.of(executors),
        List.of(
            new Part("cpus", "cpus", cpuMillis, List.of()),
            new Part("mem", "mem", memMib * 1000, List.of()),
            new Part("ports", "ports", 0, List.of(new Range(31000, 31999)))));
  }
}
