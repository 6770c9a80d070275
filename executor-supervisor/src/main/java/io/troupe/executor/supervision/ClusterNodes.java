package io.troupe.executor.supervision;

import akka.actor.BootstrapSetup;
import akka.actor.CoordinatedShutdown;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.troupe.protocol.ClusterConfig;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.line.EventLoop;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.concurrent.ExecutionContext;

/**
 * Makes each node as an ActorSystem of its own, on a port of its own; the first one ahead of its
 * time, while the executor still waits for its first task.
 */
public final class ClusterNodes implements ClusterLinks {
  private static final Logger log = LoggerFactory.getLogger(ClusterNodes.class);

  private final String host;
  private final Config dispatchers;
  private final EventLoop loop;

  /** Those that have not been closed. */
  private final Set<Node> nodes = ConcurrentHashMap.newKeySet();

  private final ExecutorService opener =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread thread = new Thread(task, "troupe-cluster");
            thread.setDaemon(true);
            return thread;
          });
  private @Nullable ActorSystem<ClusterNode.Command> spare; // the opener's own

  /**
   * @param host address of this machine as others reach it
   * @param dispatchers which dispatchers the nodes have
   * @param loop where their actors run; must outlive them
   */
  public ClusterNodes(String host, Config dispatchers, EventLoop loop) {
    this.host = host;
    this.dispatchers = dispatchers;
    this.loop = loop;
    opener.execute(this::prepare);
  }

  private void prepare() {
    try {
      spare = create();
    } catch (RuntimeException e) {
      log.warn("Cannot prepare for the cluster: trying again when there is one to join", e);
    }
  }

  private ActorSystem<ClusterNode.Command> create() {
    Config own =
        ConfigFactory.parseMap(
                Map.of(
                    "akka.remote.artery.canonical.hostname",
                    host,
                    "akka.remote.artery.canonical.port",
                    0,
                    "akka.cluster.roles",
                    List.of(ClusterConfig.SUPERVISOR_ROLE),
                    // They wait up to 20 s for a cluster that cannot be left, and the agent kills.
                    "akka.jvm-shutdown-hooks",
                    "off"))
            .withFallback(dispatchers);
    return ActorSystem.create(
        ClusterNode.create(loop),
        ClusterConfig.SYSTEM,
        BootstrapSetup.create(ClusterConfig.with(own))
            .withDefaultExecutionContext(ExecutionContext.fromExecutor(loop)));
  }

  @Override
  public Link open(ClusterInfo info, int generation, ActorRef<Supervisor.Command> supervisor) {
    Node node = new Node(generation, supervisor);
    nodes.add(node);
    opener.execute(() -> node.start(info));
    return node;
  }

  /**
   * Leaves the cluster; waits until that is done, but no longer than the limit. Clusters that it
   * was told to leave before are not waited for: their schedulers may be dead.
   */
  public void leaveAll(Duration limit) throws InterruptedException {
    List<CompletableFuture<Void>> leaving = nodes.stream().map(node -> node.gone).toList();
    nodes.forEach(Node::close);
    opener.execute(this::dropSpare);
    try {
      CompletableFuture.allOf(leaving.toArray(CompletableFuture[]::new))
          .get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException e) {
      log.info("Leaving the cluster takes too long: it will find out");
    }
  }

  private void dropSpare() {
    if (spare != null) {
      spare.terminate();
    }
  }

  private final class Node implements Link {
    private final CompletableFuture<Void> gone = new CompletableFuture<>();
    private final int generation;
    private final ActorRef<Supervisor.Command> supervisor;
    private @Nullable ActorSystem<?> system;
    private boolean closed;

    Node(int generation, ActorRef<Supervisor.Command> supervisor) {
      this.generation = generation;
      this.supervisor = supervisor;
    }

    private synchronized void start(ClusterInfo info) {
      if (closed) {
        ended();
        return;
      }
      try {
        ActorSystem<ClusterNode.Command> started = spare == null ? create() : spare;
        spare = null;
        started.tell(new ClusterNode.Join(info, generation, supervisor));
        system = started;
        started.getWhenTerminated().thenRun(this::ended);
      } catch (RuntimeException e) {
        log.warn("Cannot join the cluster at {}", info.seeds(), e);
        ended();
      }
    }

    private void ended() {
      nodes.remove(this);
      gone.complete(null);
      supervisor.tell(new Supervisor.LinkEnded(generation));
    }

    @Override
    public void close() {
      nodes.remove(this);
      opener.execute(this::leave);
    }

    /** Leaves the cluster politely, in the background; whoever it left cannot hold it up. */
    private synchronized void leave() {
      closed = true; // so that one that is yet to start does not
      if (system != null) {
        CoordinatedShutdown.get(system).runAll(CoordinatedShutdown.clusterLeavingReason());
      }
    }
  }
}
