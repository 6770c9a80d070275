package io.troupe.scheduler.pool;

import io.troupe.model.Cause;
import io.troupe.model.Cause.Kind;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.WireMessage;
import io.troupe.protocol.codec.TaskDataCodec;
import io.troupe.scheduler.offers.Matching;
import io.troupe.scheduler.offers.Matching.Refusal;
import io.troupe.scheduler.offers.Need;
import io.troupe.scheduler.offers.Offer;
import io.troupe.scheduler.offers.Placement;
import io.troupe.scheduler.pool.PoolFact.FrameworkState;
import io.troupe.scheduler.pool.SchedulerActor.AgentView;
import io.troupe.scheduler.pool.SchedulerActor.Answer;
import io.troupe.scheduler.pool.SchedulerActor.Done;
import io.troupe.scheduler.pool.SchedulerActor.Explained;
import io.troupe.scheduler.pool.SchedulerActor.PoolView;
import io.troupe.scheduler.pool.SchedulerActor.Reason;
import io.troupe.scheduler.pool.SchedulerActor.Refused;
import io.troupe.scheduler.pool.Store.Change;
import io.troupe.scheduler.pool.Store.Saved;
import io.troupe.scheduler.pool.Store.SavedPool;
import io.troupe.scheduler.pool.WorkerRecord.Phase;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * All that the scheduler knows of its framework, and every decision it takes: events in, {@link
 * Effect}s out. No actor, clock, thread or log in here; {@code now} is in milliseconds since 1970.
 * Not thread-safe: effects' continuations must run on the thread that calls the methods.
 */
final class Framework {
  private final ExecutorSettings executorSettings;
  private final PoolPolicy policy;
  private final ClusterInfo cluster;
  private final String filesUrl;

  private Optional<String> frameworkId;
  private String master = "";
  private FrameworkState state = FrameworkState.DISCONNECTED;
  private boolean suppressed;
  private boolean reviveWanted;
  private boolean storeBehind;
  private long subscribedAt;
  private long lastRevive;
  private long lastLaunch;
  private long lastClusterInfo;

  private final Map<String, Pool> pools = new TreeMap<>();
  private final Map<String, PoolSpec> beingSaved = new HashMap<>();
  private final Map<String, WorkerRecord> workers = new LinkedHashMap<>();
  private final Map<String, ExecutorRecord> executors = new TreeMap<>();

  /** Supervisors of executors that end: what is launched into them would be dropped. */
  private final Set<String> ending = new HashSet<>();

  private final Map<String, Agent> agents = new TreeMap<>();
  private final Map<String, String> supervisors = new HashMap<>();
  private final Map<String, Long> launchedExecutors = new HashMap<>();
  private final Map<String, Long> lastChange = new HashMap<>();
  private final Map<String, Integer> lastMissing = new HashMap<>();
  private final Map<String, Long> lastKill = new HashMap<>();
  private final List<Offer> heldOffers = new ArrayList<>();
  private final Reconciliation reconciliation;

  private record Agent(String hostname, boolean lost) {}

  Framework(
      Saved saved,
      ExecutorSettings executorSettings,
      PoolPolicy policy,
      ClusterInfo cluster,
      String filesUrl) {
    this.executorSettings = executorSettings;
    this.policy = policy;
    this.cluster = cluster;
    this.filesUrl = filesUrl;
    this.frameworkId = saved.frameworkId();
    this.lastLaunch = saved.lastLaunch();
    this.reconciliation = new Reconciliation(policy.reconcileBackoff(), policy.reconcileInterval());
    saved.pools().forEach(pool -> pools.put(pool.spec().name(), poolOf(pool)));
    saved.workers().forEach(worker -> workers.put(worker.taskId(), worker));
    saved.executors().forEach(executor -> executors.put(executor.supervisor(), executor));
    saved
        .workers()
        .forEach(worker -> agents.put(worker.agentId(), new Agent(worker.hostname(), false)));
  }

  private Pool poolOf(SavedPool saved) {
    return new Pool(
        saved.spec(),
        ExecutorPlan.of(saved.spec(), executorSettings),
        saved.draining(),
        policy.loadWindow());
  }

  // ---- the connection

  /** A master can be reached. */
  List<Effect> connected(long now) {
    if (state == FrameworkState.REMOVED || state == FrameworkState.FAILED_OVER) {
      return List.of();
    }
    List<Effect> effects = new ArrayList<>(disconnected());
    suppressed = !wantsOffers(now);
    effects.add(new Effect.Call(new MasterCall.Subscribe(frameworkId, suppressed)));
    return effects;
  }

  /** The connection is lost. */
  List<Effect> disconnected() {
    heldOffers.clear();
    if (state != FrameworkState.SUBSCRIBED) {
      return List.of();
    }
    state = FrameworkState.DISCONNECTED;
    return List.of(frameworkChanged());
  }

