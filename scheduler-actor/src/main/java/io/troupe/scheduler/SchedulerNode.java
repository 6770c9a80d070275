package io.troupe.scheduler;

import akka.Done;
import akka.actor.Address;
import akka.actor.AddressFromURIString;
import akka.actor.CoordinatedShutdown;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Terminated;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Down;
import akka.cluster.typed.Join;
import akka.http.javadsl.ServerBinding;
import io.troupe.protocol.ClusterConfig;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.line.JobLineServer;
import io.troupe.scheduler.api.ApiParts;
import io.troupe.scheduler.api.BlobSweep;
import io.troupe.scheduler.api.FileSweep;
import io.troupe.scheduler.api.JobApi;
import io.troupe.scheduler.jobs.JobQueues;
import io.troupe.scheduler.jobs.JobStore;
import io.troupe.scheduler.jobs.QueueDirectory;
import io.troupe.scheduler.jobs.SteadyTime;
import io.troupe.scheduler.jobs.SupervisorFact;
import io.troupe.scheduler.jobs.Supervisors;
import io.troupe.scheduler.mesos.MesosMaster;
import io.troupe.scheduler.pool.Master;
import io.troupe.scheduler.pool.PoolSpecReader;
import io.troupe.scheduler.pool.SchedulerActor;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.store.BlobStore;
import io.troupe.scheduler.store.Database;
import io.troupe.scheduler.store.FileStore;
import io.troupe.scheduler.store.Secrets;
import io.troupe.scheduler.watch.EventFeed;
import io.troupe.scheduler.watch.Metrics;
import io.troupe.scheduler.watch.TreeKeeper;
import io.troupe.scheduler.watch.Watching;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;

/** The root of a scheduler node: makes its actors, ties them together, and opens its doors. */
public final class SchedulerNode {

  /** What it can be told. */
  public sealed interface Command {}

  private record ApiBound(ServerBinding binding, ActorRef<TreeKeeper.Command> tree, Metrics metrics)
      implements Command {}

  private record ManagementBound(String uri) implements Command {}

  private record Failed(String what) implements Command {}

  /**
   * What a node is made of.
   *
   * @param saved what the store holds
   * @param jobs where the jobs of durable pools are
   * @param lines where supervisors get their jobs
   * @param ready told the URL of the API when it listens
   * @param failed told in one line why the node cannot go on
   */
  public record Parts(
      SchedulerSettings settings,
      Store store,
      Store.Saved saved,
      JobStore jobs,
      JobLineServer lines,
      FileStore files,
      BlobStore blobs,
      Secrets secrets,
      Database database,
      Consumer<String> ready,
      Consumer<String> failed) {}

  private static final Duration CLOSING = Duration.ofSeconds(1);

  private final Parts parts;
  private final ActorContext<Command> context;

  /** The node. */
  public static Behavior<Command> create(Parts parts) {
    return Behaviors.setup(context -> new SchedulerNode(parts, context).start());
  }

  private SchedulerNode(Parts parts, ActorContext<Command> context) {
    this.parts = parts;
    this.context = context;
  }

  private Behavior<Command> start() {
    ActorSystem<?> system = context.getSystem();
    SchedulerSettings settings = parts.settings();
    Cluster cluster = Cluster.get(system);
    Address self = cluster.selfMember().address();
    // A scheduler that starts alone is a cluster of its own; supervisors come to it.
    cluster.manager().tell(Join.create(self));

    ActorRef<SchedulerActor.Command> scheduler =
        context.spawn(scheduler(cluster, self), "scheduler");
    QueueDirectory directory = new QueueDirectory();
    Metrics metrics = new Metrics(directory);
    ActorRef<JobQueues.Command> queues =
        context.spawn(
            JobQueues.create(
                scheduler,
                directory,
                settings.jobs(),
                parts.jobs(),
                new SteadyTime(),
                metrics::times),
            "queues");
    ActorRef<TreeKeeper.Command> tree =
        context.spawn(TreeKeeper.create(scheduler, directory), "tree");
    ActorRef<SupervisorFact> watcher = context.spawn(watcher(tree), "supervisor-facts");
    ActorRef<Supervisors.Command> supervisors =
        context.spawn(
            Supervisors.create(
                scheduler, queues, watcher, this::secretsOf, settings.bind(), parts.lines()),
            "supervisors");
    ActorRef<EventFeed.Command> events =
        context.spawn(EventFeed.create(scheduler, queues), "events");
    ActorRef<BlobSweep.Command> sweep =
        context.spawn(
            BlobSweep.create(parts.blobs(), directory, settings.jobs().blobs()), "blob-sweep");
    ActorRef<FileSweep.Command> fileSweep =
        context.spawn(FileSweep.create(parts.files(), scheduler, settings.files()), "file-sweep");
    tree.tell(new TreeKeeper.Show(queues, "JobQueues"));
    tree.tell(new TreeKeeper.Show(supervisors, "Supervisors"));
    tree.tell(new TreeKeeper.Show(events, "EventFeed"));
    List.of(scheduler, queues, tree, supervisors, events, sweep, fileSweep).forEach(context::watch);

    context.pipeToSelf(
        JobApi.bind(
            system,
            new ApiParts(
                scheduler,
                queues,
                directory,
                tree,
                events,
                parts.files(),
                parts.blobs(),
                parts.secrets(),
                parts.database(),
                settings.jobs(),
                PoolSpecReader::read),
            settings.api()),
        (binding, failure) ->
            failure == null
                ? new ApiBound(binding, tree, metrics)
                : new Failed("the job API cannot listen: " + failure.getMessage()));
    return running();
  }

