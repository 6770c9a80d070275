/** Makes the real pool equal the wanted pool: launches, replaces, drains, reconciles. */
@NullMarked
package io.troupe.scheduler.pool;

import org.jspecify.annotations.NullMarked;
