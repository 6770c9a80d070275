package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import io.troupe.model.Cause;
import io.troupe.model.PoolSpec;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.scheduler.pool.PoolFact;
import io.troupe.scheduler.pool.SchedulerActor;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Keeps one queue for each pool there is, and brings supervisors and losses to the right one. */
public final class JobQueues {

  /** What it can be told. */
  public sealed interface Command {}

  /** Answers {@link Synced} when all facts sent before this have been taken note of. */
  public record Sync(ActorRef<Synced> replyTo) implements Command {}

  /** All that was said before is known. */
  public enum Synced {
    /** Yes. */
    YES
  }

  /**
   * A supervisor has opened its job line; its queue takes it in, or it is refused, by what its
   * registration says.
   */
  public record SupervisorJoined(SupervisorToScheduler.Register registration) implements Command {}

  /** A supervisor of a pool is no longer in the cluster. */
  public record SupervisorAway(String pool, String supervisor) implements Command {}

  /** Tells the listener each change of each job of each pool, those to come included. */
  public record WatchJobs(ActorRef<List<JobFact>> listener) implements Command {}

  /** Tells nobody any more. */
  public record StopWatching() implements Command {}

  private record Heard(PoolFact fact) implements Command {}

  private enum SayLoad implements Command {
    NOW
  }

  private static final Instant EPOCH_OF_PREFIXES = Instant.parse("2020-01-01T00:00:00Z");
  private static final Duration SAY_LOAD_EVERY = Duration.ofSeconds(1);

