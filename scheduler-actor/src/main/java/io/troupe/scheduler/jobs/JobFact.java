package io.troupe.scheduler.jobs;

/** A job has changed its state: it is now as told. */
public record JobFact(JobView job) {}