  /** The framework is subscribed; its id is stored before anything else happens. */
  List<Effect> subscribed(long now, String id, String leadingMaster) {
    master = leadingMaster;
    heldOffers.clear();
    if (frameworkId.equals(Optional.of(id))) {
      return begin(now);
    }
    return List.of(
        new Effect.Save(
            List.of(new Store.FrameworkKnown(id)),
            () -> {
              frameworkId = Optional.of(id);
              return begin(now);
            },
            () ->
                List.of(
                    new Effect.Warn(
                        "the framework's id could not be stored: no offer is used until it is"),
                    new Effect.Call(new MasterCall.Reconnect()))));
  }

  private List<Effect> begin(long now) {
    state = FrameworkState.SUBSCRIBED;
    subscribedAt = now;
    if (!suppressed) {
      // A subscription asks for offers, too.
      lastRevive = now;
    }
    lastKill.clear();
    lastClusterInfo = 0;
    Map<String, String> inQuestion = new HashMap<>();
    workers.values().forEach(worker -> inQuestion.put(worker.taskId(), worker.agentId()));
    reconciliation.restart(now, inQuestion);
    pools.values().forEach(pool -> pool.refused(List.of()));
    List<Effect> effects = new ArrayList<>();
    effects.add(frameworkChanged());
    List<Offer> held = List.copyOf(heldOffers);
    heldOffers.clear();
    effects.addAll(tick(now));
    effects.addAll(offered(now, held));
    return effects;
  }

  /** The master refuses the framework, in these words. */
  List<Effect> failed(String message) {
    List<Effect> effects = new ArrayList<>();
    if (message.contains("Framework failed over")) {
      state = FrameworkState.FAILED_OVER;
      effects.add(
          new Effect.Warn(
              "another scheduler has taken this framework over; this one has stepped down and runs"
                  + " nothing any more"));
      effects.add(new Effect.Call(new MasterCall.Leave()));
    } else if (message.contains("Framework has been removed")) {
      state = FrameworkState.REMOVED;
      effects.add(
          new Effect.Warn(
              "the master has removed this framework (a teardown, or it was away for longer than"
                  + " troupe.mesos.failover-timeout), and every worker with it: start the"
                  + " scheduler with --new-framework to go on with a new one"));
      effects.add(new Effect.Call(new MasterCall.Leave()));
    } else {
      state = FrameworkState.DISCONNECTED;
      effects.add(new Effect.Warn("the master refuses this framework: " + message));
    }
    heldOffers.clear();
    effects.add(frameworkChanged());
    return effects;
  }

  private Effect frameworkChanged() {
    return new Effect.Tell(new PoolFact.FrameworkChanged(frameworkId, master, state));
  }

  // ---- offers

  /** Offers came: each is used or declined at once. */
  List<Effect> offered(long now, List<Offer> offers) {
    if (state != FrameworkState.SUBSCRIBED) {
      heldOffers.addAll(offers);
      return List.of();
    }
    List<Effect> effects = new ArrayList<>();
    offers.forEach(offer -> effects.addAll(seen(now, offer)));
    List<Need> needs = needs(now, offers);
    Matching matching = Matching.of(needs, offers);
    remember(needs, matching.refusals());
    Map<String, List<Placement>> byOffer =
        matching.placements().stream()
            .collect(Collectors.groupingBy(placement -> placement.offer().id()));
    Set<String> inDoubt =
        needs.stream().flatMap(need -> need.notOn().stream()).collect(Collectors.toSet());
    List<String> unused = new ArrayList<>();
    List<String> later = new ArrayList<>();
    for (Offer offer : offers) {
      List<Placement> placements = byOffer.get(offer.id());
      if (placements == null) {
        (inDoubt.contains(offer.agentId()) ? later : unused).add(offer.id());
      } else {
        effects.add(launch(now, offer, placements));
      }
    }
    if (!unused.isEmpty()) {
      effects.add(new Effect.Call(new MasterCall.Decline(unused, policy.declineFor())));
    }
    if (!later.isEmpty()) {
      effects.add(
          new Effect.Call(new MasterCall.Decline(later, policy.reconcileBackoff().first())));
    }
    effects.addAll(adjust(now));
    return effects;
  }

  /** The offer is gone; what was launched on it comes back as dropped. */
  List<Effect> rescinded(String offerId) {
    heldOffers.removeIf(offer -> offer.id().equals(offerId));
    return List.of();
  }

  private List<Need> needs(long now, List<Offer> offers) {
    return pools.values().stream()
        .map(
            pool -> {
              Map<String, String> current = new HashMap<>();
              executorsOf(pool.plan())
                  .forEach((agentId, executor) -> current.put(agentId, executor.executorId()));
              return pool.need(now, workersOf(pool), current, inDoubt(current, offers));
            })
        .filter(need -> need.missing() > 0)
        .toList();
  }

