package io.troupe.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.CompletableFuture;

/** A job that the scheduler has accepted. Thread-safe. */
public final class Job<R> {
  private final TroupeClient client;
  private final String id;
  private final Class<R> type;

  Job(TroupeClient client, String id, Class<R> type) {
    this.client = client;
    this.id = id;
    this.type = type;
  }

  /** Its id, with which any client finds it again. */
  public String id() {
    return id;
  }

  /**
   * Completes when the job has ended: with its result, or a {@link JobFailedException}, or an
   * {@link UnreachableException} when the scheduler is away for too long. Cancelling it only ends
   * the waiting.
   */
  public CompletableFuture<R> result() {
    return client.results().of(id, type);
  }

  /** The job as the API tells it: state, attempt, worker, cause and more. */
  public JsonNode status() {
    return client.status(id);
  }

  /**
   * Cancels it, also while it runs.
   *
   * @return false when it had ended otherwise
   */
  public boolean cancel() {
    return client.cancel(id);
  }
}
