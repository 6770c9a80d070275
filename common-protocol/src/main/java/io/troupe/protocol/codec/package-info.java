/** Bytes to messages and back. Pure: no I/O, and chunk borders mean nothing. */
@NullMarked
package io.troupe.protocol.codec;

import org.jspecify.annotations.NullMarked;
