package io.troupe.scheduler.api;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Props;
import akka.actor.typed.SpawnProtocol;
import akka.actor.typed.javadsl.AskPattern;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.troupe.model.JobPolicy;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSecret;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Resources;
import io.troupe.model.WorkerProtocol;
import io.troupe.protocol.ClusterConfig;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.line.EventLoop;
import io.troupe.protocol.line.JobLineServer;
import io.troupe.scheduler.jobs.FakeScheduler;
import io.troupe.scheduler.jobs.JobQueues;
import io.troupe.scheduler.jobs.JobSettings;
import io.troupe.scheduler.jobs.JobStore;
import io.troupe.scheduler.jobs.MemoryJobStore;
import io.troupe.scheduler.jobs.QueueDirectory;
import io.troupe.scheduler.jobs.SteadyTime;
import io.troupe.scheduler.jobs.SupervisorFact;
import io.troupe.scheduler.jobs.Supervisors;
import io.troupe.scheduler.pool.SchedulerActor;
import io.troupe.scheduler.store.BlobStore;
import io.troupe.scheduler.store.Database;
import io.troupe.scheduler.store.FileStore;
import io.troupe.scheduler.store.Secrets;
import io.troupe.scheduler.watch.EventFeed;
import io.troupe.scheduler.watch.Metrics;
import io.troupe.scheduler.watch.TreeKeeper;
import io.troupe.scheduler.watch.Watching;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** A scheduler node without Mesos: everything from the queues to HTTP, on free ports. */
public final class RunningApi implements AutoCloseable {
  static final Duration PATIENCE = Duration.ofSeconds(30);

  final MemoryJobStore stored;
  final BlobStore blobs;
  final Secrets secrets;
  final Database database;
  private final ActorSystem<SpawnProtocol.Command> system;
  private final QueueDirectory directory = new QueueDirectory();
  private final ActorRef<SchedulerActor.Command> scheduler;
  private final ActorRef<TreeKeeper.Command> tree;
  private final EventLoop loop;
  private final JobLineServer lines;
  private final int port;
  private final String management;

  private RunningApi(
      Config own, Path folder, BlobStore blobs, MemoryJobStore stored, JobStore jobStore) {
    this.blobs = blobs;
    this.stored = stored;
    Config config =
        ConfigFactory.parseString(
                """
                akka.remote.artery.canonical { hostname = "127.0.0.1", port = 0 }
                akka.cluster.roles = [scheduler]
                akka.loglevel = WARNING
                akka.management.http.port = 0
                troupe.api.port = 0
                """)
            .withFallback(own)
            .withFallback(ConfigFactory.parseResources("scheduler-node.conf"));
    Config all = own.withFallback(ClusterConfig.with(config));
    system = ActorSystem.create(SpawnProtocol.create(), ClusterConfig.SYSTEM, all);
    secrets = secrets(folder);
    Cluster cluster = Cluster.get(system);
    cluster.manager().tell(Join.create(cluster.selfMember().address()));
    JobSettings jobs = JobSettings.from(system.settings().config());
    scheduler = spawn(FakeScheduler.create(), "scheduler");
    Metrics metrics = new Metrics(directory);
    ActorRef<JobQueues.Command> queues =
        spawn(
            JobQueues.create(
                scheduler, directory, jobs, jobStore, new SteadyTime(), metrics::times),
            "queues");
    tree = spawn(TreeKeeper.create(scheduler, directory), "tree");
    loop = loop();
    lines = lines(loop);
    ActorRef<SupervisorFact> facts = spawn(forward(tree), "facts");
    spawn(
        Supervisors.create(
            scheduler,
            queues,
            facts,
            pool -> new SchedulerToSupervisor.SecretsAt("", secrets.token(pool)),
            "127.0.0.1",
            lines),
        "supervisors");
    ActorRef<EventFeed.Command> events = spawn(EventFeed.create(scheduler, queues), "events");
    database = Database.inFolder(folder.resolve("store"));
    ApiParts parts =
        new ApiParts(
            scheduler,
            queues,
            directory,
            tree,
            events,
            files(folder),
            blobs,
            secrets,
            database,
            jobs,
            RunningApi::readPool);
    spawn(BlobSweep.create(blobs, directory, jobs.blobs()), "blob-sweep");
    port =
        JobApi.bind(system, parts, ApiSettings.from(system.settings().config()))
            .toCompletableFuture()
            .join()
            .localAddress()
            .getPort();
    management = Watching.start(system, tree, metrics).toCompletableFuture().join().toString();
  }

