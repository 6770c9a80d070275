package io.troupe.scheduler.pool;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.scheduler.offers.Amount;
import io.troupe.scheduler.offers.Offer;
import io.troupe.scheduler.offers.Offer.Part;
import io.troupe.scheduler.pool.TaskUpdate.Receipt;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/**
 * A scheduler and a Mesos in one thread and in virtual time, in which by a seed's will things fail,
 * get lost and start again. After every step the invariants are checked; a failure names its seed,
 * and the same seed fails in the same way again.
 */
final class PoolSimulation {

  private static final class Task {
    final String id;
    final String agent;
    final String executor;
    final Amount amount;
    final Deque<TaskUpdate> unacknowledged = new ArrayDeque<>();
    TaskState state = TaskState.STAGING;

    Task(String id, String agent, String executor, Amount amount) {
      this.id = id;
      this.agent = agent;
      this.executor = executor;
      this.amount = amount;
    }
  }

  private static final class Agent {
    final String id;
    final Amount total;
    final Map<String, Amount> executors = new TreeMap<>();
    final Set<String> ending = new HashSet<>();
    boolean reachable = true;

    Agent(String id, Amount total) {
      this.id = id;
      this.total = total;
    }
  }

  private record Filter(Amount refused, long until) {}

  private record Outstanding(Agent agent, Amount amount) {}

  private final Random random;
  private final FakeStore store = new FakeStore();
  private final Map<String, Agent> agents = new TreeMap<>();
  private final Map<String, Task> tasks = new TreeMap<>();
  private final Map<String, Outstanding> offers = new TreeMap<>();
  private final Map<String, Filter> filters = new HashMap<>();
  private final Deque<Runnable> toScheduler = new ArrayDeque<>();
  private final Deque<Effect.Save> saves = new ArrayDeque<>();
  private final Set<String> launchedEver = new HashSet<>();
  private final Map<String, PoolSpec> wanted = new TreeMap<>();

  private Framework framework;
  private int incarnation;
  private boolean subscribed;
  private boolean suppressed;
  private boolean faults = true;
  private long now = 1_000_000;
  private int nextOffer;
  private int nextAgent;
  private int nextUuid;

  PoolSimulation(long seed) {
    random = new Random(seed);
    for (int i = 0; i < 3; i++) {
      addAgent();
    }
    framework = restarted();
    connect();
  }

  // ---- what a test does

  /** Creates or changes a pool. */
  void apply(PoolSpec spec) {
    wanted.put(spec.name(), spec);
    run(framework.apply(now, spec, answer -> {}));
    writeAll();
  }

  /** Deletes a pool and applies it again, some moments later. */
  void applyAgain(String name) {
    run(framework.delete(now, name, answer -> {}));
    writeAll();
    for (int i = random.nextInt(8); i > 0; i--) {
      time(random.nextInt(250));
      settle();
    }
    apply(wanted.get(name));
  }

  /** Lets some hundred things happen, faults among them. */
  void unrest(int steps) {
    for (int i = 0; i < steps; i++) {
      step();
      check();
    }
  }

  /** No more faults; what is lost is found again in so many virtual seconds. */
  void calm(int seconds) {
    faults = false;
    store.broken(false);
    if (!subscribed) {
      connect();
    }
    agents.values().forEach(this::returns);
    for (int i = 0; i < seconds * 4; i++) {
      time(250);
      settle();
      check();
    }
  }

  /** All pools are as they should be, and nothing runs that nobody knows. */
  void expectAllWantedRun() {
    Map<String, Long> running = new TreeMap<>();
    for (Task task : tasks.values()) {
      if (task.state.mayRun()) {
        running.merge(task.id.substring(0, task.id.indexOf('.')), 1L, Long::sum);
        assertThat(framework.workers().stream().map(WorkerRecord::taskId))
            .as("known to the scheduler")
            .contains(task.id);
        assertThat(store.knows(task.id)).as("%s is in the store", task.id).isTrue();
      }
    }
    for (PoolSpec pool : wanted.values()) {
      if (pool.size() instanceof PoolSize.Fixed fixed) {
        assertThat(running.getOrDefault(pool.name(), 0L))
            .as("running workers of %s; %s", pool.name(), framework.workers())
            .isEqualTo(fixed.workers());
      } else {
        assertThat(running.getOrDefault(pool.name(), 0L)).isPositive();
        for (Agent agent : agents.values()) {
          assertThat(room(agent).covers(Amount.of(pool.resources())))
              .as("agent %s has room for another of %s: %s", agent.id, pool.name(), room(agent))
              .isFalse();
        }
      }
    }
    for (WorkerRecord worker : framework.workers()) {
      assertThat(worker.phase()).as("%s", worker).isEqualTo(WorkerRecord.Phase.RUNNING);
    }
  }

