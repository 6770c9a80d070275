package io.troupe.scheduler.pool;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import io.troupe.scheduler.scaling.Backoff;
import java.time.Duration;

/**
 * {@code troupe.pool} of reference.conf.
 *
 * @param backoff the wait before ended workers of a pool are replaced
 * @param stableAfter a worker that ran so long does not make the wait longer
 * @param loadWindow a min/max pool shrinks to the highest load within it
 * @param declineFor how long offers that nobody wants are declined
 * @param reviveInterval offers are asked for at most once in it
 * @param killInterval a worker that was told to end is told again after it
 * @param answerTimeout a launched worker of which nothing is heard is asked for after it
 * @param unknownGrace how long the master may not know a task before it counts as ended
 * @param reconcileBackoff the wait before unanswered questions about tasks are asked again
 * @param reconcileInterval all tasks are asked for once in it
 * @param clusterInfoInterval executors that have not registered are told the seeds once in it
 * @param clusterInfoDelay an executor just launched may take so long before it is told
 * @param rollingPatience how long a changed pool waits for room for its new workers before it ends
 *     an old one
 * @param unreachableFor how long a worker that is out of sight is remembered
 */
public record PoolPolicy(
    Backoff backoff,
    Duration stableAfter,
    Duration loadWindow,
    Duration declineFor,
    Duration reviveInterval,
    Duration killInterval,
    Duration answerTimeout,
    Duration unknownGrace,
    Backoff reconcileBackoff,
    Duration reconcileInterval,
    Duration clusterInfoInterval,
    Duration clusterInfoDelay,
    Duration rollingPatience,
    Duration unreachableFor) {

  /** Reads the section. */
  public static PoolPolicy from(Config root) {
    Config pool = root.getConfig("troupe.pool");
    return new PoolPolicy(
        backoff(pool, "replace-backoff"),
        pool.getDuration("stable-after"),
        pool.getDuration("load-window"),
        pool.getDuration("decline-for"),
        pool.getDuration("revive-interval"),
        pool.getDuration("kill-interval"),
        pool.getDuration("answer-timeout"),
        pool.getDuration("unknown-grace"),
        backoff(pool, "reconcile-backoff"),
        pool.getDuration("reconcile-interval"),
        pool.getDuration("cluster-info-interval"),
        pool.getDuration("cluster-info-delay"),
        pool.getDuration("rolling-patience"),
        pool.getDuration("unreachable-for"));
  }

  private static Backoff backoff(Config pool, String key) {
    try {
      return new Backoff(pool.getDuration(key + ".first"), pool.getDuration(key + ".max"));
    } catch (IllegalArgumentException e) {
      throw new ConfigException.BadValue("troupe.pool." + key, e.getMessage());
    }
  }
}
