package io.troupe.executor.supervision;

import io.troupe.model.Cause;
import io.troupe.model.WorkerState;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.WorkerStatus.ProcessStatus;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a worker tells its supervisor. */
sealed interface WorkerFact {
  /** The worker's id. */
  String worker();

  /**
   * How it is now. READY stands for READY and BUSY: the supervisor knows the jobs.
   *
   * @param cause why its process ended last; null when it never did
   * @param process null while there is none
   * @param server the process itself, to be looked at; null while there is none
   */
  record Changed(
      String worker,
      WorkerState state,
      int restarts,
      @Nullable Cause cause,
      @Nullable ProcessStatus process,
      @Nullable ServerProcess server)
      implements WorkerFact {}

  /**
   * What has become of jobs that it was given.
   *
   * @param outcomes how some have ended
   * @param returned others, which its process has given back as they wait behind a long one
   */
  record Settled(String worker, List<Outcome> outcomes, List<Assignment> returned)
      implements WorkerFact {

    Settled(String worker, List<Outcome> outcomes) {
      this(worker, outcomes, List.of());
    }
  }

  /**
   * It is over; the last fact.
   *
   * @param asked whether it was told to stop, rather than gave up
   */
  record Ended(String worker, boolean asked, Cause cause) implements WorkerFact {}
}
