package io.troupe.scheduler.api;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.DispatcherSelector;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.AskPattern;
import akka.actor.typed.javadsl.Behaviors;
import io.troupe.model.BlobRef;
import io.troupe.scheduler.jobs.JobQueue;
import io.troupe.scheduler.jobs.JobSettings;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.QueueDirectory;
import io.troupe.scheduler.store.BlobStore;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes blobs when their jobs need them no more. It asks the queues what they remember, so that
 * nothing has to be told to it, and whatever is lost on the way is found the next time: a job that
 * has succeeded needs its result only, one that nobody knows at two looks in a row needs nothing,
 * and when space becomes scarce the oldest results go. Queues ask the store for what they have no
 * more in memory: it asks them about some jobs at a time, and about none twice before it has asked
 * about all.
 */
public final class BlobSweep {
  /** What it can be told. */
  public sealed interface Command {}

  private enum Look implements Command {
    NOW
  }

  /** Empty where no answer came in time. */
  private record Found(String job, Optional<JobQueue.Answer> answer) implements Command {}

  private static final Logger LOG = LoggerFactory.getLogger(BlobSweep.class);

  /** So many answers are awaited at a time. */
  static final int AT_ONCE = 16;

  /** A queue that is slower, or was closed meanwhile, is asked again at the next look. */
  private static final Duration ANSWERED_WITHIN = Duration.ofSeconds(10);

  private final BlobStore store;
  private final QueueDirectory directory;
  private final long mostBytes;
  private final ActorContext<Command> context;
  private final java.util.concurrent.Executor files;

  private Map<String, List<BlobStore.Blob>> asked = new HashMap<>();
  private Set<String> unknown = new HashSet<>();
  private Set<String> unknownNow = new HashSet<>();
  private final List<BlobStore.Blob> results = new ArrayList<>();
  private final Deque<String> toAsk = new ArrayDeque<>();
  private int awaited;

  /** The sweep. */
  public static Behavior<Command> create(
      BlobStore store, QueueDirectory directory, JobSettings.Blobs settings) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers -> {
                  timers.startTimerWithFixedDelay(Look.NOW, settings.sweep());
                  return new BlobSweep(store, directory, settings.bytes(), context).sweeping();
                }));
  }

  private BlobSweep(
      BlobStore store, QueueDirectory directory, long mostBytes, ActorContext<Command> context) {
    this.store = store;
    this.directory = directory;
    this.mostBytes = mostBytes;
    this.context = context;
    this.files = context.getSystem().dispatchers().lookup(DispatcherSelector.blocking());
  }

  private Behavior<Command> sweeping() {
    return Behaviors.receive(Command.class)
        .onMessageEquals(Look.NOW, this::look)
        .onMessage(Found.class, this::onFound)
        .build();
  }

  private Behavior<Command> look() {
    if (awaited > 0 || directory.isOpening()) {
      // The last look is not over, or some queue does not know its jobs yet.
      return Behaviors.same();
    }
    forgetOldest();
    files.execute(this::lookAround);
    unknown = unknownNow;
    unknownNow = new HashSet<>();
    asked = new HashMap<>();
    for (BlobStore.Blob blob : store.all()) {
      if (!blob.job().isEmpty()) {
        asked.computeIfAbsent(blob.job(), job -> new ArrayList<>(2)).add(blob);
      }
    }
    toAsk.addAll(asked.keySet());
    return askOn();
  }

  private Behavior<Command> askOn() {
    while (awaited < AT_ONCE && !toAsk.isEmpty()) {
      String job = toAsk.remove();
      directory.ofJob(job).ifPresentOrElse(entry -> ask(job, entry.queue()), () -> onUnknown(job));
    }
    return Behaviors.same();
  }

  private void ask(String job, ActorRef<JobQueue.Command> queue) {
    awaited++;
    context.pipeToSelf(
        Stages.direct(
            AskPattern.<JobQueue.Command, JobQueue.Answer>ask(
                queue,
                replyTo -> new JobQueue.Find(job, Duration.ZERO, replyTo),
                ANSWERED_WITHIN,
                context.getSystem().scheduler())),
        (answer, none) -> new Found(job, Optional.ofNullable(answer)));
  }

  /** So that the next look sees what executors have put into the folder. */
  private void lookAround() {
    try {
      store.lookAround();
    } catch (IOException e) {
      LOG.warn("The folder of large payloads and results cannot be read", e);
    }
  }

  private Behavior<Command> onFound(Found found) {
    awaited--;
    JobQueue.Answer answer = found.answer().orElse(null);
    if (answer instanceof JobQueue.Unknown) {
      onUnknown(found.job());
    } else if (answer instanceof JobQueue.Ended ended
        && ended.job().state() == JobState.SUCCEEDED) {
      Optional<String> result =
          ended.type().isBlob() ? Optional.of(BlobRef.of(ended.body()).name()) : Optional.empty();
      for (BlobStore.Blob blob : asked.getOrDefault(found.job(), List.of())) {
        if (result.equals(Optional.of(blob.ref().name()))) {
          results.add(blob);
        } else {
          remove(blob);
        }
      }
    }
    return askOn();
  }

  /** Of the results that the last look found, as many as space is scarce, and no more. */
  private void forgetOldest() {
    results.sort(Comparator.comparingLong(BlobStore.Blob::since));
    long excess = store.bytes() - mostBytes / 2;
    for (BlobStore.Blob result : results) {
      if (excess <= 0) {
        break;
      }
      excess -= result.ref().size();
      remove(result);
    }
    results.clear();
  }

  private void onUnknown(String job) {
    unknownNow.add(job);
    if (unknown.contains(job)) {
      asked.getOrDefault(job, List.of()).forEach(this::remove);
    }
  }

  private void remove(BlobStore.Blob blob) {
    context.getLog().debug("Removing blob {} of job {}", blob.ref().name(), blob.job());
    files.execute(() -> store.remove(blob.ref().name()));
  }
}