  // ---- the invariants

  private void check() {
    boolean mayAct =
        framework.facts().get(0) instanceof PoolFact.FrameworkChanged changed
            && changed.state() == PoolFact.FrameworkState.SUBSCRIBED;
    for (PoolSpec pool : wanted.values()) {
      if (mayAct && pool.size() instanceof PoolSize.Fixed fixed) {
        long counting =
            framework.workers().stream()
                .filter(w -> w.pool().equals(pool.name()) && w.counts())
                .count();
        int surge = Math.max(1, fixed.workers() / 4);
        assertThat(counting)
            .as("workers of %s: never more than wanted, of %s", pool, framework.workers())
            .isLessThanOrEqualTo(fixed.workers() + (rolling(pool) ? surge : 0));
      }
    }
    for (Agent agent : agents.values()) {
      Amount left = room(agent);
      assertThat(left.cpuMillis() >= 0 && left.memMillis() >= 0)
          .as("agent %s is not overbooked: %s", agent.id, left)
          .isTrue();
    }
  }

  private boolean rolling(PoolSpec pool) {
    return framework.workers().stream()
            .filter(w -> w.pool().equals(pool.name()) && w.counts())
            .map(WorkerRecord::executorId)
            .distinct()
            .count()
        > 1;
  }

  // ---- the world

  private void step() {
    int dice = random.nextInt(100);
    if (dice < 50) {
      time(50 + random.nextInt(450));
      settle();
    } else if (dice < 60) {
      deliver(random.nextInt(3));
    } else if (dice < 70) {
      progress();
    } else if (dice < 75) {
      pick(tasks).filter(t -> t.state == TaskState.RUNNING).ifPresent(this::crash);
    } else if (dice < 79) {
      pick(agents).ifPresent(this::executorDies);
    } else if (dice < 82) {
      pick(agents).filter(a -> a.reachable).ifPresent(this::vanishes);
    } else if (dice < 86) {
      pick(agents).ifPresent(this::returns);
    } else if (dice < 88) {
      disconnect();
      connect();
    } else if (dice < 91) {
      saves.clear(); // SIGKILL between deciding and writing
      disconnect();
      framework = restarted();
      connect();
    } else if (dice < 92) {
      store.broken(random.nextBoolean());
    } else if (dice < 94) {
      pick(wanted).ifPresent(this::changeSize);
    } else if (dice < 95) {
      pick(wanted).ifPresent(this::changeContent);
    } else if (dice < 96) {
      store.broken(false);
      writeAll();
      pick(wanted).ifPresent(pool -> applyAgain(pool.name()));
    } else if (dice < 97 && agents.size() < 6) {
      addAgent();
    } else {
      pick(tasks).ifPresent(this::resend);
    }
  }

