/** Frameworks, agents, tasks, offers: state and rules. */
@NullMarked
package io.troupe.local.master;

import org.jspecify.annotations.NullMarked;
