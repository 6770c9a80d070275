/** One actor a worker: life cycle, back-off, and the supervisor above them. */
@NullMarked
package io.troupe.executor.supervision;

import org.jspecify.annotations.NullMarked;
