package io.troupe.scheduler.pool;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A store in memory; what was written is there for whoever loads. */
final class FakeStore implements Store {
  private Optional<String> frameworkId = Optional.empty();
  private long lastLaunch;
  private boolean broken;
  private final Map<String, SavedPool> pools = new LinkedHashMap<>();
  private final Map<String, WorkerRecord> workers = new LinkedHashMap<>();
  private final Map<String, ExecutorRecord> executors = new LinkedHashMap<>();

  /** From now on nothing can be written, or again everything. */
  synchronized void broken(boolean isBroken) {
    broken = isBroken;
  }

  synchronized boolean knows(String taskId) {
    return workers.containsKey(taskId);
  }

  @Override
  public synchronized Saved load() {
    return new Saved(
        frameworkId,
        lastLaunch,
        List.copyOf(pools.values()),
        List.copyOf(workers.values()),
        List.copyOf(executors.values()));
  }

  @Override
  public synchronized void write(List<Change> changes) {
    if (broken) {
      throw new StoreException("the disk is full", new IllegalStateException("full"));
    }
    new ArrayList<>(changes).forEach(this::write);
  }

  private void write(Change change) {
    if (change instanceof FrameworkKnown known) {
      frameworkId = Optional.of(known.id());
    } else if (change instanceof FrameworkForgotten) {
      frameworkId = Optional.empty();
    } else if (change instanceof PoolSaved saved) {
      pools.put(saved.pool().spec().name(), saved.pool());
    } else if (change instanceof PoolRemoved removed) {
      pools.remove(removed.pool());
    } else if (change instanceof WorkerSaved saved) {
      workers.put(saved.worker().taskId(), saved.worker());
      lastLaunch = Math.max(lastLaunch, saved.worker().launch());
    } else if (change instanceof WorkerRemoved removed) {
      workers.remove(removed.taskId());
    } else if (change instanceof ExecutorSaved saved) {
      executors.put(saved.executor().supervisor(), saved.executor());
    } else if (change instanceof ExecutorRemoved removed) {
      executors.remove(removed.executorId() + "@" + removed.agentId());
    } else if (change instanceof AllReplaced all) {
      workers.clear();
      executors.clear();
      all.workers().forEach(worker -> workers.put(worker.taskId(), worker));
      all.executors().forEach(executor -> executors.put(executor.supervisor(), executor));
    }
  }

  @Override
  public void close() {}
}