  /** The executor on each agent that the next workers run in, by agent id. */
  private Map<String, ExecutorRecord> executorsOf(ExecutorPlan plan) {
    return executors.values().stream()
        .filter(executor -> plan.owns(executor.executorId()))
        .filter(executor -> !ending.contains(executor.supervisor()))
        .collect(
            // Of two, which one ends was forgotten with a scheduler before; who is asked will tell.
            Collectors.toMap(ExecutorRecord::agentId, executor -> executor, (one, other) -> other));
  }

  /**
   * Agents that offer as if an executor were not there of which we know workers: it has just ended,
   * and its resources would have to be charged again, or it has just started. Soon we know.
   */
  private static Set<String> inDoubt(Map<String, String> current, List<Offer> offers) {
    return offers.stream()
        .filter(offer -> current.containsKey(offer.agentId()))
        .filter(offer -> !offer.executorIds().contains(current.get(offer.agentId())))
        .map(Offer::agentId)
        .collect(Collectors.toSet());
  }

  private void remember(List<Need> needs, List<Refusal> refusals) {
    for (Need need : needs) {
      Pool pool = pools.get(need.pool());
      if (pool != null) {
        Map<String, Refusal> byAgent = new TreeMap<>();
        pool.refusals().forEach(refusal -> byAgent.put(refusal.agentId(), refusal));
        refusals.stream()
            .filter(refusal -> refusal.pool().equals(need.pool()))
            .forEach(refusal -> byAgent.put(refusal.agentId(), refusal));
        pool.refused(List.copyOf(byAgent.values()));
        pool.offered();
      }
    }
  }

  /** An offer tells which agents there are, and which of our executors they still have. */
  private List<Effect> seen(long now, Offer offer) {
    List<Effect> effects = new ArrayList<>();
    for (WorkerRecord worker : workers.values()) {
      boolean executorGone =
          executors.containsKey(worker.supervisor())
              && !offer.executorIds().contains(worker.executorId());
      boolean back = worker.phase() == Phase.UNREACHABLE;
      if (worker.agentId().equals(offer.agentId()) && (executorGone || back)) {
        reconciliation.doubt(now, worker.taskId(), worker.agentId());
      }
    }
    Agent known = agents.put(offer.agentId(), new Agent(offer.hostname(), false));
    if (known == null || known.lost()) {
      effects.add(new Effect.Tell(new PoolFact.AgentFound(offer.agentId(), offer.hostname())));
    }
    List<ExecutorRecord> gone =
        executors.values().stream()
            .filter(executor -> executor.agentId().equals(offer.agentId()))
            .filter(executor -> !offer.executorIds().contains(executor.executorId()))
            .filter(executor -> workersIn(executor).isEmpty())
            .toList();
    gone.forEach(executor -> effects.add(forget(executor)));
    return effects;
  }

  private Effect forget(ExecutorRecord executor) {
    executors.remove(executor.supervisor());
    ending.remove(executor.supervisor());
    launchedExecutors.remove(executor.supervisor());
    return save(
        List.of(new Store.ExecutorRemoved(executor.agentId(), executor.executorId())), List.of());
  }

  private Effect launch(long now, Offer offer, List<Placement> placements) {
    List<Change> changes = new ArrayList<>();
    List<MasterCall.Launch> launches = new ArrayList<>();
    List<WorkerRecord> records = new ArrayList<>();
    for (Placement placement : placements) {
      Pool pool = pools.get(placement.pool());
      if (pool == null) {
        throw new IllegalStateException("no pool " + placement.pool());
      }
      ExecutorPlan plan = pool.plan();
      lastLaunch++;
      ExecutorRecord executor = executorFor(now, placement, plan, changes);
      WorkerRecord worker =
          WorkerRecord.launched(
              placement.pool(),
              freeSlot(pool),
              lastLaunch,
              offer.agentId(),
              offer.hostname(),
              executor.executorId(),
              now);
      workers.put(worker.taskId(), worker);
      records.add(worker);
      lastChange.put(placement.pool(), now);
      changes.add(new Store.WorkerSaved(worker));
      launches.add(
          new MasterCall.Launch(
              worker.taskId(),
              placement.worker(),
              TaskDataCodec.write(taskData(pool.spec(), placement.ports())),
              plan,
              executor));
    }
    MasterCall accept =
        new MasterCall.Accept(offer.id(), offer.agentId(), launches, policy.declineFor());
    return new Effect.Save(
        changes,
        () -> {
          List<Effect> effects = new ArrayList<>();
          effects.add(new Effect.Call(accept));
          for (WorkerRecord worker : records) {
            effects.add(
                new Effect.Tell(
                    new PoolFact.WorkerLaunched(
                        worker.pool(), worker.taskId(), worker.agentId(), worker.executorId())));
          }
          return effects;
        },
        () -> {
          records.forEach(worker -> workers.remove(worker.taskId()));
          records.forEach(
              worker -> {
                if (workersIn(worker.supervisor()).isEmpty()) {
                  executors.remove(worker.supervisor());
                }
              });
          return List.of(
              new Effect.Warn("nothing is launched while the store does not work"),
              new Effect.Call(new MasterCall.Decline(List.of(offer.id()), policy.backoff().max())));
        });
  }

