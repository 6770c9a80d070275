package io.troupe.scheduler.jobs;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import org.jspecify.annotations.Nullable;

/**
 * A job as the store keeps it. The arrays are shared, not copied: nobody may change them. Times are
 * milliseconds since 1970, 0 for what has not been.
 *
 * @param id the job's id as a number
 * @param key the client's own name for it; null when there is none
 * @param due not handed out before this time
 * @param expires not started after this time; 0 for never
 * @param state what it was when it was written; a job that was running when the scheduler ended is
 *     {@link JobState#QUEUED} unless {@code holder} says otherwise
 * @param fence number of the last attempt that is known to be over, or that {@code holder} holds
 * @param holder who is known to hold an attempt; empty when nobody is
 * @param told whether its submitter has been told of its end
 * @param keepUntil when an ended job is forgotten; 0 while it has not ended
 */
@SuppressWarnings("ArrayRecordComponent") // millions of them: no copy, no wrapper
public record StoredJob(
    long id,
    String pool,
    String function,
    ContentType type,
    byte[] payload,
    NewJob.Terms terms,
    @Nullable String key,
    long submittedAt,
    long due,
    long expires,
    JobState state,
    int fence,
    String holder,
    int started,
    int uncounted,
    long startedAt,
    long endedAt,
    String worker,
    @Nullable Cause cause,
    ContentType resultType,
    byte[] result,
    boolean told,
    long keepUntil) {

  /** Whether the payload is the name of a file. */
  boolean hasLargePayload() {
    return type.isBlob() && payload.length > 0;
  }

  /** As others see it, while it is known nowhere else. */
  JobView view() {
    return new JobView(
        JobIds.text(id),
        pool,
        function,
        state.ended() ? state : JobState.QUEUED,
        started,
        terms.attempts(),
        submittedAt,
        startedAt,
        endedAt,
        worker,
        cause);
  }
}
