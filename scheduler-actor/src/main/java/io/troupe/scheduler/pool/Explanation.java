package io.troupe.scheduler.pool;

import io.troupe.model.Cause;
import io.troupe.scheduler.offers.Matching.Refusal;
import io.troupe.scheduler.offers.Need;
import io.troupe.scheduler.pool.SchedulerActor.PoolView;
import io.troupe.scheduler.pool.WorkerRecord.Phase;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Why a pool is as large as it is, for people. Pure. */
final class Explanation {

  private Explanation() {}

  /** All there is to say. */
  static List<String> of(Pool pool, Collection<WorkerRecord> workers, PoolView view) {
    List<String> lines = new ArrayList<>();
    lines.add(
        "wants "
            + (pool.target() == Need.ALL_THAT_FIT
                ? "all workers that fit on every agent"
                : view.wanted() + " workers")
            + "; "
            + count(workers, Phase.RUNNING)
            + " running, "
            + count(workers, Phase.LAUNCHED)
            + " starting, "
            + count(workers, Phase.STOPPING)
            + " stopping, "
            + count(workers, Phase.UNREACHABLE)
            + " out of sight");
    lines.addAll(view.waitingBecause());
    if (view.waitingBecause().isEmpty()) {
      lines.add("nothing is missing");
    }
    pool.refusals().stream()
        .map(Explanation::text)
        .filter(line -> !lines.contains(line))
        .forEach(lines::add);
    return lines;
  }

  /** One line for each reason why there are fewer workers than wanted. */
  static List<String> waitingBecause(
      Pool pool,
      Collection<WorkerRecord> workers,
      Collection<WorkerRecord> all,
      long now,
      boolean subscribed,
      String master) {
    List<String> lines = new ArrayList<>();
    if (!subscribed) {
      lines.add(
          "the scheduler is not subscribed to a Mesos master"
              + (master.isEmpty() ? "" : " (last to " + master + ")")
              + ": no offers come");
    }
    Cause last = pool.lastFailure();
    long wait = pool.waitsFor(now);
    if (wait > 0 && last != null) {
      lines.add(
          "waits another "
              + (wait + 999) / 1000
              + " s after "
              + pool.failures()
              + (pool.failures() == 1 ? " failure" : " failures")
              + " in a row; the last: "
              + last.kind()
              + " "
              + last.message());
    }
    boolean complete =
        pool.target() != Need.ALL_THAT_FIT && Pool.counting(workers) >= pool.target();
    if (!complete && wait == 0) {
      // An agent that is full is no reason to wait when the pool takes all that fits.
      pool.refusals().stream()
          .filter(refusal -> !(pool.perAgent() && hasWorkerOn(refusal.agentId(), workers)))
          .forEach(refusal -> lines.add(text(refusal)));
      if (subscribed && pool.refusals().isEmpty() && Pool.counting(workers) == 0) {
        lines.add(nothingOffered(all));
      }
    }
    return lines;
  }

  /** An agent that is full makes no offers. */
  private static String nothingOffered(Collection<WorkerRecord> all) {
    Map<String, Long> byPool =
        all.stream()
            .filter(WorkerRecord::counts)
            .collect(
                Collectors.groupingBy(WorkerRecord::pool, TreeMap::new, Collectors.counting()));
    if (byPool.isEmpty()) {
      return "no agent has offered anything yet";
    }
    String others =
        byPool.entrySet().stream()
            .map(each -> each.getValue() + " of " + each.getKey())
            .collect(Collectors.joining(", "));
    return "the agents have nothing left to offer beside the workers of other pools ("
        + others
        + "): scale one of those down, as in `troupe pool scale "
        + byPool.keySet().iterator().next()
        + " 1`, or let another machine register";
  }

  private static boolean hasWorkerOn(String agentId, Collection<WorkerRecord> workers) {
    return workers.stream().anyMatch(w -> w.agentId().equals(agentId) && w.counts());
  }

  private static String text(Refusal refusal) {
    return "agent "
        + refusal.agentId()
        + " ("
        + refusal.hostname()
        + ") offered "
        + refusal.left()
        + "; one more worker needs "
        + refusal.needed();
  }

  private static long count(Collection<WorkerRecord> workers, Phase phase) {
    return workers.stream().filter(worker -> worker.phase() == phase).count();
  }
}
