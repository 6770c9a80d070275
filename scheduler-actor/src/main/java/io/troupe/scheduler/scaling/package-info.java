/** Pure policy: load in, wanted size out. */
@NullMarked
package io.troupe.scheduler.scaling;

import org.jspecify.annotations.NullMarked;
