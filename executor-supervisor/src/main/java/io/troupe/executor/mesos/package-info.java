/** The edge to the Mesos agent. */
@NullMarked
package io.troupe.executor.mesos;

import org.jspecify.annotations.NullMarked;
