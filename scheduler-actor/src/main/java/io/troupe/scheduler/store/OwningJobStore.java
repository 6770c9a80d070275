package io.troupe.scheduler.store;

import akka.Done;
import io.troupe.model.BlobRef;
import io.troupe.scheduler.jobs.JobIds;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.JobStore;
import io.troupe.scheduler.jobs.StoredJob;
import io.troupe.scheduler.pool.Store.StoreException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;

/**
 * A store of jobs whose large payloads belong to them before they are in it: a scheduler that dies
 * in between leaves a payload without a job, never a job without its payload.
 */
public final class OwningJobStore implements JobStore {
  private final JobStore jobs;
  private final BlobStore blobs;
  private final Executor files;

  /**
   * @param files runs what waits for the file system
   */
  public OwningJobStore(JobStore jobs, BlobStore blobs, Executor files) {
    this.jobs = jobs;
    this.blobs = blobs;
    this.files = files;
  }

  @Override
  public CompletionStage<Done> write(
      String pool, List<Change> changes, Map<JobState, Long> ended, boolean again) {
    List<StoredJob> owners =
        changes.stream()
            .filter(change -> change.from() == Place.NONE)
            .flatMap(change -> Optional.ofNullable(change.row()).stream())
            .filter(row -> row.type().isBlob() && row.payload().length > 0)
            .toList();
    if (owners.isEmpty()) {
      return jobs.write(pool, changes, ended, again);
    }
    return CompletableFuture.runAsync(() -> owners.forEach(this::own), files)
        .thenCompose(done -> jobs.write(pool, changes, ended, again));
  }

  private void own(StoredJob owner) {
    try {
      blobs.belongs(BlobRef.of(owner.payload()), JobIds.text(owner.id()));
    } catch (IOException e) {
      throw new CompletionException(
          new StoreException("a large payload cannot be kept: " + e.getMessage(), e));
    }
  }

  @Override
  public long lastPrefix() {
    return jobs.lastPrefix();
  }

  @Override
  public CompletionStage<Opened> open(String pool, long prefix) {
    return jobs.open(pool, prefix);
  }

  @Override
  public CompletionStage<List<StoredJob>> page(
      String pool, int priority, String submitter, long after, int count, long bytes) {
    return jobs.page(pool, priority, submitter, after, count, bytes);
  }

  @Override
  public CompletionStage<Optional<StoredJob>> find(String pool, long id) {
    return jobs.find(pool, id);
  }

  @Override
  public CompletionStage<Optional<StoredJob>> withKey(String pool, String key) {
    return jobs.withKey(pool, key);
  }

  @Override
  public CompletionStage<List<StoredJob>> newest(String pool, Optional<JobState> state, int count) {
    return jobs.newest(pool, state, count);
  }

  @Override
  public CompletionStage<Integer> sweep(long now) {
    return jobs.sweep(now);
  }

  @Override
  public CompletionStage<Done> forget(String pool) {
    return jobs.forget(pool);
  }

  @Override
  public void close() {
    jobs.close();
  }
}
