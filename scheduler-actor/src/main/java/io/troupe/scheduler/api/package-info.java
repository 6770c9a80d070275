/** The HTTP API for pools and jobs: routes and JSON, nothing else. */
@NullMarked
package io.troupe.scheduler.api;

import org.jspecify.annotations.NullMarked;