  private SchedulerToSupervisor.SecretsAt secretsOf(String pool) {
    return new SchedulerToSupervisor.SecretsAt(
        parts.settings().filesUrl() + "/v1/secrets/" + pool, parts.secrets().token(pool));
  }

  private static Behavior<SupervisorFact> watcher(ActorRef<TreeKeeper.Command> tree) {
    return Behaviors.receiveMessage(
        fact -> {
          tree.tell(new TreeKeeper.Saw(fact));
          return Behaviors.same();
        });
  }

  private Behavior<SchedulerActor.Command> scheduler(Cluster cluster, Address self) {
    SchedulerSettings settings = parts.settings();
    ClusterInfo info =
        new ClusterInfo(ClusterConfig.SYSTEM, System.currentTimeMillis(), List.of(self.toString()));
    ExecutorService writer =
        Executors.newSingleThreadExecutor(task -> new Thread(task, "troupe-store"));
    CoordinatedShutdown.get(context.getSystem())
        .addTask(
            CoordinatedShutdown.PhaseBeforeActorSystemTerminate(),
            "close the store",
            () ->
                CompletableFuture.runAsync(parts.jobs()::close, writer)
                    .thenRun(parts.store()::close)
                    .thenApply(
                        closed -> {
                          writer.shutdown();
                          return Done.getInstance();
                        }));
    return SchedulerActor.create(
        parts.saved(),
        new SchedulerActor.Settings(
            settings.executor(), settings.pool(), info, settings.filesUrl()),
        connector(),
        parts.store(),
        writer,
        address -> cluster.manager().tell(new Down(AddressFromURIString.parse(address))),
        System::currentTimeMillis);
  }

  private Master.Connector connector() {
    ActorSystem<?> system = context.getSystem();
    SchedulerSettings settings = parts.settings();
    return events -> {
      MesosMaster master = MesosMaster.overHttp(system, settings.mesos(), events::tell);
      CoordinatedShutdown.get(system)
          .addTask(
              CoordinatedShutdown.PhaseServiceUnbind(),
              "leave the master",
              () -> {
                master.close();
                return CompletableFuture.completedFuture(Done.getInstance());
              });
      master.start();
      return master;
    };
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(ApiBound.class, this::onApiBound)
        .onMessage(ManagementBound.class, this::onManagementBound)
        .onMessage(Failed.class, failed -> ended(failed.what()))
        .onSignal(
            Terminated.class,
            died -> ended("its actor " + died.getRef().path().name() + " failed; see the log"))
        .build();
  }

  private Behavior<Command> onApiBound(ApiBound bound) {
    bound.binding().addToCoordinatedShutdown(CLOSING, context.getSystem());
    context.pipeToSelf(
        Watching.start(context.getSystem(), bound.tree(), bound.metrics()),
        (uri, failure) ->
            failure == null
                ? new ManagementBound(uri.toString())
                : new Failed("Akka Management cannot listen: " + failure.getMessage()));
    return Behaviors.same();
  }

  private Behavior<Command> onManagementBound(ManagementBound bound) {
    context.getLog().info("Akka Management listens at {}", bound.uri());
    parts.ready().accept(parts.settings().filesUrl());
    return Behaviors.same();
  }

  private Behavior<Command> ended(String why) {
    parts.failed().accept(why);
    return Behaviors.stopped();
  }
}
