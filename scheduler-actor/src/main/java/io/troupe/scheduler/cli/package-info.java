/** {@code bin/troupe}: commands over the HTTP API, and the processes of a local cluster. */
@NullMarked
package io.troupe.scheduler.cli;

import org.jspecify.annotations.NullMarked;
