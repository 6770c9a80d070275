/** Frames to and from a worker's process. */
@NullMarked
package io.troupe.executor.channel;

import org.jspecify.annotations.NullMarked;
