/** The job queue: pull, assign, lease, settle. Pure state beside a thin actor. */
@NullMarked
package io.troupe.scheduler.jobs;

import org.jspecify.annotations.NullMarked;