  private ExecutorRecord executorFor(
      long now, Placement placement, ExecutorPlan plan, List<Change> changes) {
    String agentId = placement.offer().agentId();
    ExecutorRecord known = executorsOf(plan).get(agentId);
    if (known != null) {
      return known;
    }
    ExecutorRecord executor =
        new ExecutorRecord(
            agentId, plan.executorId(lastLaunch), plan.pool(), placement.executor(), filesUrl);
    executors.put(executor.supervisor(), executor);
    launchedExecutors.put(executor.supervisor(), now);
    changes.add(new Store.ExecutorSaved(executor));
    return executor;
  }

  private int freeSlot(Pool pool) {
    Set<Integer> used =
        workersOf(pool).stream().map(WorkerRecord::slot).collect(Collectors.toSet());
    int slot = 0;
    while (used.contains(slot)) {
      slot++;
    }
    return slot;
  }

  private TaskData taskData(PoolSpec spec, List<Integer> ports) {
    return new TaskData(
        WireMessage.VERSION,
        cluster,
        spec.name(),
        new TaskData.Worker(
            spec.command(),
            spec.protocol(),
            spec.files(),
            spec.env(),
            ports,
            spec.resources().memMb(),
            spec.resources().cpus(),
            spec.startTimeout(),
            spec.upkeep(),
            spec.http(),
            spec.requirements(),
            spec.container(),
            spec.secrets().stream()
                .map(secret -> new TaskData.Secret(secret.name(), secret.version()))
                .toList(),
            spec.serving()));
  }

  // ---- what becomes of tasks, executors and agents

  /** The master told a task's state; acknowledged when what follows from it is stored. */
  List<Effect> updated(long now, TaskUpdate update) {
    WorkerRecord worker = workers.get(update.taskId());
    List<Change> changes = new ArrayList<>();
    List<Effect> effects = new ArrayList<>();
    List<Effect> facts = new ArrayList<>();
    if (update.state() != TaskState.UNKNOWN) {
      reconciliation.answered(update.taskId());
    }
    switch (TaskTable.of(update.state(), worker == null ? null : worker.phase())) {
      case NOTE -> {}
      case RUNS -> {
        WorkerRecord running = put(known(worker).in(Phase.RUNNING, now), changes);
        lastChange.put(running.pool(), now);
        facts.add(
            new Effect.Tell(
                new PoolFact.WorkerRunning(
                    running.pool(), running.taskId(), running.agentId(), running.executorId())));
      }
      case ENDED -> {
        WorkerRecord last = known(worker);
        if (Verdict.executorEnds(update) && executors.containsKey(last.supervisor())) {
          ending.add(last.supervisor());
        }
        ended(now, last, Verdict.of(update, last.phase()), changes, facts);
      }
      case OUT_OF_SIGHT -> outOfSight(now, known(worker), update.message(), changes, facts);
      case BACK -> {
        Phase phase = update.state() == TaskState.RUNNING ? Phase.RUNNING : Phase.LAUNCHED;
        put(known(worker).in(phase, now), changes);
      }
      case DOUBTFUL -> {
        if (now - Math.max(known(worker).sinceMillis(), subscribedAt)
            >= policy.unknownGrace().toMillis()) {
          reconciliation.answered(update.taskId());
          Verdict verdict =
              new Verdict(
                  Cause.of(Kind.AGENT_LOST, "the master does not know its task any more"), false);
          ended(now, known(worker), verdict, changes, facts);
        } else {
          reconciliation.doubt(now, update.taskId(), known(worker).agentId());
        }
      }
      case KILL_AGAIN -> {
        if (mayKillAgain(now, update.taskId())) {
          effects.addAll(kill(now, known(worker)));
        }
      }
      case KILL_STRANGER -> {
        if (mayKillAgain(now, update.taskId())) {
          lastKill.put(update.taskId(), now);
          effects.add(
              new Effect.Call(
                  new MasterCall.Kill(update.taskId(), update.agentId(), Optional.empty())));
        }
      }
    }
    if (!changes.isEmpty() || update.receipt().isPresent()) {
      // Even with nothing to write: what an earlier copy of the update changed may still be on its
      // way to the store, and the acknowledgement must not overtake it.
      effects.add(
          new Effect.Save(
              changes,
              () -> {
                List<Effect> after = acknowledge(update);
                after.addAll(facts);
                return after;
              },
              () -> {
                storeBehind = true;
                return facts;
              }));
    }
    effects.addAll(adjust(now));
    return effects;
  }

  /** Not while the store lacks something: the update comes again. */
  private List<Effect> acknowledge(TaskUpdate update) {
    List<Effect> effects = new ArrayList<>();
    if (!storeBehind) {
      update.receipt().ifPresent(r -> effects.add(new Effect.Call(new MasterCall.Acknowledge(r))));
    }
    return effects;
  }

