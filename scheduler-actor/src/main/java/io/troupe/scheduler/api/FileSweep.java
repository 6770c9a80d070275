package io.troupe.scheduler.api;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.DispatcherSelector;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.AskPattern;
import akka.actor.typed.javadsl.Behaviors;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import io.troupe.scheduler.pool.SchedulerActor;
import io.troupe.scheduler.pool.SchedulerActor.PoolView;
import io.troupe.scheduler.store.FileStore;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes files that no pool names any more, some time after the last one did: until then a copy of
 * the store that has begun may name them, an agent may yet fetch them, and whoever has sent one may
 * still be about to name it.
 */
public final class FileSweep {
  /** What it can be told. */
  public sealed interface Command {}

  private enum Look implements Command {
    NOW
  }

  private record Named(List<PoolView> pools) implements Command {}

  private enum Unanswered implements Command {
    NOW
  }

  /**
   * {@code troupe.files} of reference.conf, and what is never removed.
   *
   * @param keep how long a file stays after the last pool that named it
   * @param sweep how often files are looked at
   * @param bundle SHA-256 of what executors fetch; empty when they fetch nothing
   */
  public record Settings(Duration keep, Duration sweep, String bundle) {
    /** Reads them from the whole configuration. */
    public static Settings from(Config root) {
      Config files = root.getConfig("troupe.files");
      for (String key : List.of("keep", "sweep")) {
        if (files.getDuration(key).toMillis() < 1) {
          throw new ConfigException.BadValue("troupe.files." + key, "must be positive");
        }
      }
      return new Settings(
          files.getDuration("keep"),
          files.getDuration("sweep"),
          root.getString("troupe.executor.bundle"));
    }
  }

  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final Logger LOG = LoggerFactory.getLogger(FileSweep.class);

  private final FileStore files;
  private final ActorRef<SchedulerActor.Command> scheduler;
  private final Settings settings;
  private final ActorContext<Command> context;
  private final java.util.concurrent.Executor disk;

  /** The sweep. */
  public static Behavior<Command> create(
      FileStore files, ActorRef<SchedulerActor.Command> scheduler, Settings settings) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers -> {
                  timers.startTimerWithFixedDelay(Look.NOW, settings.sweep());
                  return new FileSweep(files, scheduler, settings, context).sweeping();
                }));
  }

  private FileSweep(
      FileStore files,
      ActorRef<SchedulerActor.Command> scheduler,
      Settings settings,
      ActorContext<Command> context) {
    this.files = files;
    this.scheduler = scheduler;
    this.settings = settings;
    this.disk = context.getSystem().dispatchers().lookup(DispatcherSelector.blocking());
    this.context = context;
  }

  private Behavior<Command> sweeping() {
    return Behaviors.receive(Command.class)
        .onMessageEquals(Look.NOW, this::look)
        .onMessage(Named.class, named -> onNamed(named.pools()))
        .onMessageEquals(Unanswered.NOW, Behaviors::same)
        .build();
  }

  private Behavior<Command> look() {
    context.pipeToSelf(
        AskPattern.<SchedulerActor.Command, List<PoolView>>ask(
            scheduler, SchedulerActor.ListPools::new, PATIENCE, context.getSystem().scheduler()),
        (pools, failure) -> pools == null ? Unanswered.NOW : new Named(pools));
    return Behaviors.same();
  }

  private Behavior<Command> onNamed(List<PoolView> pools) {
    Set<String> needed = new HashSet<>(Set.of(settings.bundle()));
    pools.forEach(pool -> needed.addAll(pool.spec().fileHashes()));
    disk.execute(() -> sweep(needed));
    return Behaviors.same();
  }

  private void sweep(Set<String> needed) {
    try {
      int removed = files.sweep(needed, Instant.now().minus(settings.keep()));
      if (removed > 0) {
        LOG.info("{} files that no pool has named for {} are removed", removed, settings.keep());
      }
    } catch (IOException e) {
      LOG.warn("The files of pools cannot be swept: {}", e.getMessage());
    }
  }
}
