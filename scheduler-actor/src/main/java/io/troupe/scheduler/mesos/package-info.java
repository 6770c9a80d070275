/** The edge to the Mesos master; the only package of this module that sees Mesos types. */
@NullMarked
package io.troupe.scheduler.mesos;

import org.jspecify.annotations.NullMarked;