  private static WorkerRecord known(@Nullable WorkerRecord worker) {
    if (worker == null) {
      throw new IllegalStateException("the table must not react so to a task that nobody knows");
    }
    return worker;
  }

  private WorkerRecord put(WorkerRecord worker, List<Change> changes) {
    workers.put(worker.taskId(), worker);
    changes.add(new Store.WorkerSaved(worker));
    return worker;
  }

  private void ended(
      long now, WorkerRecord worker, Verdict verdict, List<Change> changes, List<Effect> facts) {
    workers.remove(worker.taskId());
    lastKill.remove(worker.taskId());
    lastChange.put(worker.pool(), now);
    changes.add(new Store.WorkerRemoved(worker.taskId()));
    if (worker.phase() == Phase.UNREACHABLE) {
      return; // its end was told when it went out of sight
    }
    Pool pool = pools.get(worker.pool());
    if (pool != null) {
      long ranFor = worker.phase() == Phase.RUNNING ? now - worker.sinceMillis() : 0;
      // What a worker of an earlier spec dies of is no reason to wait with those of this one.
      boolean counts = verdict.counts() && pool.isCurrent(worker);
      pool.ended(now, new Verdict(verdict.cause(), counts), ranFor, policy);
    }
    facts.add(
        new Effect.Tell(
            new PoolFact.WorkerEnded(
                worker.pool(),
                worker.taskId(),
                worker.agentId(),
                worker.executorId(),
                verdict.cause())));
    ExecutorRecord executor = executors.get(worker.supervisor());
    boolean wanted = pool != null && pool.isCurrent(worker);
    if (executor != null && !wanted && workersIn(executor).isEmpty()) {
      ending.add(executor.supervisor());
      facts.add(new Effect.Call(new MasterCall.Shutdown(worker.agentId(), worker.executorId())));
    }
  }

  private void outOfSight(
      long now, WorkerRecord worker, String message, List<Change> changes, List<Effect> facts) {
    put(worker.in(Phase.UNREACHABLE, now), changes);
    lastKill.remove(worker.taskId());
    lastChange.put(worker.pool(), now);
    Cause cause = Cause.of(Kind.AGENT_LOST, message);
    Pool pool = pools.get(worker.pool());
    if (pool != null) {
      pool.ended(now, new Verdict(cause, false), 0, policy);
    }
    facts.add(
        new Effect.Tell(
            new PoolFact.WorkerEnded(
                worker.pool(), worker.taskId(), worker.agentId(), worker.executorId(), cause)));
  }

  /** An executor ended; its tasks' last words may come before, after, or never. */
  List<Effect> executorExited(long now, String agentId, String executorId, int status) {
    List<Effect> effects = new ArrayList<>();
    ExecutorRecord executor = executors.get(ExecutorRecord.supervisor(agentId, executorId));
    if (executor == null) {
      return effects;
    }
    effects.add(forget(executor));
    List<WorkerRecord> left = workersIn(executor);
    for (WorkerRecord worker : left) {
      reconciliation.doubt(
          now + policy.reconcileBackoff().first().toMillis(), worker.taskId(), agentId);
    }
    Cause cause =
        left.isEmpty() && status == 0
            ? Cause.of(Kind.DRAINED, "the executor has left, as it had no workers")
            : Cause.of(Kind.INTERNAL, "the executor " + WaitStatus.text(status));
    effects.add(
        new Effect.Tell(new PoolFact.ExecutorLost(executor.pool(), agentId, executorId, cause)));
    effects.addAll(down(executor.supervisor()));
    effects.addAll(adjust(now));
    return effects;
  }

  /** The master has given the agent up. */
  List<Effect> agentRemoved(long now, String agentId) {
    Agent known = agents.get(agentId);
    if (known == null) {
      return List.of();
    }
    agents.put(agentId, new Agent(known.hostname(), true));
    Cause cause = Cause.of(Kind.AGENT_LOST, "the master has lost the agent on " + known.hostname());
    List<Change> changes = new ArrayList<>();
    List<Effect> facts = new ArrayList<>();
    for (WorkerRecord worker : List.copyOf(workers.values())) {
      if (worker.agentId().equals(agentId) && worker.phase() != Phase.UNREACHABLE) {
        outOfSight(now, worker, cause.message(), changes, facts);
        reconciliation.doubt(
            now + policy.reconcileBackoff().first().toMillis(), worker.taskId(), agentId);
      }
    }
    facts.add(new Effect.Tell(new PoolFact.AgentLost(agentId, cause)));
    List<Effect> effects = new ArrayList<>();
    for (ExecutorRecord executor : List.copyOf(executors.values())) {
      if (executor.agentId().equals(agentId)) {
        effects.addAll(down(executor.supervisor()));
      }
    }
    pools.values().forEach(pool -> pool.refused(withoutAgent(pool.refusals(), agentId)));
    effects.add(save(changes, facts));
    effects.addAll(adjust(now));
    return effects;
  }

