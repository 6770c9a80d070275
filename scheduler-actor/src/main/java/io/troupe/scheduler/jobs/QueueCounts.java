package io.troupe.scheduler.jobs;

import io.troupe.model.Cause;
import java.util.Map;

/**
 * The numbers of one queue. Jobs by end state count every end since the queue was made; a dead job
 * that is retried is taken off again.
 *
 * @param queued jobs that wait
 * @param running jobs whose lease a supervisor holds
 * @param overtaken results that came from attempts which were no longer current, and were dropped
 * @param lostAttempts attempts that were lost and led to another one or to a dead job
 * @param bytes payloads of the jobs that have not ended
 * @param causes jobs that failed or died, by what kind of cause
 */
public record QueueCounts(
    int queued,
    int running,
    long succeeded,
    long failed,
    long cancelled,
    long dead,
    long overtaken,
    long lostAttempts,
    long bytes,
    Map<Cause.Kind, Integer> causes) {

  /** Of a queue in which nothing has happened. */
  public static final QueueCounts ZERO = new QueueCounts(0, 0, 0, 0, 0, 0, 0, 0, 0, Map.of());
}