  /**
   * The parent of all queues.
   *
   * @param directory what it keeps up to date
   * @param store where the jobs of durable pools are
   * @param time must not go back
   * @param times makes what takes note of the ends of a pool's jobs
   */
  public static Behavior<Command> create(
      ActorRef<SchedulerActor.Command> scheduler,
      QueueDirectory directory,
      JobSettings settings,
      JobStore store,
      InstantSource time,
      Function<String, JobTimes> times) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers -> {
                  timers.startTimerWithFixedDelay(SayLoad.NOW, SAY_LOAD_EVERY);
                  scheduler.tell(
                      new SchedulerActor.Subscribe(
                          context.messageAdapter(PoolFact.class, Heard::new)));
                  return new JobQueues(scheduler, directory, settings, store, time, times, context)
                      .running();
                }));
  }

  private final ActorRef<SchedulerActor.Command> scheduler;
  private final QueueDirectory directory;
  private final JobSettings settings;
  private final JobStore store;
  private final InstantSource time;
  private final Function<String, JobTimes> times;
  private final ActorContext<Command> context;
  private long lastPrefix;
  private @Nullable ActorRef<List<JobFact>> listener;

  private JobQueues(
      ActorRef<SchedulerActor.Command> scheduler,
      QueueDirectory directory,
      JobSettings settings,
      JobStore store,
      InstantSource time,
      Function<String, JobTimes> times,
      ActorContext<Command> context) {
    this.scheduler = scheduler;
    this.directory = directory;
    this.settings = settings;
    this.store = store;
    this.lastPrefix = store.lastPrefix();
    this.time = time;
    this.times = times;
    this.context = context;
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(Heard.class, heard -> onHeard(heard.fact()))
        .onMessage(Sync.class, this::onSync)
        .onMessage(SupervisorJoined.class, this::onSupervisorJoined)
        .onMessage(SupervisorAway.class, this::onSupervisorAway)
        .onMessage(WatchJobs.class, this::onWatchJobs)
        .onMessage(StopWatching.class, stop -> onStopWatching())
        .onMessageEquals(SayLoad.NOW, this::onSayLoad)
        .build();
  }

  private Behavior<Command> onHeard(PoolFact fact) {
    if (fact instanceof PoolFact.PoolApplied applied) {
      directory
          .ofPool(applied.spec().name())
          .ifPresentOrElse(entry -> entry.apply(applied.spec()), () -> open(applied.spec()));
    } else if (fact instanceof PoolFact.PoolDeleted deleted) {
      directory.ofPool(deleted.pool()).ifPresent(this::close);
    } else if (fact instanceof PoolFact.ExecutorLost lost) {
      tell(lost.pool(), new JobQueue.SupervisorLost(lost.supervisor(), lost.cause()));
    } else if (fact instanceof PoolFact.AgentLost lost) {
      directory
          .all()
          .forEach(
              entry -> entry.queue().tell(new JobQueue.AgentLost(lost.agentId(), lost.cause())));
    }
    return Behaviors.same();
  }

  private void open(PoolSpec spec) {
    // Two queues must not share a prefix, not even with an empty store or in the same second.
    long seconds = time.instant().getEpochSecond() - EPOCH_OF_PREFIXES.getEpochSecond();
    lastPrefix = Math.max(lastPrefix + 1, seconds);
    JobIds ids = new JobIds(lastPrefix);
    String pool = spec.name();
    Published published = new Published(times.apply(pool));
    ActorRef<JobQueue.Command> queue =
        context.spawn(
            JobQueue.create(
                pool,
                spec.job(),
                new JobQueue.Parts(settings, store, ids, time, new SplittableRandom(), published)),
            pool + "-" + ids.prefix());
    QueueEntry entry = new QueueEntry(queue, spec);
    directory.add(entry);
    published.in(entry);
    ActorRef<List<JobFact>> wanted = listener;
    if (wanted != null) {
      queue.tell(new JobQueue.WatchJobs(wanted));
    }
  }

  /** Brings what a queue says of itself to where others look for it. */
  private final class Published implements JobQueue.Listeners {
    private final JobTimes noted;

    // The queue may speak before its entry is made, which needs the queue.
    private @Nullable QueueEntry entry;
    private List<Long> prefixes = List.of();

    Published(JobTimes noted) {
      this.noted = noted;
    }

    synchronized void in(QueueEntry known) {
      entry = known;
      directory.opened(known, prefixes);
    }

    @Override
    public synchronized void opened(List<Long> ofIts) {
      prefixes = ofIts;
      if (entry != null) {
        directory.opened(entry, prefixes);
      }
    }

    @Override
    public synchronized void counted(QueueCounts counts) {
      if (entry != null) {
        entry.count(counts);
      }
    }

    @Override
    public void ended(JobState state, long millis) {
      noted.ended(state, millis);
    }
  }

  private void close(QueueEntry entry) {
    directory.remove(entry);
    entry
        .queue()
        .tell(
            new JobQueue.Close(
                Cause.of(Cause.Kind.KILLED, "Pool " + entry.spec().name() + " was deleted")));
  }

  private Behavior<Command> onSync(Sync sync) {
    sync.replyTo().tell(Synced.YES);
    return Behaviors.same();
  }

  private Behavior<Command> onSupervisorJoined(SupervisorJoined joined) {
    Optional<QueueEntry> entry = directory.ofPool(joined.registration().pool());
    if (entry.isPresent()) {
      entry.get().queue().tell(new JobQueue.SupervisorJoined(joined.registration()));
    } else {
      joined
          .registration()
          .replyTo()
          .tell(
              new SchedulerToSupervisor.Refused(
                  "There is no pool " + joined.registration().pool() + " here"));
    }
    return Behaviors.same();
  }

  private Behavior<Command> onSupervisorAway(SupervisorAway away) {
    tell(away.pool(), new JobQueue.SupervisorAway(away.supervisor()));
    return Behaviors.same();
  }

  private void tell(String pool, JobQueue.Command command) {
    directory.ofPool(pool).ifPresent(entry -> entry.queue().tell(command));
  }

  private Behavior<Command> onWatchJobs(WatchJobs watch) {
    listener = watch.listener();
    directory.all().forEach(entry -> entry.queue().tell(new JobQueue.WatchJobs(watch.listener())));
    return Behaviors.same();
  }

  private Behavior<Command> onStopWatching() {
    listener = null;
    directory.all().forEach(entry -> entry.queue().tell(new JobQueue.StopWatching()));
    return Behaviors.same();
  }

  private Behavior<Command> onSayLoad() {
    for (QueueEntry entry : directory.all()) {
      QueueCounts counts = entry.counts();
      scheduler.tell(
          new SchedulerActor.PoolLoad(entry.spec().name(), counts.queued(), counts.running()));
    }
    return Behaviors.same();
  }
}
