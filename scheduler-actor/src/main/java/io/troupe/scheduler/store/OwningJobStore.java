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
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * A store of jobs whose large payloads belong to them before they are in it: a scheduler that dies
 * in between leaves a payload without a job, never a job without its payload.
 */
public final class OwningJobStore implements JobStore {
  private final JobStore jobs;
  private final BlobStore blobs;
  private final Executor files;

  /**
   * Done when the store has been called with all that has come: reads must see what was written.
   */
  private CompletableFuture<Void> handedOn = CompletableFuture.completedFuture(null);

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
      return inTurn(() -> jobs.write(pool, changes, ended, again));
    }
    return afterAll(() -> own(owners).orElseGet(() -> jobs.write(pool, changes, ended, again)));
  }

  /** What went wrong, if anything did. */
  private Optional<CompletionStage<Done>> own(List<StoredJob> owners) {
    try {
      for (StoredJob owner : owners) {
        blobs.belongs(BlobRef.of(owner.payload()), JobIds.text(owner.id()));
      }
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of(
          CompletableFuture.failedFuture(
              new StoreException("a large payload cannot be kept: " + e.getMessage(), e)));
    }
  }

  /** Calls the store now, or after what has yet to be handed on to it. */
  private synchronized <T> CompletionStage<T> inTurn(Supplier<CompletionStage<T>> call) {
    return handedOn.isDone() ? call.get() : afterAll(call);
  }

  private synchronized <T> CompletionStage<T> afterAll(Supplier<CompletionStage<T>> call) {
    CompletableFuture<CompletionStage<T>> called =
        handedOn.handleAsync((before, failure) -> call.get(), files);
    handedOn = called.thenAccept(answer -> {}); // which would be kept until the next call else
    return called.thenCompose(Function.identity());
  }

  @Override
  public long lastPrefix() {
    return jobs.lastPrefix();
  }

  @Override
  public CompletionStage<Opened> open(String pool, long prefix) {
    return inTurn(() -> jobs.open(pool, prefix));
  }

  @Override
  public CompletionStage<List<StoredJob>> page(
      String pool, int priority, String submitter, long after, int count, long bytes) {
    return inTurn(() -> jobs.page(pool, priority, submitter, after, count, bytes));
  }

  @Override
  public CompletionStage<Optional<StoredJob>> find(String pool, long id) {
    return inTurn(() -> jobs.find(pool, id));
  }

  @Override
  public CompletionStage<Optional<StoredJob>> withKey(String pool, String key) {
    return inTurn(() -> jobs.withKey(pool, key));
  }

  @Override
  public CompletionStage<List<StoredJob>> newest(String pool, Optional<JobState> state, int count) {
    return inTurn(() -> jobs.newest(pool, state, count));
  }

  @Override
  public CompletionStage<Integer> sweep(long now) {
    return inTurn(() -> jobs.sweep(now));
  }

  @Override
  public CompletionStage<Done> forget(String pool) {
    return inTurn(() -> jobs.forget(pool));
  }

  @Override
  public void close() {
    jobs.close();
  }
}
