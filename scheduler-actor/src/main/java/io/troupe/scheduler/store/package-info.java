/** What must survive a restart of the scheduler, behind one interface. */
@NullMarked
package io.troupe.scheduler.store;

import org.jspecify.annotations.NullMarked;
