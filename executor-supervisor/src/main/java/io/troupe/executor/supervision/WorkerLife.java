package io.troupe.executor.supervision;

import static io.troupe.model.WorkerState.BACKING_OFF;
import static io.troupe.model.WorkerState.DRAINING;
import static io.troupe.model.WorkerState.FAILED;
import static io.troupe.model.WorkerState.PREPARING;
import static io.troupe.model.WorkerState.READY;
import static io.troupe.model.WorkerState.STARTING;
import static io.troupe.model.WorkerState.STOPPING;

import io.troupe.model.WorkerState;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Which state of a worker may follow which; a worker that breaks this is a fault of Troupe. */
final class WorkerLife {

  /**
   * From one state to the next. READY stands for READY and BUSY.
   *
   * @param from null before the first start
   * @param to null for the end
   */
  record Step(@Nullable WorkerState from, @Nullable WorkerState to) {
    @Override
    public String toString() {
      return (from == null ? "(new)" : from) + " to " + (to == null ? "(gone)" : to);
    }
  }

  /** All there are. */
  static final Set<Step> STEPS =
      Set.of(
          new Step(null, STARTING),
          new Step(null, PREPARING),
          new Step(PREPARING, STARTING),
          new Step(PREPARING, BACKING_OFF),
          new Step(PREPARING, FAILED),
          new Step(PREPARING, STOPPING),
          new Step(BACKING_OFF, PREPARING),
          new Step(DRAINING, PREPARING),
          new Step(STARTING, READY),
          new Step(STARTING, BACKING_OFF),
          new Step(STARTING, FAILED),
          new Step(STARTING, STOPPING),
          new Step(READY, BACKING_OFF),
          new Step(READY, FAILED),
          new Step(READY, DRAINING),
          new Step(READY, STOPPING),
          new Step(BACKING_OFF, STARTING),
          new Step(BACKING_OFF, null),
          new Step(DRAINING, READY),
          new Step(DRAINING, STARTING),
          new Step(DRAINING, BACKING_OFF),
          new Step(DRAINING, FAILED),
          new Step(DRAINING, STOPPING),
          new Step(DRAINING, null),
          new Step(STOPPING, null),
          new Step(FAILED, null));

  private @Nullable WorkerState state;

  /**
   * Goes to the state, or stays in it.
   *
   * @param next null for the end
   * @throws IllegalStateException when it may not follow the present one
   */
  void to(@Nullable WorkerState next) {
    if (next != state && !STEPS.contains(new Step(state, next))) {
      throw new IllegalStateException("a worker does not go from " + new Step(state, next));
    }
    state = next;
  }
}
