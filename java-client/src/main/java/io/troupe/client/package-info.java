/** The Java client of a scheduler: jobs as futures, maps as streams. */
@NullMarked
package io.troupe.client;

import org.jspecify.annotations.NullMarked;
