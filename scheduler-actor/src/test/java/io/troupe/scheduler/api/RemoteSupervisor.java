package io.troupe.scheduler.api;

import akka.actor.typed.ActorSystem;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.JoinSeedNodes;
import com.typesafe.config.ConfigFactory;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.ClusterConfig;
import io.troupe.protocol.Outcome;
import io.troupe.scheduler.jobs.FakeSupervisor;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** A fake supervisor in a cluster node of its own. */
final class RemoteSupervisor implements AutoCloseable {
  private final ActorSystem<FakeSupervisor.Command> system;

  RemoteSupervisor(
      RunningApi api,
      FakeSupervisor.Identity identity,
      Function<Assignment, Optional<Outcome>> work) {
    system =
        ActorSystem.create(
            FakeSupervisor.create(identity, work),
            ClusterConfig.SYSTEM,
            ClusterConfig.with(
                ConfigFactory.parseString(
                    "akka.cluster.roles = [supervisor]\nakka.loglevel = WARNING")));
    Cluster.get(system)
        .manager()
        .tell(new JoinSeedNodes(List.of(Cluster.get(api.system()).selfMember().address())));
  }

  String address() {
    return Cluster.get(system).selfMember().address().toString();
  }

  @Override
  public void close() {
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().join();
  }
}
