/** HTTP as an executor speaks it: without TLS, to its agent, its scheduler and its workers. */
@NullMarked
package io.troupe.executor.http;

import org.jspecify.annotations.NullMarked;