  private <T> Optional<T> pick(Map<String, T> from) {
    if (from.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(new ArrayList<>(from.values()).get(random.nextInt(from.size())));
  }

  private void changeSize(PoolSpec pool) {
    if (pool.size() instanceof PoolSize.Fixed) {
      store.broken(false);
      writeAll();
      PoolSpec changed = pool.withSize(new PoolSize.Fixed(random.nextInt(6)));
      run(framework.scale(now, pool.name(), changed.size(), answer -> {}));
      writeAll();
      wanted.put(pool.name(), changed);
      // What the new size makes too many is told to end at once: the invariant holds right away.
    }
  }

  private void changeContent(PoolSpec pool) {
    store.broken(false);
    writeAll();
    PoolSpec changed = Specs.pool(pool.name(), pool.size(), "run " + random.nextInt());
    run(framework.apply(now, changed, answer -> {}));
    writeAll();
    wanted.put(pool.name(), changed);
  }

  private void addAgent() {
    String id = "S" + nextAgent++;
    agents.put(id, new Agent(id, new Amount(2000, 4_000_000, 1000)));
  }

  private Framework restarted() {
    incarnation++;
    return new Framework(
        store.load(), Specs.EXECUTOR, Specs.POLICY, Specs.CLUSTER, "http://127.0.0.1:7070");
  }

  private void connect() {
    run(framework.connected(now));
  }

  private void disconnect() {
    subscribed = false;
    toScheduler.clear();
    offers.clear();
    filters.clear();
    run(framework.disconnected());
  }

  private void time(long millis) {
    now += millis;
    run(framework.tick(now));
    allocate();
  }

  /** Everything under way arrives, and everything asked for happens. */
  private void settle() {
    writeAll();
    deliver(Integer.MAX_VALUE);
    if (!faults) {
      progress();
      tasks.values().stream().toList().forEach(this::resend);
      writeAll();
      deliver(Integer.MAX_VALUE);
    }
  }

  private void writeAll() {
    while (!saves.isEmpty()) {
      write(saves.poll());
    }
  }

  private void write(Effect.Save save) {
    try {
      store.write(save.changes());
    } catch (Store.StoreException e) {
      run(save.otherwise().get());
      return;
    }
    run(save.then().get());
  }

  private void deliver(int most) {
    for (int i = 0; i < most && !toScheduler.isEmpty(); i++) {
      toScheduler.poll().run();
    }
  }

  private void send(Runnable event) {
    if (subscribed) {
      int to = incarnation;
      toScheduler.add(
          () -> {
            if (to == incarnation) {
              event.run();
            }
          });
    }
  }

  private Amount room(Agent agent) {
    Amount used = Amount.NONE;
    for (Amount executor : agent.executors.values()) {
      used = used.plus(executor);
    }
    for (Task task : tasks.values()) {
      if (task.agent.equals(agent.id) && task.state.mayRun()) {
        used = used.plus(task.amount);
      }
    }
    return new Amount(
        agent.total.cpuMillis() - used.cpuMillis(), agent.total.memMillis() - used.memMillis(), 0);
  }

  private void allocate() {
    if (!subscribed || suppressed) {
      return;
    }
    List<Offer> made = new ArrayList<>();
    for (Agent agent : agents.values()) {
      boolean offered = offers.values().stream().anyMatch(o -> o.agent() == agent);
      Amount room = room(agent);
      Filter filter = filters.get(agent.id);
      boolean filtered = filter != null && now < filter.until() && filter.refused().covers(room);
      if (agent.reachable && !offered && !filtered && room.cpuMillis() >= 10) {
        String id = "O" + nextOffer++;
        offers.put(id, new Outstanding(agent, room));
        made.add(
            new Offer(
                id,
                agent.id,
                "host-" + agent.id,
                agent.executors.keySet(),
                List.of(
                    new Part("cpus", "c", room.cpuMillis(), List.of()),
                    new Part("mem", "m", room.memMillis(), List.of()))));
      }
    }
    if (!made.isEmpty()) {
      send(() -> run(framework.offered(now, made)));
    }
  }

  private void progress() {
    for (Task task : List.copyOf(tasks.values())) {
      if (task.state == TaskState.STAGING && agent(task).reachable) {
        update(task, TaskState.RUNNING, "");
      }
    }
    for (Agent agent : agents.values()) {
      for (String executor : List.copyOf(agent.executors.keySet())) {
        boolean idle =
            tasks.values().stream()
                .noneMatch(
                    t ->
                        t.agent.equals(agent.id)
                            && t.executor.equals(executor)
                            && t.state.mayRun());
        if (idle && random.nextInt(4) == 0) {
          exits(agent, executor);
        }
      }
    }
  }

  private Agent agent(Task task) {
    return agents.get(task.agent);
  }

  private void crash(Task task) {
    if (agent(task).reachable) {
      update(task, TaskState.FAILED, "");
    }
  }

  private void executorDies(Agent agent) {
    if (!agent.executors.isEmpty() && agent.reachable) {
      exits(agent, agent.executors.keySet().iterator().next());
    }
  }

  private void exits(Agent agent, String executor) {
    agent.executors.remove(executor);
    agent.ending.remove(executor);
    for (Task task : List.copyOf(tasks.values())) {
      if (task.agent.equals(agent.id) && task.executor.equals(executor) && task.state.mayRun()) {
        update(task, TaskState.FAILED, "REASON_EXECUTOR_TERMINATED");
      }
    }
    if (!faults || random.nextBoolean()) {
      send(() -> run(framework.executorExited(now, agent.id, executor, 9)));
    }
  }

  private void vanishes(Agent agent) {
    agent.reachable = false;
    offers.values().removeIf(o -> o.agent() == agent);
    for (Task task : tasks.values()) {
      if (task.agent.equals(agent.id) && task.state.mayRun() && random.nextBoolean()) {
        TaskUpdate update = status(task, TaskState.UNREACHABLE, "REASON_AGENT_REMOVED");
        send(() -> run(framework.updated(now, update)));
      }
    }
    if (random.nextBoolean()) {
      send(() -> run(framework.agentRemoved(now, agent.id)));
    }
  }

  private void returns(Agent agent) {
    if (!agent.reachable) {
      agent.reachable = true;
      for (Task task : List.copyOf(tasks.values())) {
        if (task.agent.equals(agent.id) && random.nextBoolean()) {
          answer(task.id, agent.id); // as when an unreachable agent registers again
        }
      }
    }
  }

  private void update(Task task, TaskState state, String reason) {
    task.state = state;
    TaskUpdate update =
        new TaskUpdate(
            task.id,
            task.agent,
            state,
            reason,
            "",
            Optional.empty(),
            Optional.of(new Receipt(task.id, task.agent, "u" + nextUuid++)));
    task.unacknowledged.add(update);
    if (task.unacknowledged.size() == 1) {
      resend(task);
    }
  }

  private void resend(Task task) {
    TaskUpdate head = task.unacknowledged.peek();
    if (head != null && agent(task).reachable && (!faults || random.nextInt(4) > 0)) {
      send(() -> run(framework.updated(now, head)));
    }
  }

  private static TaskUpdate status(Task task, TaskState state, String reason) {
    return new TaskUpdate(
        task.id, task.agent, state, reason, "", Optional.empty(), Optional.empty());
  }

  // ---- what the scheduler wants

  private void run(List<Effect> effects) {
    for (Effect effect : effects) {
      if (effect instanceof Effect.Save save) {
        saves.add(save);
      } else if (effect instanceof Effect.Call call) {
        call(call.call());
      }
    }
  }

  private void call(MasterCall call) {
    if (call instanceof MasterCall.Subscribe subscribe) {
      subscribed = true;
      suppressed = subscribe.suppressed();
      send(() -> run(framework.subscribed(now, "F", "master:5050")));
      tasks.values().forEach(this::resend);
    } else if (!subscribed) {
      return;
    } else if (call instanceof MasterCall.Accept accept) {
      accept(accept);
    } else if (call instanceof MasterCall.Decline decline) {
      decline
          .offerIds()
          .forEach(
              id -> {
                Outstanding offer = offers.remove(id);
                if (offer != null) {
                  filters.put(
                      offer.agent().id,
                      new Filter(offer.amount(), now + decline.refuse().toMillis()));
                }
              });
    } else if (call instanceof MasterCall.Suppress) {
      suppressed = true;
    } else if (call instanceof MasterCall.Revive) {
      suppressed = false;
      filters.clear();
    } else if (call instanceof MasterCall.Kill kill) {
      kill(kill);
    } else if (call instanceof MasterCall.Acknowledge acknowledge) {
      acknowledge(acknowledge.receipt());
    } else if (call instanceof MasterCall.Reconcile reconcile) {
      reconcile(reconcile);
    } else if (call instanceof MasterCall.Shutdown shutdown) {
      Agent agent = agents.get(shutdown.agentId());
      if (agent != null && agent.executors.containsKey(shutdown.executorId())) {
        agent.ending.add(shutdown.executorId());
      }
    }
  }

  private void accept(MasterCall.Accept accept) {
    Outstanding offer = offers.remove(accept.offerId());
    for (MasterCall.Launch launch : accept.launches()) {
      assertThat(store.knows(launch.taskId()))
          .as("%s is in the store before it is launched", launch.taskId())
          .isTrue();
      assertThat(launchedEver.add(launch.taskId()))
          .as("the id %s is new", launch.taskId())
          .isTrue();
    }
    if (offer == null) {
      for (MasterCall.Launch launch : accept.launches()) {
        TaskUpdate dropped =
            new TaskUpdate(
                launch.taskId(),
                accept.agentId(),
                TaskState.DROPPED,
                "REASON_INVALID_OFFERS",
                "Task launched with invalid offers",
                Optional.empty(),
                Optional.empty());
        send(() -> run(framework.updated(now, dropped)));
      }
      return;
    }
    Agent agent = offer.agent();
    Amount used = Amount.NONE;
    for (MasterCall.Launch launch : accept.launches()) {
      String executorId = launch.executor().executorId();
      Amount executor = amount(launch.executor().resources());
      if (agent.executors.containsKey(executorId)) {
        assertThat(executor)
            .as("the same of executor %s each time", executorId)
            .isEqualTo(agent.executors.get(executorId));
      } else {
        agent.executors.put(executorId, executor);
        used = used.plus(executor);
      }
      used = used.plus(amount(launch.resources()));
      Task task = new Task(launch.taskId(), agent.id, executorId, amount(launch.resources()));
      tasks.put(task.id, task);
      if (agent.ending.contains(executorId)) {
        update(task, TaskState.DROPPED, "REASON_EXECUTOR_TERMINATED");
      }
    }
    assertThat(offer.amount().covers(used))
        .as("%s takes no more than the %s offered", accept, offer.amount())
        .isTrue();
    Amount left =
        new Amount(
            offer.amount().cpuMillis() - used.cpuMillis(),
            offer.amount().memMillis() - used.memMillis(),
            0);
    filters.put(agent.id, new Filter(left, now + accept.refuse().toMillis()));
  }

  private static Amount amount(List<Part> parts) {
    long cpus = 0;
    long mem = 0;
    for (Part part : parts) {
      cpus += part.name().equals("cpus") ? part.millis() : 0;
      mem += part.name().equals("mem") ? part.millis() : 0;
    }
    return new Amount(cpus, mem, 0);
  }

  private void kill(MasterCall.Kill kill) {
    Task task = tasks.get(kill.taskId());
    if (task == null) {
      answer(kill.taskId(), kill.agentId());
    } else if (task.state.mayRun() && agent(task).reachable && (!faults || random.nextInt(3) > 0)) {
      update(task, TaskState.KILLED, "");
    }
  }

  private void acknowledge(Receipt receipt) {
    Task task = tasks.get(receipt.taskId());
    if (task == null) {
      return;
    }
    TaskUpdate head = task.unacknowledged.peek();
    if (head != null && head.receipt().equals(Optional.of(receipt))) {
      task.unacknowledged.poll();
      if (!head.state().mayRun()) {
        tasks.remove(task.id);
        assertThat(store.knows(task.id))
            .as("the end of %s is in the store before it is acknowledged", task.id)
            .isFalse();
      }
      resend(task);
    }
  }

  private void reconcile(MasterCall.Reconcile reconcile) {
    if (reconcile.tasks().isEmpty()) {
      tasks.values().stream()
          .filter(task -> agent(task).reachable)
          .map(task -> task.id)
          .toList()
          .forEach(id -> answer(id, ""));
    }
    reconcile.tasks().forEach(task -> answer(task.taskId(), task.agentId()));
  }

  private void answer(String taskId, String agentId) {
    Task task = tasks.get(taskId);
    TaskUpdate update;
    if (task == null) {
      TaskState state = agents.containsKey(agentId) ? TaskState.GONE : TaskState.UNKNOWN;
      update =
          new TaskUpdate(
              taskId,
              agentId,
              state,
              "REASON_RECONCILIATION",
              "",
              Optional.empty(),
              Optional.empty());
    } else if (!agent(task).reachable) {
      update = status(task, TaskState.UNREACHABLE, "REASON_RECONCILIATION");
    } else {
      // As the real one does: the state that was forwarded last, not the one that waits behind it.
      TaskUpdate head = task.unacknowledged.peek();
      update = status(task, head == null ? task.state : head.state(), "REASON_RECONCILIATION");
    }
    send(() -> run(framework.updated(now, update)));
  }
}
