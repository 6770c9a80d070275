package io.troupe.scheduler.jobs;

import io.troupe.model.Cause;
import org.jspecify.annotations.Nullable;

/**
 * A job as others see it. Times are milliseconds since 1970, 0 for what has not been.
 *
 * @param attempt number of the attempt that runs, or of those that started; 0 before the first
 * @param attempts how many it may have
 * @param worker where its last attempt ran; empty when that is not known
 * @param cause why its last attempt did not succeed; null when none failed
 */
public record JobView(
    String id,
    String pool,
    String function,
    JobState state,
    int attempt,
    int attempts,
    long submittedAt,
    long startedAt,
    long endedAt,
    String worker,
    @Nullable Cause cause) {}
