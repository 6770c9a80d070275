/** The edge to the operating system: launch, signal, exit. */
@NullMarked
package io.troupe.executor.process;

import org.jspecify.annotations.NullMarked;
