/** Executors, sandboxes, the fetcher, status update streams. */
@NullMarked
package io.troupe.local.agent;

import org.jspecify.annotations.NullMarked;
