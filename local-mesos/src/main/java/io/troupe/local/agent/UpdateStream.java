package io.troupe.local.agent;

import com.google.protobuf.ByteString;
import io.troupe.local.master.TaskStates;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.apache.mesos.v1.Protos.TaskStatus;

/**
 * The updates of one task that the framework has not acknowledged, in order. Only the first is on
 * its way; the pause before it is sent again doubles. One owner's thread only.
 */
final class UpdateStream {

  private final Duration first;
  private final Duration most;
  private final Deque<TaskStatus> waiting = new ArrayDeque<>();
  private final Set<ByteString> seen = new HashSet<>();
  private Duration pause;
  private boolean ended;

  UpdateStream(Duration first, Duration most) {
    this.first = first;
    this.most = most;
    this.pause = first;
  }

  /** Takes the update in; false when it is known already or the task has ended. */
  boolean add(TaskStatus status) {
    if (ended || !seen.add(status.getUuid())) {
      return false;
    }
    ended = TaskStates.isTerminal(status.getState());
    waiting.add(status);
    return true;
  }

  boolean knows(ByteString uuid) {
    return seen.contains(uuid);
  }

  /** The update that is to be on its way. */
  Optional<TaskStatus> head() {
    return Optional.ofNullable(waiting.peek());
  }

  boolean isHead(ByteString uuid) {
    return head().filter(status -> status.getUuid().equals(uuid)).isPresent();
  }

  /** The head is acknowledged; the next one, if any, takes its place. */
  TaskStatus acknowledge() {
    pause = first;
    return waiting.remove();
  }

  /** Whether the last word was said and acknowledged. */
  boolean finished() {
    return ended && waiting.isEmpty();
  }

  /** How long to wait before the head is sent (again) after now. */
  Duration nextPause() {
    Duration next = pause;
    Duration doubled = pause.multipliedBy(2);
    pause = doubled.compareTo(most) > 0 ? most : doubled;
    return next;
  }

  /** The framework is there again: waiting starts anew. */
  void resume() {
    pause = first;
  }
}