  private static List<Refusal> withoutAgent(List<Refusal> refusals, String agentId) {
    return refusals.stream().filter(refusal -> !refusal.agentId().equals(agentId)).toList();
  }

  private List<Effect> down(String supervisor) {
    String address = supervisors.remove(supervisor);
    return address == null ? List.of() : List.of(new Effect.Down(address));
  }

  // ---- supervisors

  /** A supervisor has joined this scheduler's cluster. */
  void supervisorUp(String supervisor, String address) {
    supervisors.put(supervisor, address);
  }

  /** A supervisor has left it; if its executor still runs it must be told where to join. */
  void supervisorDown(String supervisor) {
    supervisors.remove(supervisor);
  }

  // ---- what users ask

  /** Creates or changes a pool. */
  List<Effect> apply(long now, PoolSpec spec, Consumer<Answer> replyTo) {
    return change(now, new SavedPool(spec, false), replyTo);
  }

  /** Gives a pool another size. */
  List<Effect> scale(long now, String name, PoolSize size, Consumer<Answer> replyTo) {
    PoolSpec latest = latest(name);
    if (latest == null) {
      replyTo.accept(notFound(name));
      return List.of();
    }
    return change(now, new SavedPool(latest.withSize(size), false), replyTo);
  }

  /** Lets a pool's workers finish and leave. */
  List<Effect> drain(long now, String name, Consumer<Answer> replyTo) {
    PoolSpec latest = latest(name);
    if (latest == null) {
      replyTo.accept(notFound(name));
      return List.of();
    }
    return change(now, new SavedPool(latest, true), replyTo);
  }

  /** The spec as asked for last, even if it is still on its way to the store. */
  private @Nullable PoolSpec latest(String name) {
    PoolSpec asked = beingSaved.get(name);
    Pool pool = pools.get(name);
    return asked != null || pool == null ? asked : pool.spec();
  }

  private List<Effect> change(long now, SavedPool saved, Consumer<Answer> replyTo) {
    beingSaved.put(saved.spec().name(), saved.spec());
    return List.of(
        new Effect.Save(
            List.of(new Store.PoolSaved(saved)),
            () -> {
              String name = saved.spec().name();
              beingSaved.remove(name, saved.spec());
              Pool pool = pools.get(name);
              if (pool == null) {
                pools.put(name, poolOf(saved));
              } else {
                pool.change(
                    saved.spec(),
                    ExecutorPlan.of(saved.spec(), executorSettings),
                    saved.draining());
              }
              lastChange.put(name, now);
              lastMissing.remove(name);
              List<Effect> effects = new ArrayList<>();
              effects.add(
                  new Effect.Tell(
                      saved.draining()
                          ? new PoolFact.PoolDraining(name)
                          : new PoolFact.PoolApplied(saved.spec())));
              if (state == FrameworkState.REMOVED && frameworkId.isEmpty()) {
                state = FrameworkState.DISCONNECTED;
                effects.add(new Effect.Call(new MasterCall.Reconnect()));
              }
              effects.addAll(adjust(now));
              replyTo.accept(new Done());
              return effects;
            },
            () -> {
              beingSaved.remove(saved.spec().name(), saved.spec());
              return storeFailed(replyTo);
            }));
  }

  private static List<Effect> storeFailed(Consumer<Answer> replyTo) {
    replyTo.accept(
        new Refused(
            Reason.STORE_UNAVAILABLE,
            "the scheduler's store did not take it, so nothing was changed: see the scheduler's"
                + " log"));
    return List.of();
  }

  private static Refused notFound(String name) {
    return new Refused(
        Reason.POOL_NOT_FOUND, "there is no pool named '" + name + "': see `troupe pool list`");
  }

  /** Removes a pool and ends its workers. */
  List<Effect> delete(long now, String name, Consumer<Answer> replyTo) {
    if (!pools.containsKey(name)) {
      replyTo.accept(notFound(name));
      return List.of();
    }
    return List.of(
        new Effect.Save(
            List.of(new Store.PoolRemoved(name)),
            () -> {
              pools.remove(name);
              lastMissing.remove(name);
              List<Effect> effects = new ArrayList<>();
              effects.add(new Effect.Tell(new PoolFact.PoolDeleted(name)));
              effects.addAll(adjust(now));
              replyTo.accept(new Done());
              return effects;
            },
            () -> storeFailed(replyTo)));
  }

