package io.troupe.scheduler.jobs;

import io.troupe.protocol.SupervisorToScheduler;

/** What supervisors have told the node about themselves; those who watch read these. */
public sealed interface SupervisorFact {
  /** One has registered, or has done so again. */
  record Joined(SupervisorToScheduler.Register registration) implements SupervisorFact {}

  /** One has said how its workers are. */
  record Reported(SupervisorToScheduler.Report report) implements SupervisorFact {}

  /** One is no longer in the cluster. */
  record Left(String supervisor) implements SupervisorFact {}
}