  private static EventLoop loop() {
    try {
      return EventLoop.start("lines");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JobLineServer lines(EventLoop loop) {
    try {
      return JobLineServer.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), loop);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static BlobStore blobs(Path folder) {
    try {
      return BlobStore.open(folder.resolve("blobs"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Secrets secrets(Path folder) {
    try {
      return Secrets.open(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static FileStore files(Path folder) {
    try {
      return FileStore.open(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Behavior<SupervisorFact> forward(ActorRef<TreeKeeper.Command> tree) {
    return akka.actor.typed.javadsl.Behaviors.receiveMessage(
        fact -> {
          tree.tell(new TreeKeeper.Saw(fact));
          return akka.actor.typed.javadsl.Behaviors.same();
        });
  }

  /** Starts with these settings over the usual ones. */
  public static RunningApi start(String settings, Path folder) {
    BlobStore blobs = blobs(folder);
    MemoryJobStore jobs = new MemoryJobStore(blobs);
    return new RunningApi(ConfigFactory.parseString(settings), folder, blobs, jobs, jobs);
  }

  /** Starts with the usual settings, and the jobs of durable pools in this store. */
  static RunningApi start(Path folder, JobStore jobs) {
    return new RunningApi(ConfigFactory.empty(), folder, blobs(folder), new MemoryJobStore(), jobs);
  }

  /**
   * A pool file as the tests write it: name, and perhaps protocol, durability, secrets, the hash of
   * a file.
   */
  static PoolSpec readPool(String text) {
    Config pool = ConfigFactory.parseString(text);
    if (!pool.hasPath("name")) {
      throw new IllegalArgumentException("name is missing");
    }
    WorkerProtocol protocol =
        pool.hasPath("protocol")
            ? WorkerProtocol.valueOf(pool.getString("protocol").toUpperCase(Locale.ROOT))
            : WorkerProtocol.FRAMES;
    JobPolicy.Durability durability =
        pool.hasPath("durability")
            ? JobPolicy.Durability.valueOf(pool.getString("durability").toUpperCase(Locale.ROOT))
            : JobPolicy.Durability.MEMORY;
    List<PoolSecret> secrets = new ArrayList<>();
    if (pool.hasPath("secrets")) {
      pool.getObject("secrets")
          .unwrapped()
          .forEach((name, file) -> secrets.add(new PoolSecret(name, file.toString(), "")));
    }
    return new PoolSpec(
            pool.getString("name"),
            "python3 -m troupe.worker demo",
            protocol,
            pool.hasPath("file")
                ? List.of(new PoolFile("demo.py", pool.getString("file")))
                : List.of(),
            new Resources(0.5, 128, 0),
            new PoolSize.PerAgent(),
            new JobPolicy(Duration.ofSeconds(60), 3, durability),
            Map.of())
        .withSecrets(secrets);
  }

  /** Starts an actor in the node's system. */
  public <T> ActorRef<T> spawn(Behavior<T> behavior, String name) {
    CompletionStage<ActorRef<T>> spawned =
        AskPattern.ask(
            system,
            replyTo -> new SpawnProtocol.Spawn<>(behavior, name, Props.empty(), replyTo),
            PATIENCE,
            system.scheduler());
    return spawned.toCompletableFuture().join();
  }

  public int port() {
    return port;
  }

  public String url(String path) {
    return "http://127.0.0.1:" + port + path;
  }

  public String managementUrl(String path) {
    return management + path;
  }

  public ActorSystem<?> system() {
    return system;
  }

  public QueueDirectory directory() {
    return directory;
  }

  public ActorRef<TreeKeeper.Command> tree() {
    return tree;
  }

  public Optional<String> address() {
    return Optional.of(Cluster.get(system).selfMember().address().toString());
  }

  @Override
  public void close() {
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().join();
    database.close();
    try {
      lines.close();
      loop.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