  /** Removes the framework with all it runs, and forgets the pools. */
  List<Effect> teardown(Consumer<Answer> replyTo) {
    if (state != FrameworkState.SUBSCRIBED) {
      replyTo.accept(
          new Refused(
              Reason.NOT_SUBSCRIBED,
              "the master does not talk to this scheduler now, so nothing can be removed: try"
                  + " again when `framework.state` is SUBSCRIBED"));
      return List.of();
    }
    List<Change> changes = new ArrayList<>();
    changes.add(new Store.FrameworkForgotten());
    pools.keySet().forEach(name -> changes.add(new Store.PoolRemoved(name)));
    workers.keySet().forEach(task -> changes.add(new Store.WorkerRemoved(task)));
    executors
        .values()
        .forEach(e -> changes.add(new Store.ExecutorRemoved(e.agentId(), e.executorId())));
    return List.of(
        new Effect.Save(
            changes,
            () -> {
              List<Effect> effects = new ArrayList<>();
              effects.add(new Effect.Call(new MasterCall.Teardown()));
              pools
                  .keySet()
                  .forEach(p -> effects.add(new Effect.Tell(new PoolFact.PoolDeleted(p))));
              executors.keySet().forEach(supervisor -> effects.addAll(down(supervisor)));
              pools.clear();
              workers.clear();
              executors.clear();
              ending.clear();
              launchedExecutors.clear();
              lastMissing.clear();
              frameworkId = Optional.empty();
              state = FrameworkState.REMOVED;
              effects.add(frameworkChanged());
              replyTo.accept(new Done());
              return effects;
            },
            () -> storeFailed(replyTo)));
  }

  /** The load of a pool, for those whose size follows it. */
  List<Effect> loaded(long now, String name, int jobs) {
    Pool pool = pools.get(name);
    if (pool == null) {
      return List.of();
    }
    pool.loaded(now, jobs);
    return adjust(now);
  }

  // ---- what time brings

  /** To be called some times a second. */
  List<Effect> tick(long now) {
    if (state != FrameworkState.SUBSCRIBED) {
      return List.of();
    }
    List<Effect> effects = new ArrayList<>(adjust(now));
    effects.addAll(catchUp());
    for (WorkerRecord worker : List.copyOf(workers.values())) {
      effects.addAll(remind(now, worker));
    }
    reconciliation.due(now).forEach(call -> effects.add(new Effect.Call(call)));
    effects.addAll(tellClusterInfo(now));
    return effects;
  }

  private List<Effect> remind(long now, WorkerRecord worker) {
    long age = now - worker.sinceMillis();
    return switch (worker.phase()) {
      case LAUNCHED -> {
        if (age >= policy.answerTimeout().toMillis() && !reconciliation.isOpen(worker.taskId())) {
          reconciliation.doubt(now, worker.taskId(), worker.agentId());
        }
        yield List.of();
      }
      case RUNNING -> {
        Pool pool = pools.get(worker.pool());
        if (pool != null && pool.isCurrent(worker) && age >= policy.stableAfter().toMillis()) {
          pool.stable();
        }
        yield List.of();
      }
      case STOPPING -> {
        yield mayKillAgain(now, worker.taskId()) ? kill(now, worker) : List.of();
      }
      case UNREACHABLE -> {
        if (age < policy.unreachableFor().toMillis()) {
          yield List.of();
        }
        workers.remove(worker.taskId());
        reconciliation.answered(worker.taskId());
        yield List.of(save(List.of(new Store.WorkerRemoved(worker.taskId())), List.of()));
      }
    };
  }

  private List<Effect> tellClusterInfo(long now) {
    if (now - lastClusterInfo < policy.clusterInfoInterval().toMillis()) {
      return List.of();
    }
    lastClusterInfo = now;
    List<Effect> effects = new ArrayList<>();
    for (ExecutorRecord executor : executors.values()) {
      long launched = launchedExecutors.getOrDefault(executor.supervisor(), 0L);
      boolean hadTime = now - launched >= policy.clusterInfoDelay().toMillis();
      boolean stays = !ending.contains(executor.supervisor());
      if (hadTime && stays && !supervisors.containsKey(executor.supervisor())) {
        effects.add(
            new Effect.Call(
                new MasterCall.Message(
                    executor.agentId(), executor.executorId(), TaskDataCodec.write(cluster))));
      }
    }
    return effects;
  }

  // ---- from what is to what should be

  private List<Effect> adjust(long now) {
    List<Effect> effects = new ArrayList<>();
    if (state == FrameworkState.SUBSCRIBED) {
      for (WorkerRecord worker : List.copyOf(workers.values())) {
        if (!pools.containsKey(worker.pool()) && worker.counts()) {
          effects.addAll(stop(now, worker));
        }
      }
      for (Pool pool : pools.values()) {
        long quiet = now - lastChange.getOrDefault(pool.spec().name(), 0L);
        for (WorkerRecord worker : Surplus.of(pool, workersOf(pool), now, quiet, policy)) {
          effects.addAll(stop(now, worker));
          lastChange.put(worker.pool(), now);
        }
      }
      effects.addAll(askForOffers(now));
    }
    for (Pool pool : pools.values()) {
      PoolFact measured = pool.measure(workersOf(pool));
      if (measured != null) {
        effects.add(new Effect.Tell(measured));
      }
    }
    return effects;
  }

