/**
 * What crosses a process boundary between schedulers and executors, as data only. PROTOCOL.md tells
 * the rules.
 */
@NullMarked
package io.troupe.protocol;

import org.jspecify.annotations.NullMarked;
