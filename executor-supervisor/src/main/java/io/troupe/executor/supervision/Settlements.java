package io.troupe.executor.supervision;

import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** Outcomes that the queue has not yet said it has, in numbered batches. Not thread-safe. */
final class Settlements {
  /** A batch must fit well into one message of a job line. */
  static final int MAX_BATCH_BYTES = 512 << 10;

  private static final int OUTCOME_BYTES = 128;

  /** One batch. */
  record Batch(long sequence, List<Outcome> outcomes) {}

  private final Deque<Batch> unacknowledged = new ArrayDeque<>();
  private long lastSequence;

  /** Numbers outcomes, cut into batches that can be sent. */
  List<Batch> add(List<Outcome> outcomes) {
    List<Batch> batches = new ArrayList<>(1);
    List<Outcome> current = new ArrayList<>(outcomes.size());
    int bytes = 0;
    for (Outcome outcome : outcomes) {
      int size = OUTCOME_BYTES + outcome.body().length + causeBytes(outcome);
      if (!current.isEmpty() && bytes + size > MAX_BATCH_BYTES) {
        batches.add(new Batch(++lastSequence, List.copyOf(current)));
        current.clear();
        bytes = 0;
      }
      current.add(outcome);
      bytes += size;
    }
    if (!current.isEmpty()) {
      batches.add(new Batch(++lastSequence, List.copyOf(current)));
    }
    unacknowledged.addAll(batches);
    return batches;
  }

  private static int causeBytes(Outcome outcome) {
    if (outcome.cause() == null) {
      return 0;
    }
    int bytes = outcome.cause().message().length();
    for (String line : outcome.cause().lastOutput()) {
      bytes += line.length();
    }
    return bytes;
  }

  /** The queue has all up to this sequence number. */
  void acknowledged(long upTo) {
    while (!unacknowledged.isEmpty() && unacknowledged.getFirst().sequence() <= upTo) {
      unacknowledged.removeFirst();
    }
  }

  /** What must be sent again to a queue that has never heard of it. */
  List<Batch> unacknowledged() {
    return List.copyOf(unacknowledged);
  }

  /** The attempts in it. */
  List<AttemptRef> attempts() {
    return unacknowledged.stream()
        .flatMap(batch -> batch.outcomes().stream())
        .map(Outcome::ref)
        .toList();
  }
}
