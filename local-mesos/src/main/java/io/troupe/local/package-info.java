/** The embedded Mesos: its main and its settings. */
@NullMarked
package io.troupe.local;

import org.jspecify.annotations.NullMarked;
