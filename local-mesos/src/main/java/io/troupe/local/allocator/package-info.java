/** Who is offered what; pure. */
@NullMarked
package io.troupe.local.allocator;

import org.jspecify.annotations.NullMarked;
