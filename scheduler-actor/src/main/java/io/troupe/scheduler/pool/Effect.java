package io.troupe.scheduler.pool;

import io.troupe.scheduler.pool.Store.Change;
import java.util.List;
import java.util.function.Supplier;

/** What {@link Framework} wants done in the world; to be done in the given order. */
sealed interface Effect {

  /** Tell the master. */
  record Call(MasterCall call) implements Effect {}

  /** Tell all who listen. */
  record Tell(PoolFact fact) implements Effect {}

  /** Take the node out of the cluster at once. */
  record Down(String address) implements Effect {}

  /** One line for the log: something that a person should know. */
  record Warn(String message) implements Effect {}

  /**
   * Write, then go on with the effects of {@code then}; if it could not be written, of {@code
   * otherwise}. Writes happen in the order in which they were asked for.
   */
  record Save(List<Change> changes, Supplier<List<Effect>> then, Supplier<List<Effect>> otherwise)
      implements Effect {
    public Save {
      changes = List.copyOf(changes);
    }
  }
}
