package io.troupe.scheduler.jobs;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Brings what has changed of durable jobs to the store, one write after the other, each with all
 * that came up during the one before, and holds back what others may hear only when it is stored. A
 * write that fails stays the one under way until it is written. Not thread-safe.
 */
final class GroupCommit {

  /** Sends one write to the store. */
  interface Writer {
    /**
     * Sends it, and does not wait.
     *
     * @param ended those of the numbers of ended jobs that have changed
     * @param again whether it was sent before, so that it may have been done
     */
    void write(List<JobStore.Change> changes, Map<JobState, Long> ended, boolean again);
  }

  private record Write(Journal.Entry entry, Map<JobState, Long> ended, Effects effects) {}

  private final Journal journal;
  private final Writer writer;
  private final Map<JobState, Long> endedInStore = new EnumMap<>(JobState.class);
  private Effects waiting = new Effects();
  private @Nullable Write underWay;

  GroupCommit(long keepMillis, Writer writer) {
    this.journal = new Journal(keepMillis);
    this.writer = writer;
  }

  /** The store has these numbers of ended jobs. */
  void opened(Map<JobState, Long> ended) {
    endedInStore.putAll(ended);
  }

  /** The job has changed. */
  void add(Job job) {
    journal.add(job);
  }

  /** What waits for the next write. */
  Effects waiting() {
    return waiting;
  }

  /** Whether all that was added is stored. */
  boolean allStored() {
    return journal.isEmpty() && underWay == null;
  }

  /**
   * Sends the next write, unless one is under way or none is needed.
   *
   * @param ended how many jobs have ended in which state
   * @return what nothing has to be waited for any more
   */
  Effects flush(Supplier<Map<JobState, Long>> ended) {
    if (underWay != null) {
      return new Effects();
    }
    Effects due = waiting;
    waiting = new Effects();
    if (journal.isEmpty()) {
      return due;
    }
    Map<JobState, Long> changed = new EnumMap<>(JobState.class);
    ended
        .get()
        .forEach(
            (state, jobs) -> {
              if (!jobs.equals(endedInStore.getOrDefault(state, 0L))) {
                changed.put(state, jobs);
              }
            });
    Write next = new Write(journal.take(), changed, due);
    underWay = next;
    writer.write(next.entry().changes(), changed, false);
    return new Effects();
  }

  /** The write that failed is tried again. */
  void again() {
    Write write = underWay;
    if (write != null) {
      writer.write(write.entry().changes(), write.ended(), true);
    }
  }

  /** The effects of the write under way, which has failed, and those of the next. */
  List<Effects> unstored() {
    return List.of(Objects.requireNonNull(underWay).effects(), waiting);
  }

  /** What one write has stored, and what may be told now. */
  record Stored(List<Job> jobs, Effects effects) {}

  /** The write under way is done. */
  Stored written() {
    Write write = Objects.requireNonNull(underWay);
    underWay = null;
    endedInStore.putAll(write.ended());
    Journal.written(write.entry());
    return new Stored(write.entry().jobs(), write.effects());
  }

  /** Gives up: all that is held back. */
  List<Effects> close() {
    List<Effects> all = new ArrayList<>(List.of(waiting));
    Optional.ofNullable(underWay).ifPresent(write -> all.add(write.effects()));
    waiting = new Effects();
    return all;
  }
}
