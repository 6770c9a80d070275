package io.troupe.scheduler.jobs;

import akka.Done;
import io.troupe.scheduler.pool.Store.StoreException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Where jobs are kept that must outlive the scheduler process. No call blocks; what the calls ask
 * for is done one after the other, in the order in which they came, so that a read sees all that
 * was written before it. A stage that fails does so with a {@link StoreException}, whose message is
 * one line that says what is wrong, and nothing of what it asked for was done, as far as anybody
 * can tell. Thread-safe.
 */
public interface JobStore extends AutoCloseable {

  /** Where payloads are that are too large for a row. */
  interface Payloads {
    /** From now on the job's payload is its own. Blocks for as long as the file system takes. */
    void giveTo(StoredJob job) throws IOException;

    /**
     * Gives theirs to those that are new. Done before they are stored: who dies in between leaves a
     * payload without a job, never a job without its payload.
     */
    default void giveToNew(List<Change> changes) {
      for (Change change : changes) {
        StoredJob row = change.row();
        if (change.from() == Place.NONE && row != null && row.hasLargePayload()) {
          try {
            giveTo(row);
          } catch (IOException e) {
            throw new StoreException("a large payload cannot be kept: " + e.getMessage(), e);
          }
        }
      }
    }
  }

  /** Where a job's row is. */
  enum Place {
    /** Nowhere. */
    NONE,
    /** Among those that have not ended. */
    LIVE,
    /** Among those that have. */
    ENDED
  }

  /**
   * What becomes of one job's row.
   *
   * @param id the job
   * @param from where the row is before
   * @param row the row as it shall be; null to remove it
   * @param key the key that is to be forgotten with the row; null when there is none
   */
  record Change(long id, Place from, @Nullable StoredJob row, @Nullable String key) {
    Place to() {
      if (row == null) {
        return Place.NONE;
      }
      return row.state().ended() ? Place.ENDED : Place.LIVE;
    }
  }

  /**
   * Jobs of one priority and submitter that wait in the store.
   *
   * @param jobs how many
   */
  record Lane(int priority, String submitter, long jobs) {}

  /**
   * What a pool's queue finds when it is opened.
   *
   * @param epoch counts the scheduler processes that have opened this store, from 1
   * @param prefixes of all ids that jobs of this pool may have
   * @param lanes all jobs that have not ended
   * @param held those of them of which is known who holds them
   * @param ended how many jobs have ended in which state, ever
   */
  record Opened(
      int epoch,
      List<Long> prefixes,
      List<Lane> lanes,
      List<StoredJob> held,
      Map<JobState, Long> ended) {
    public Opened {
      prefixes = List.copyOf(prefixes);
      lanes = List.copyOf(lanes);
      held = List.copyOf(held);
      ended = Map.copyOf(ended);
    }
  }

  /** The highest prefix of job ids that any queue has had; 0 when none had. Blocks. */
  long lastPrefix();

  /** Takes note of a queue's prefix, and says what there is of its pool. */
  CompletionStage<Opened> open(String pool, long prefix);

  /**
   * Writes all of it, durably, or nothing.
   *
   * @param ended how many jobs have ended in which state, to be kept in place of the last numbers;
   *     states that are missing keep theirs
   * @param again whether this was tried before, so that it may have been done
   */
  CompletionStage<Done> write(
      String pool, List<Change> changes, Map<JobState, Long> ended, boolean again);

  /**
   * The next jobs of a lane, in the order of their ids.
   *
   * @param after only ids above it
   * @param bytes no more once the payloads are so many bytes
   */
  CompletionStage<List<StoredJob>> page(
      String pool, int priority, String submitter, long after, int jobs, long bytes);

  /** The job of this id. */
  CompletionStage<Optional<StoredJob>> find(String pool, long id);

  /** The job of this key. */
  CompletionStage<Optional<StoredJob>> withKey(String pool, String key);

  /** The jobs that have the highest ids, the highest first. */
  CompletionStage<List<StoredJob>> newest(String pool, Optional<JobState> state, int jobs);

  /**
   * Forgets ended jobs of any pool whose time is over, looking at some of them in turn.
   *
   * @return how many were forgotten
   */
  CompletionStage<Integer> sweep(long now);

  /** Forgets all of a pool's jobs. */
  CompletionStage<Done> forget(String pool);

  /** Does what has been asked for, and takes no more. Blocks for seconds at most. */
  @Override
  void close();
}
