/** What the kernel tells of the processes of a machine, for the modules that look after some. */
@NullMarked
package io.troupe.os;

import org.jspecify.annotations.NullMarked;
