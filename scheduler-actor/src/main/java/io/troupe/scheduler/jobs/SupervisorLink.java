package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.SchedulerToSupervisor;
import java.util.ArrayList;
import java.util.List;

/**
 * A supervisor's address and what it has yet to be told, in as few messages as possible: it is
 * thanked for outcomes, which it keeps until then, along with the next jobs. Not thread-safe.
 */
final class SupervisorLink {

  /** So many batches are thanked for without waiting. */
  private static final int THANK_AT_ONCE = 32;

  private final ActorRef<SchedulerToSupervisor> ref;
  private final JobSettings settings;
  private List<Assignment> assignments = new ArrayList<>();
  private List<AttemptRef> withdrawn = new ArrayList<>();

  /** Up to which message all outcomes have come, and up to which they are safe. */
  private long settledUpTo;

  private long safeUpTo;
  private boolean fresh = true;

  /** How many batches of outcomes have come since the last flush. */
  private int unflushed;

  /** How many are safe that it has not been thanked for. */
  private int owed;

  SupervisorLink(ActorRef<SchedulerToSupervisor> ref, JobSettings settings) {
    this.ref = ref;
    this.settings = settings;
  }

  /** Where messages go. */
  ActorRef<SchedulerToSupervisor> supervisor() {
    return ref;
  }

  /** Whether messages go there. */
  boolean leadsTo(ActorRef<SchedulerToSupervisor> other) {
    return ref.equals(other);
  }

  /** With the next message. */
  void assign(Assignment assignment) {
    assignments.add(assignment);
  }

  /** With the next message. */
  void assign(List<Assignment> more) {
    assignments.addAll(more);
  }

  /** With the next message. */
  void withdraw(AttemptRef attempt) {
    withdrawn.add(attempt);
  }

  /**
   * A batch of outcomes has come. One after a gap is taken, and thanked for when the one before it
   * has come too.
   */
  void settled(long sequence) {
    if (fresh || sequence == settledUpTo + 1) {
      settledUpTo = sequence;
      fresh = false;
    }
    unflushed++;
  }

  /** What has come since it was asked last. */
  Effects.Thanks takeThanks() {
    Effects.Thanks thanks = new Effects.Thanks(settledUpTo, unflushed);
    unflushed = 0;
    return thanks;
  }

  /** These outcomes are safe. */
  void safe(Effects.Thanks thanks) {
    safeUpTo = Math.max(safeUpTo, thanks.upTo());
    owed += thanks.batches();
  }

  /** Sends what waits, except thanks that may go with what comes soon; says whether there are. */
  boolean send() {
    if (!withdrawn.isEmpty()) {
      ref.tell(new SchedulerToSupervisor.Cancel(withdrawn));
      withdrawn = new ArrayList<>();
    }
    if (!assignments.isEmpty()) {
      for (List<Assignment> batch : cut(assignments)) {
        ref.tell(new SchedulerToSupervisor.Assign(batch, safeUpTo));
      }
      assignments = new ArrayList<>();
      owed = 0;
    } else if (owed >= THANK_AT_ONCE) {
      thank();
    }
    return owed > 0;
  }

  /** Sends thanks if some are owed. */
  void thank() {
    if (owed > 0) {
      ref.tell(new SchedulerToSupervisor.Assign(List.of(), safeUpTo));
      owed = 0;
    }
  }

  private List<List<Assignment>> cut(List<Assignment> whole) {
    List<List<Assignment>> batches = new ArrayList<>(1);
    int from = 0;
    long bytes = 0;
    for (int i = 0; i < whole.size(); i++) {
      long more = whole.get(i).payload().length;
      if (i > from && (i - from >= settings.batchJobs() || bytes + more > settings.batchBytes())) {
        batches.add(whole.subList(from, i));
        from = i;
        bytes = 0;
      }
      bytes += more;
    }
    batches.add(whole.subList(from, whole.size()));
    return batches;
  }
}
