package io.troupe.scheduler.jobs;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import org.jspecify.annotations.Nullable;

/**
 * How a job ended. The array is shared, not copied: nobody may change it.
 *
 * @param index the submitter's own number for the job
 * @param state an {@linkplain JobState#ended() ended} one
 * @param body the result of a job that succeeded; empty otherwise
 * @param cause why it did not succeed; null when it did
 */
@SuppressWarnings("ArrayRecordComponent") // millions of them: no copy, no wrapper
public record JobEnd(
    long index, String id, JobState state, ContentType type, byte[] body, @Nullable Cause cause) {}
