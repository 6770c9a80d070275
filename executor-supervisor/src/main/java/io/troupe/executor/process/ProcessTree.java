package io.troupe.executor.process;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * All that a worker's process has started, whether it stayed in the session or left it: found by
 * the session and by a mark in the environment, which children inherit.
 *
 * @param session id of the session that the worker's process leads
 * @param mark NAME=value
 */
record ProcessTree(long session, String mark) {
  private static final int MAX_SCANS = 200;
  private static final Duration BETWEEN_SCANS = Duration.ofMillis(5);

  /** All that live now. */
  List<ProcessHandle> members() {
    return ProcessTable.members(session, mark);
  }

  /** SIGTERM to all. */
  void terminate() {
    members().forEach(ProcessHandle::destroy);
  }

  /** SIGKILL to all, once. */
  void kill() {
    members().forEach(ProcessHandle::destroyForcibly);
  }

  /**
   * SIGKILL until none is left, as a fork may slip past one scan; blocks for some milliseconds, at
   * most a second.
   */
  void sweep() {
    for (int scan = 0; scan < MAX_SCANS; scan++) {
      List<ProcessHandle> left = members();
      if (left.isEmpty()) {
        return;
      }
      left.forEach(ProcessHandle::destroyForcibly);
      LockSupport.parkNanos(BETWEEN_SCANS.toNanos());
    }
  }
}
