/** Timers of actors, for the modules that have some. */
@NullMarked
package io.troupe.timers;

import org.jspecify.annotations.NullMarked;
