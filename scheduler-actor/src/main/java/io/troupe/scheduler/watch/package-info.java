/** Facts in, actor tree out: the management routes and the web page. */
@NullMarked
package io.troupe.scheduler.watch;

import org.jspecify.annotations.NullMarked;
