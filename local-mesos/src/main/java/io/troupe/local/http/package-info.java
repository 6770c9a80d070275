/** The scheduler, executor and operator endpoints, and their error texts. */
@NullMarked
package io.troupe.local.http;

import org.jspecify.annotations.NullMarked;
