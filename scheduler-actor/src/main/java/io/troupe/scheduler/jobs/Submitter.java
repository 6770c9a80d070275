package io.troupe.scheduler.jobs;

/** Stands for whoever wants to hear how his jobs ended; compared by identity. */
public interface Submitter {}
