package io.troupe.scheduler.jobs;

/** Stands for whoever wants to hear how his jobs ended; compared by identity. */
public abstract class Submitter {
  /** How many of his jobs have not ended, as the queue counts them. */
  int open;
}
