/** The web console. */
@NullMarked
package io.troupe.local.console;

import org.jspecify.annotations.NullMarked;
