package io.troupe.scheduler.pool;

import io.troupe.model.PoolSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What must survive a restart of the scheduler. Calls block; one thread at a time. */
public interface Store extends AutoCloseable {

  /**
   * All that has been written.
   *
   * @throws StoreException when it cannot be read
   */
  Saved load();

  /**
   * Writes all of it, durably, or nothing.
   *
   * @throws StoreException when it could not be written
   */
  void write(List<Change> changes);

  @Override
  void close();

  /**
   * What the store holds.
   *
   * @param lastLaunch the highest launch number ever given; 0 before the first
   */
  record Saved(
      Optional<String> frameworkId,
      long lastLaunch,
      List<SavedPool> pools,
      List<WorkerRecord> workers,
      List<ExecutorRecord> executors) {
    public Saved {
      pools = List.copyOf(pools);
      workers = List.copyOf(workers);
      executors = List.copyOf(executors);
    }

    /** What a new store holds. */
    public static Saved nothing() {
      return new Saved(Optional.empty(), 0, List.of(), List.of(), List.of());
    }

    /** What to write so that only the pools are left. */
    public List<Change> forgettingFramework() {
      List<Change> changes = new ArrayList<>();
      changes.add(new FrameworkForgotten());
      workers.forEach(worker -> changes.add(new WorkerRemoved(worker.taskId())));
      executors.forEach(e -> changes.add(new ExecutorRemoved(e.agentId(), e.executorId())));
      return changes;
    }
  }

  /** A pool and whether it was told to drain. */
  record SavedPool(PoolSpec spec, boolean draining) {}

  /** One thing to write. */
  sealed interface Change {}

  /** The framework has this id from now on. */
  record FrameworkKnown(String id) implements Change {}

  /** There is no framework any more. */
  record FrameworkForgotten() implements Change {}

  /** The pool is so from now on. */
  record PoolSaved(SavedPool pool) implements Change {}

  /** There is no such pool any more. */
  record PoolRemoved(String pool) implements Change {}

  /** The worker is so from now on. Its launch number counts as used for ever. */
  record WorkerSaved(WorkerRecord worker) implements Change {}

  /** The worker ended. */
  record WorkerRemoved(String taskId) implements Change {}

  /** The executor is there from now on. */
  record ExecutorSaved(ExecutorRecord executor) implements Change {}

  /** The executor is gone. */
  record ExecutorRemoved(String agentId, String executorId) implements Change {}

  /** These workers and executors there are, and no others. */
  record AllReplaced(List<WorkerRecord> workers, List<ExecutorRecord> executors) implements Change {
    public AllReplaced {
      workers = List.copyOf(workers);
      executors = List.copyOf(executors);
    }
  }

  /** The store cannot be used; the message is one line that says which and what to do. */
  final class StoreException extends RuntimeException {
    public StoreException(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
