/**
 * Values that every side of Troupe shares: what a pool is, what a worker is doing, why something
 * ended. Pure data.
 */
@NullMarked
package io.troupe.model;

import org.jspecify.annotations.NullMarked;
