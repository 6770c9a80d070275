package io.troupe.scheduler.pool;

import io.troupe.scheduler.offers.Amount;
import io.troupe.scheduler.offers.Need;
import io.troupe.scheduler.pool.WorkerRecord.Phase;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Which workers of a pool are too many, or must make room for newer ones. Pure. */
final class Surplus {

  private Surplus() {}

  /**
   * The workers to end now.
   *
   * @param workers all of the pool, in whatever phase
   * @param quietMillis how long nothing has changed in the pool
   */
  static List<WorkerRecord> of(
      Pool pool, Collection<WorkerRecord> workers, long now, long quietMillis, PoolPolicy policy) {
    List<WorkerRecord> counting = workers.stream().filter(WorkerRecord::counts).toList();
    List<WorkerRecord> current = counting.stream().filter(pool::isCurrent).toList();
    List<WorkerRecord> old = counting.stream().filter(w -> !pool.isCurrent(w)).toList();
    int target = pool.target();
    if (target == 0) {
      return counting;
    }
    List<WorkerRecord> ending = new ArrayList<>();
    if (target != Need.ALL_THAT_FIT) {
      ending.addAll(pick(current, current.size() - target));
      int newRunning = Pool.running(current);
      int oldToKeep = Math.max(0, target - newRunning);
      int room = target + pool.surge() - Math.min(target, current.size());
      ending.addAll(pick(old, old.size() - Math.min(oldToKeep, room)));
    }
    boolean roomNeeded = current.size() < target && pool.waitsFor(now) == 0;
    if (ending.isEmpty() && !old.isEmpty() && roomNeeded) {
      ending.addAll(makeRoom(pool, workers, old, quietMillis, policy));
    }
    return ending;
  }

  /**
   * Some old workers of one agent, where nothing else is going on, so that a new one fits there.
   */
  private static List<WorkerRecord> makeRoom(
      Pool pool,
      Collection<WorkerRecord> workers,
      List<WorkerRecord> old,
      long quietMillis,
      PoolPolicy policy) {
    Map<String, List<WorkerRecord>> byAgent =
        old.stream().collect(Collectors.groupingBy(WorkerRecord::agentId));
    boolean patient = quietMillis < policy.rollingPatience().toMillis();
    boolean busyAnywhere = workers.stream().anyMatch(Surplus::onItsWay);
    for (Map.Entry<String, List<WorkerRecord>> agent : byAgent.entrySet()) {
      boolean newRuns =
          workers.stream()
              .anyMatch(
                  w ->
                      pool.isCurrent(w)
                          && w.phase() == Phase.RUNNING
                          && w.agentId().equals(agent.getKey()));
      boolean busyHere =
          workers.stream().anyMatch(w -> w.agentId().equals(agent.getKey()) && onItsWay(w));
      if ((pool.perAgent() && newRuns && !busyHere) || (!patient && !busyAnywhere)) {
        return pick(agent.getValue(), roomFor(pool, agent.getKey(), agent.getValue().size()));
      }
    }
    return List.of();
  }

  private static boolean onItsWay(WorkerRecord worker) {
    return worker.phase() == Phase.LAUNCHED || worker.phase() == Phase.STOPPING;
  }

  /** How many of the pool's workers on the agent take at least what one more was short of. */
  private static int roomFor(Pool pool, String agentId, int old) {
    Amount worker = Amount.of(pool.spec().resources());
    long shortOf =
        pool.refusals().stream()
            .filter(refusal -> refusal.agentId().equals(agentId))
            .mapToLong(
                refusal ->
                    Math.max(
                        shares(
                            refusal.needed().cpuMillis() - refusal.left().cpuMillis(),
                            worker.cpuMillis()),
                        shares(
                            refusal.needed().memMillis() - refusal.left().memMillis(),
                            worker.memMillis())))
            .max()
            .orElse(1);
    return (int) Math.max(Math.max(1, shortOf), old / 4);
  }

  private static long shares(long whole, long part) {
    return part <= 0 || whole <= 0 ? 0 : (whole + part - 1) / part;
  }

  /** Those that do not run yet first, then from the agents that have most, newest first. */
  private static List<WorkerRecord> pick(List<WorkerRecord> from, int count) {
    List<WorkerRecord> left = new ArrayList<>(from);
    List<WorkerRecord> picked = new ArrayList<>();
    while (picked.size() < count && !left.isEmpty()) {
      Map<String, Integer> onAgent = new HashMap<>();
      left.forEach(w -> onAgent.merge(w.agentId(), 1, Integer::sum));
      Comparator<WorkerRecord> first =
          Comparator.comparing((WorkerRecord w) -> w.phase() == Phase.RUNNING)
              .thenComparing(w -> -onAgent.getOrDefault(w.agentId(), 0))
              .thenComparing(w -> -w.launch());
      WorkerRecord next = left.stream().min(first).orElseThrow();
      left.remove(next);
      picked.add(next);
    }
    return picked;
  }
}
