/** Pure matching of offers to wanted workers. */
@NullMarked
package io.troupe.scheduler.offers;

import org.jspecify.annotations.NullMarked;
