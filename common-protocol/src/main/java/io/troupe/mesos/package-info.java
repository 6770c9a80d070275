/**
 * The Mesos v1 wire, for both edges: RecordIO framing, and calls and events as protobuf or as the
 * JSON that Mesos writes. No I/O and no threads in here.
 */
@NullMarked
package io.troupe.mesos;

import org.jspecify.annotations.NullMarked;
