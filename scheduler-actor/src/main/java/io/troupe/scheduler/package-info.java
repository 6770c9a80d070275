/** The scheduler node: its main, its root guardian and its settings. */
@NullMarked
package io.troupe.scheduler;

import org.jspecify.annotations.NullMarked;
