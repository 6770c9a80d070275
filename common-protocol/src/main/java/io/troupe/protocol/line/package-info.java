/**
 * The job line: one TCP connection between a job queue and a supervisor, over which jobs go out and
 * outcomes come back. Jobs do not go through the Akka cluster's own connections: those take a
 * message through six actors and streams and three threads on its way, which is half of the time
 * that a job takes altogether. The cluster still says who is there; its messages carry the token
 * that opens a line. Messages may be lost with their connection: what is sent again, and when, is
 * the matter of those that speak.
 */
@NullMarked
package io.troupe.protocol.line;

import org.jspecify.annotations.NullMarked;
