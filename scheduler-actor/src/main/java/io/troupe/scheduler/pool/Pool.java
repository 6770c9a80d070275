package io.troupe.scheduler.pool;

import io.troupe.model.Cause;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.scheduler.offers.Amount;
import io.troupe.scheduler.offers.Matching.Refusal;
import io.troupe.scheduler.offers.Need;
import io.troupe.scheduler.scaling.LoadWindow;
import java.time.Duration;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What is known of one pool beside its workers, and what it wants of them. Times in milliseconds of
 * any clock. Not thread-safe.
 */
final class Pool {
  private PoolSpec spec;
  private ExecutorPlan plan;
  private boolean draining;
  private LoadWindow load;
  private final Map<Cause.Kind, Integer> causes = new EnumMap<>(Cause.Kind.class);

  private int failures;
  private long waitsUntil;
  private int unreplaced;
  private @Nullable Cause lastFailure;
  private List<Refusal> refusals = List.of();
  private PoolFact.@Nullable PoolMeasured told;

  Pool(PoolSpec spec, ExecutorPlan plan, boolean draining, Duration loadWindow) {
    this.spec = spec;
    this.plan = plan;
    this.draining = draining;
    this.load = LoadWindow.of(loadWindow);
  }

  PoolSpec spec() {
    return spec;
  }

  ExecutorPlan plan() {
    return plan;
  }

  boolean draining() {
    return draining;
  }

  int failures() {
    return failures;
  }

  @Nullable Cause lastFailure() {
    return lastFailure;
  }

  List<Refusal> refusals() {
    return refusals;
  }

  void refused(List<Refusal> latest) {
    refusals = List.copyOf(latest);
  }

  /** The pool is told anew what to be; what it failed at before says nothing about that. */
  void change(PoolSpec newSpec, ExecutorPlan newPlan, boolean nowDraining) {
    if (!newPlan.equals(plan)) {
      failures = 0;
      waitsUntil = 0;
      unreplaced = 0;
      refusals = List.of();
    }
    spec = newSpec;
    plan = newPlan;
    draining = nowDraining;
  }

  void loaded(long now, int jobs) {
    load = load.plus(now, jobs);
  }

  /**
   * A worker ended.
   *
   * @param ranForMillis how long it had run; 0 if it never did
   */
  void ended(long now, Verdict verdict, long ranForMillis, PoolPolicy policy) {
    causes.merge(verdict.cause().kind(), 1, Integer::sum);
    if (!verdict.counts()) {
      return;
    }
    unreplaced++;
    lastFailure = verdict.cause();
    if (ranForMillis >= policy.stableAfter().toMillis()) {
      failures = 0;
    }
    // Workers that fall together, as those of one executor do, are one failure.
    if (now >= waitsUntil) {
      failures++;
      waitsUntil = now + policy.backoff().after(failures).toMillis();
    }
  }

  /** A worker has run for so long that what failed before is over. */
  void stable() {
    failures = 0;
  }

  /** The pool has taken of the latest offers what it could use. */
  void offered() {
    unreplaced = 0;
  }

  /** How long the pool still waits before it tries again, in milliseconds; 0 when it does not. */
  long waitsFor(long now) {
    return Math.max(0, waitsUntil - now);
  }

  boolean perAgent() {
    return spec.size() instanceof PoolSize.PerAgent;
  }

  /** The number of workers it should have; {@link Need#ALL_THAT_FIT} for as many as possible. */
  int target() {
    if (draining) {
      return 0;
    }
    if (spec.size() instanceof PoolSize.Fixed fixed) {
      return fixed.workers();
    }
    if (spec.size() instanceof PoolSize.Range range) {
      return load.wanted(range, spec.serving().concurrency());
    }
    return Need.ALL_THAT_FIT;
  }

  /**
   * The same as a number for people: a pool that takes all that fits wants what it has and lost.
   */
  int wanted(Collection<WorkerRecord> workers) {
    int target = target();
    return target == Need.ALL_THAT_FIT ? counting(workers) + unreplaced : target;
  }

  static int counting(Collection<WorkerRecord> workers) {
    return (int) workers.stream().filter(WorkerRecord::counts).count();
  }

  static int running(Collection<WorkerRecord> workers) {
    return (int) workers.stream().filter(w -> w.phase() == WorkerRecord.Phase.RUNNING).count();
  }

  boolean isCurrent(WorkerRecord worker) {
    return plan.owns(worker.executorId());
  }

  /** How far its workers are what its spec says. */
  SchedulerActor.Rollout rollout(Collection<WorkerRecord> workers) {
    List<WorkerRecord> current = workers.stream().filter(this::isCurrent).toList();
    return new SchedulerActor.Rollout(
        running(current),
        counting(workers) - counting(current),
        failures == 0 || lastFailure == null
            ? ""
            : lastFailure.kind() + " " + lastFailure.message());
  }

  /**
   * What it wants of the next offers.
   *
   * @param executors the ids of those that its next workers run in, by agent id
   */
  Need need(
      long now,
      Collection<WorkerRecord> workers,
      Map<String, String> executors,
      Set<String> notOn) {
    Map<String, Integer> onAgents = new HashMap<>();
    workers.stream()
        .filter(WorkerRecord::counts)
        .forEach(w -> onAgents.merge(w.agentId(), 1, Integer::sum));
    return new Need(
        spec.name(),
        executors,
        Amount.of(spec.resources()),
        plan.amount(),
        missing(now, workers),
        onAgents,
        notOn);
  }

  int missing(long now, Collection<WorkerRecord> workers) {
    int target = target();
    if (target == 0 || waitsFor(now) > 0) {
      return 0;
    }
    if (target == Need.ALL_THAT_FIT) {
      return Need.ALL_THAT_FIT;
    }
    int current = (int) workers.stream().filter(w -> w.counts() && isCurrent(w)).count();
    // While a changed pool is rolled over, new workers start before old ones end, a few at a time.
    int atMost = target + (current == counting(workers) ? 0 : surge());
    return Math.max(0, Math.min(target - current, atMost - counting(workers)));
  }

  /** How many workers more than wanted there may be while a changed pool is rolled over. */
  int surge() {
    return Math.max(1, target() / 4);
  }

  Map<String, Integer> causes() {
    Map<String, Integer> byName = new TreeMap<>();
    causes.forEach((kind, count) -> byName.put(kind.name(), count));
    return byName;
  }

  /** The measurement, unless it has been told already. */
  @Nullable PoolFact measure(Collection<WorkerRecord> workers) {
    PoolFact.PoolMeasured measured = measured(workers);
    if (measured.equals(told)) {
      return null;
    }
    told = measured;
    return measured;
  }

  PoolFact.PoolMeasured measured(Collection<WorkerRecord> workers) {
    return new PoolFact.PoolMeasured(spec.name(), wanted(workers), running(workers), causes());
  }
}
