package io.troupe.executor.supervision;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * {@code troupe.executor.supervisor} of reference.conf.
 *
 * @param idleTimeout an executor without tasks for so long exits
 * @param orphanTimeout one that finds no scheduler for so long ends its workers and exits
 * @param sampleEvery how often processes are looked at and reported
 * @param reportAfter how long a change waits for others before it is reported
 * @param reportJobsEvery no sooner after a report follows another one because of jobs alone
 * @param registerEvery how often a registration is sent until it is answered
 * @param linkPatience a cluster node that finds no scheduler for so long is replaced by a new one
 * @param worker of each worker
 */
public record SupervisorSettings(
    Duration idleTimeout,
    Duration orphanTimeout,
    Duration sampleEvery,
    Duration reportAfter,
    Duration reportJobsEvery,
    Duration registerEvery,
    Duration linkPatience,
    WorkerSettings worker) {

  /** Reads them from a whole configuration. */
  public static SupervisorSettings from(Config root) {
    Config supervisor = root.getConfig("troupe.executor.supervisor");
    return new SupervisorSettings(
        supervisor.getDuration("idle-timeout"),
        supervisor.getDuration("orphan-timeout"),
        supervisor.getDuration("sample-every"),
        supervisor.getDuration("report-after"),
        supervisor.getDuration("report-jobs-every"),
        supervisor.getDuration("register-every"),
        supervisor.getDuration("link-patience"),
        WorkerSettings.from(root));
  }
}