  private List<Effect> stop(long now, WorkerRecord worker) {
    List<Change> changes = new ArrayList<>();
    WorkerRecord stopping = put(worker.in(Phase.STOPPING, now), changes);
    List<Effect> kill = kill(now, stopping);
    return List.of(save(changes, kill));
  }

  private List<Effect> kill(long now, WorkerRecord worker) {
    lastKill.put(worker.taskId(), now);
    Pool pool = pools.get(worker.pool());
    return List.of(
        new Effect.Call(
            new MasterCall.Kill(
                worker.taskId(),
                worker.agentId(),
                Optional.ofNullable(pool).map(p -> p.spec().job().timeout()))));
  }

  /** A kill may be answered with the very state that asks for it: no faster than the interval. */
  private boolean mayKillAgain(long now, String taskId) {
    return now - lastKill.getOrDefault(taskId, 0L) >= policy.killInterval().toMillis();
  }

  private boolean wantsOffers(long now) {
    return pools.values().stream().anyMatch(pool -> pool.missing(now, workersOf(pool)) > 0);
  }

  private List<Effect> askForOffers(long now) {
    boolean wanted = false;
    for (Pool pool : pools.values()) {
      int missing = pool.missing(now, workersOf(pool));
      int before = lastMissing.getOrDefault(pool.spec().name(), 0);
      lastMissing.put(pool.spec().name(), missing);
      wanted |= missing > 0;
      reviveWanted |= missing > before;
    }
    if (!wanted) {
      reviveWanted = false;
      if (suppressed) {
        return List.of();
      }
      suppressed = true;
      return List.of(new Effect.Call(new MasterCall.Suppress()));
    }
    boolean mayAsk = now - lastRevive >= policy.reviveInterval().toMillis();
    if ((reviveWanted || suppressed) && mayAsk) {
      lastRevive = now;
      reviveWanted = false;
      suppressed = false;
      return List.of(new Effect.Call(new MasterCall.Revive()));
    }
    return List.of();
  }

  /** Writes what has happened anyway, and goes on even if it could not be written. */
  private Effect save(List<Change> changes, List<Effect> then) {
    return new Effect.Save(
        changes,
        () -> then,
        () -> {
          storeBehind = true;
          return then;
        });
  }

  /** What happened while the store did not work, written in one. */
  private List<Effect> catchUp() {
    if (!storeBehind) {
      return List.of();
    }
    return List.of(
        new Effect.Save(
            List.of(
                new Store.AllReplaced(
                    List.copyOf(workers.values()), List.copyOf(executors.values()))),
            () -> {
              storeBehind = false;
              return List.of();
            },
            List::of));
  }

  private List<WorkerRecord> workersOf(Pool pool) {
    return workers.values().stream()
        .filter(worker -> worker.pool().equals(pool.spec().name()))
        .toList();
  }

  private List<WorkerRecord> workersIn(ExecutorRecord executor) {
    return workersIn(executor.supervisor());
  }

  private List<WorkerRecord> workersIn(String supervisor) {
    return workers.values().stream()
        .filter(worker -> worker.supervisor().equals(supervisor))
        .toList();
  }

  // ---- what is shown

  /** The state as facts, for one who comes late. */
  List<PoolFact> facts() {
    List<PoolFact> facts = new ArrayList<>();
    facts.add(new PoolFact.FrameworkChanged(frameworkId, master, state));
    for (Pool pool : pools.values()) {
      facts.add(new PoolFact.PoolApplied(pool.spec()));
      if (pool.draining()) {
        facts.add(new PoolFact.PoolDraining(pool.spec().name()));
      }
      facts.add(pool.measured(workersOf(pool)));
    }
    return facts;
  }

  List<PoolView> pools(long now) {
    return pools.values().stream().map(pool -> view(now, pool)).toList();
  }

  List<AgentView> agents() {
    List<AgentView> views = new ArrayList<>();
    agents.forEach(
        (id, agent) ->
            views.add(
                new AgentView(
                    id,
                    agent.hostname(),
                    agent.lost(),
                    workers.values().stream()
                        .filter(w -> w.agentId().equals(id) && w.counts())
                        .collect(Collectors.toMap(WorkerRecord::pool, w -> 1, Integer::sum)))));
    return views;
  }

  Answer explain(long now, String name) {
    Pool pool = pools.get(name);
    if (pool == null) {
      return notFound(name);
    }
    PoolView view = view(now, pool);
    return new Explained(view, Explanation.of(pool, workersOf(pool), view));
  }

  private PoolView view(long now, Pool pool) {
    List<WorkerRecord> own = workersOf(pool);
    return new PoolView(
        pool.spec(),
        pool.wanted(own),
        Pool.running(own),
        pool.rollout(own),
        pool.draining(),
        pool.causes(),
        Explanation.waitingBecause(
            pool, own, workers.values(), now, state == FrameworkState.SUBSCRIBED, master));
  }

  /** The workers as they are; for tests. */
  Collection<WorkerRecord> workers() {
    return List.copyOf(workers.values());
  }
}
