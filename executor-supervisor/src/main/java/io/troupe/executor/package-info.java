/** The executor: its main and its settings. */
@NullMarked
package io.troupe.executor;

import org.jspecify.annotations.NullMarked;
