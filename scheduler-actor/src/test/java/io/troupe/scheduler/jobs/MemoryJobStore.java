package io.troupe.scheduler.jobs;

import akka.Done;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.Stream;

/**
 * A store of jobs that is gone with the test. Answers at once, or, when told to {@link #hold}, one
 * answer at a time as the test says; and fails when the test says so. A scheduler process that is
 * started anew opens it with {@link #next}.
 */
public final class MemoryJobStore implements JobStore {
  private static final class Content {
    int epoch;
    final Map<Long, String> prefixes = new TreeMap<>();
    final Map<Long, StoredJob> rows = new TreeMap<>();
    final Map<String, Long> keys = new HashMap<>();
    final Map<String, Map<JobState, Long>> counts = new HashMap<>();
  }

  private final Content content;
  private final Payloads payloads;
  private final List<Runnable> held = new ArrayList<>();
  private boolean holding;
  private Optional<String> trouble = Optional.empty();
  private Optional<String> pageTrouble = Optional.empty();
  private int writes;

  private MemoryJobStore(Content content, Payloads payloads) {
    this.content = content;
    this.payloads = payloads;
    content.epoch++;
  }

  /** An empty one. */
  public MemoryJobStore() {
    this(job -> {});
  }

  /** An empty one of jobs with large payloads, too. */
  public MemoryJobStore(Payloads payloads) {
    this(new Content(), payloads);
  }

  /** The same content as another process finds it. What was held back has not happened. */
  public synchronized MemoryJobStore next() {
    return new MemoryJobStore(content, payloads);
  }

  /** From now on nothing is done before {@link #letOneGo} or {@link #letGo}. */
  public synchronized void hold() {
    holding = true;
  }

  /** Does the oldest thing that was held back; false when there is none. */
  public boolean letOneGo() {
    Runnable work;
    synchronized (this) {
      if (held.isEmpty()) {
        return false;
      }
      work = held.remove(0);
    }
    work.run();
    return true;
  }

  /** Does all that was held back, and from now on everything at once. */
  public void letGo() {
    synchronized (this) {
      holding = false;
    }
    while (letOneGo()) {}
  }

  /** From now on everything fails with this, or nothing does. */
  public synchronized void fail(Optional<String> why) {
    trouble = why;
  }

  /** From now on reading the jobs of a lane fails with this, or nothing does. */
  public synchronized void failPages(Optional<String> why) {
    pageTrouble = why;
  }

  /** How many writes have been done. */
  public synchronized int writes() {
    return writes;
  }

  /** All rows, by id. */
  public synchronized List<StoredJob> rows() {
    return List.copyOf(content.rows.values());
  }

  private interface Work<T> {
    T get();
  }

  private <T> CompletionStage<T> done(Work<T> work) {
    CompletableFuture<T> answer = new CompletableFuture<>();
    Runnable doing = () -> complete(answer, work);
    synchronized (this) {
      if (holding) {
        held.add(doing);
        return answer;
      }
    }
    doing.run();
    return answer;
  }

  private <T> void complete(CompletableFuture<T> answer, Work<T> work) {
    Optional<T> result;
    Optional<String> why;
    synchronized (this) {
      why = trouble;
      result = why.isPresent() ? Optional.empty() : Optional.of(work.get());
    }
    result.ifPresentOrElse(
        answer::complete,
        () -> answer.completeExceptionally(new IllegalStateException(why.orElse(""))));
  }

  @Override
  public synchronized long lastPrefix() {
    return content.prefixes.keySet().stream().mapToLong(Long::longValue).max().orElse(0);
  }

  @Override
  public CompletionStage<Opened> open(String pool, long prefix) {
    return done(
        () -> {
          content.prefixes.put(prefix, pool);
          List<StoredJob> live = of(pool).filter(row -> !row.state().ended()).toList();
          Map<List<Object>, Long> lanes = new HashMap<>();
          live.forEach(
              row ->
                  lanes.merge(
                      List.of(row.terms().priority(), row.terms().submitter()), 1L, Long::sum));
          return new Opened(
              content.epoch,
              content.prefixes.entrySet().stream()
                  .filter(entry -> entry.getValue().equals(pool))
                  .map(Map.Entry::getKey)
                  .toList(),
              lanes.entrySet().stream()
                  .map(
                      entry ->
                          new Lane(
                              (Integer) entry.getKey().get(0),
                              (String) entry.getKey().get(1),
                              entry.getValue()))
                  .toList(),
              live.stream().filter(row -> !row.holder().isEmpty()).toList(),
              content.counts.getOrDefault(pool, new EnumMap<>(JobState.class)));
        });
  }

  private Stream<StoredJob> of(String pool) {
    return content.rows.values().stream().filter(row -> row.pool().equals(pool));
  }

  @Override
  public CompletionStage<Done> write(
      String pool, List<Change> changes, Map<JobState, Long> ended, boolean again) {
    return done(
        () -> {
          writes++;
          payloads.giveToNew(changes);
          for (Change change : changes) {
            StoredJob row = change.row();
            if (!again && change.from() != Place.NONE && !content.rows.containsKey(change.id())) {
              throw new IllegalStateException("There is no row of " + change);
            }
            if (row == null) {
              content.rows.remove(change.id());
              if (change.key() != null) {
                content.keys.remove(pool + "/" + change.key());
              }
            } else {
              content.rows.put(change.id(), row);
              if (change.key() != null) {
                content.keys.put(pool + "/" + change.key(), change.id());
              }
            }
          }
          content.counts.computeIfAbsent(pool, any -> new EnumMap<>(JobState.class)).putAll(ended);
          return Done.getInstance();
        });
  }

  @Override
  public CompletionStage<List<StoredJob>> page(
      String pool, int priority, String submitter, long after, int jobs, long bytes) {
    synchronized (this) {
      if (pageTrouble.isPresent()) {
        return CompletableFuture.failedFuture(new IllegalStateException(pageTrouble.get()));
      }
    }
    return done(
        () ->
            of(pool)
                .filter(row -> !row.state().ended() && row.id() > after)
                .filter(row -> row.terms().priority() == priority)
                .filter(row -> row.terms().submitter().equals(submitter))
                .limit(jobs)
                .toList());
  }

  @Override
  public CompletionStage<Optional<StoredJob>> find(String pool, long id) {
    return done(() -> of(pool).filter(row -> row.id() == id).findFirst());
  }

  @Override
  public CompletionStage<Optional<StoredJob>> withKey(String pool, String key) {
    return done(
        () ->
            Optional.ofNullable(content.keys.get(pool + "/" + key))
                .map(id -> Objects.requireNonNull(content.rows.get(id))));
  }

  @Override
  public CompletionStage<List<StoredJob>> newest(String pool, Optional<JobState> state, int jobs) {
    return done(
        () ->
            of(pool)
                .filter(row -> state.isEmpty() || row.state() == state.get())
                .sorted(Comparator.comparingLong(StoredJob::id).reversed())
                .limit(jobs)
                .toList());
  }

  @Override
  public CompletionStage<Integer> sweep(long now) {
    return done(
        () -> {
          int before = content.rows.size();
          content.rows.values().removeIf(row -> row.state().ended() && row.keepUntil() <= now);
          return before - content.rows.size();
        });
  }

  @Override
  public CompletionStage<Done> forget(String pool) {
    return done(
        () -> {
          content.rows.values().removeIf(row -> row.pool().equals(pool));
          content.prefixes.values().removeIf(pool::equals);
          content.counts.remove(pool);
          return Done.getInstance();
        });
  }

  @Override
  public void close() {}
}
