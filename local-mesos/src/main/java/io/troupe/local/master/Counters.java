package io.troupe.local.master;

import java.util.EnumMap;
import java.util.Map;
import org.apache.mesos.v1.Protos.TaskState;

/** What the master counts since its start. Belongs to the master's thread. */
public final class Counters {

  private final Map<TaskState, Long> ended = new EnumMap<>(TaskState.class);
  private long validUpdates;
  private long invalidUpdates;

  void ended(TaskState state) {
    ended.merge(state, 1L, Long::sum);
  }

  void validUpdate() {
    validUpdates++;
  }

  void invalidUpdate() {
    invalidUpdates++;
  }

  /** How many tasks came into the state. */
  public long tasks(TaskState state) {
    return ended.getOrDefault(state, 0L);
  }

  public long validUpdates() {
    return validUpdates;
  }

  public long invalidUpdates() {
    return invalidUpdates;
  }
}
