package io.troupe.scheduler.pool;

/**
 * A worker as the store keeps it.
 *
 * @param taskId its id and its task's: {@code <pool>.<slot>.<launch>}
 * @param slot which of the pool's places it fills, from 0
 * @param launch number of the launch, never used twice in a store
 * @param phase how far it is
 * @param sinceMillis when it came into the phase, in milliseconds since 1970
 */
public record WorkerRecord(
    String taskId,
    String pool,
    int slot,
    long launch,
    String agentId,
    String hostname,
    String executorId,
    Phase phase,
    long sinceMillis) {

  /** The phases of a worker's life as its scheduler sees them. */
  public enum Phase {
    /** It is, or will be at once, on its way to the master; it is not known to run yet. */
    LAUNCHED,
    /** Its process has answered. */
    RUNNING,
    /** It has been told to end. */
    STOPPING,
    /** The master has lost sight of its agent: it is being replaced, and may come back. */
    UNREACHABLE
  }

  /** The record of a launch to come. */
  static WorkerRecord launched(
      String pool,
      int slot,
      long launch,
      String agentId,
      String hostname,
      String executorId,
      long now) {
    return new WorkerRecord(
        pool + "." + slot + "." + launch,
        pool,
        slot,
        launch,
        agentId,
        hostname,
        executorId,
        Phase.LAUNCHED,
        now);
  }

  /** The same worker in another phase. */
  WorkerRecord in(Phase next, long now) {
    return new WorkerRecord(taskId, pool, slot, launch, agentId, hostname, executorId, next, now);
  }

  /** What the supervisor of its executor calls itself. */
  String supervisor() {
    return ExecutorRecord.supervisor(agentId, executorId);
  }

  /** Whether it counts as one of the workers that the pool wants. */
  boolean counts() {
    return phase == Phase.LAUNCHED || phase == Phase.RUNNING;
  }
}
