package io.troupe.model;

/** What a worker is doing. */
public enum WorkerState {
  /** What its process needs is being installed. */
  PREPARING,
  /** Its process has been started and has not yet said that it is ready. */
  STARTING,
  /** It waits for a job. */
  READY,
  /** It runs a job. */
  BUSY,
  /** It finishes the job it has and takes no other. */
  DRAINING,
  /** Its process ended; the next start waits for the back-off to pass. */
  BACKING_OFF,
  /** Its process has been told to end. */
  STOPPING,
  /** It ended for good, with a cause. */
  FAILED
}
