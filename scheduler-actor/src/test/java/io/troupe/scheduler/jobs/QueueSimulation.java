package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.Effect;
import akka.actor.testkit.typed.javadsl.BehaviorTestKit;
import akka.actor.testkit.typed.javadsl.TestInbox;
import akka.actor.typed.ActorRef;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One queue, its store, clients and supervisors in one thread, in which by a seed's will messages
 * wait, supervisors die, the store fails, and the scheduler process is killed between any two
 * writes. What clients were promised must hold to the end.
 */
final class QueueSimulation {
  private static final Cause GONE = Cause.of(Cause.Kind.AGENT_LOST, "gone");
  private static final JobSettings SETTINGS =
      new JobSettings(
          new QueueState.Limits(1_000, 1 << 20, 50, 20, 1 << 20, Duration.ofHours(1), 6),
          1 << 20,
          Duration.ofSeconds(10),
          4,
          1 << 20,
          1 << 20,
          new JobSettings.Blobs(
              1 << 16, 1 << 30, 1 << 30, 1 << 27, Duration.ofSeconds(10), "http://h/v1/blobs"),
          Duration.ofDays(1));

  /** What a client knows of a job that he was told is accepted. */
  private static final class Promise {
    final String id;
    final int attempts;
    @Nullable JobState told;
    boolean cancelAsked;

    Promise(String id, int attempts) {
      this.id = id;
      this.attempts = attempts;
    }
  }

  private record Question(
      TestInbox<JobQueue.Answer> inbox, int attempts, @Nullable String key, boolean cancel) {}

  /** One supervisor as it is, whoever asks. */
  private static final class Supervisor {
    final String name;
    TestInbox<SchedulerToSupervisor> inbox = TestInbox.create();
    @Nullable ActorRef<SupervisorToQueue> queue;
    final Map<AttemptRef, Assignment> held = new LinkedHashMap<>();
    final TreeMap<Long, Outcome> unsettled = new TreeMap<>();
    long sequence;

    Supervisor(String name) {
      this.name = name;
    }
  }

  private final Random random;
  private MemoryJobStore store = new MemoryJobStore();
  private BehaviorTestKit<JobQueue.Command> queue;
  private final Map<Object, Timer> timers = new HashMap<>();
  private final List<Question> questions = new ArrayList<>();
  private final Map<String, Promise> promises = new TreeMap<>();
  private final Map<String, String> idOfKey = new TreeMap<>();
  private final List<Supervisor> supervisors = new ArrayList<>();

  /** When which attempt was handed out, and when its outcome was first or again delivered. */
  private final Map<String, Map<Integer, Long>> handedOut = new HashMap<>();

  private final Map<AttemptRef, List<Long>> delivered = new HashMap<>();
  private final Map<String, Integer> starts = new HashMap<>();
  private final AtomicReference<QueueCounts> counts = new AtomicReference<>(QueueCounts.ZERO);
  private long now = 1_000_000;
  private long steps;
  private int processes;
  private int joins;

  private record Timer(Effect.TimerScheduled<JobQueue.Command> effect, long due) {}

  QueueSimulation(long seed) {
    random = new Random(seed);
    for (int i = 0; i < 3; i++) {
      supervisors.add(new Supervisor("e" + i + "@a" + i));
    }
    queue = process();
  }

  private BehaviorTestKit<JobQueue.Command> process() {
    processes++;
    timers.clear();
    questions.clear();
    if (random.nextInt(3) > 0) {
      store.hold();
    }
    BehaviorTestKit<JobQueue.Command> started =
        BehaviorTestKit.create(
            JobQueue.create(
                "demo",
                Policies.store(),
                new JobQueue.Parts(
                    SETTINGS,
                    store,
                    new JobIds(1_000 + processes),
                    () -> Instant.ofEpochMilli(now),
                    new SplittableRandom(processes),
                    new Counted(counts))));
    supervisors.forEach(supervisor -> supervisor.queue = null);
    return started;
  }

  // ---- one step of the world

  void step() {
    steps++;
    now += random.nextInt(300);
    switch (random.nextInt(24)) {
      case 0, 1, 2, 3 -> submit();
      case 4, 5, 6, 7 -> store.letOneGo();
      case 8, 9, 10, 11 -> settle(any());
      case 12 -> sendAgain(any());
      case 13 -> renew(any());
      case 14, 15 -> pull(any());
      case 16 -> join(any());
      case 17 -> ask();
      case 18 -> cancel();
      case 19 -> now += random.nextInt(12_000);
      case 20 -> loseOne();
      case 21 -> trouble();
      case 22 -> kill();
      default -> holdOrLetGo();
    }
    run();
  }

  private void holdOrLetGo() {
    if (random.nextBoolean()) {
      store.hold();
    } else {
      store.letGo();
    }
  }

  private void trouble() {
    if (random.nextInt(3) == 0) {
      store.fail(Optional.of("disk full"));
    } else {
      store.fail(Optional.empty());
    }
  }

  /** The scheduler process is killed; some of what it had asked the store for is done. */
  private void kill() {
    if (random.nextInt(3) > 0) {
      return;
    }
    while (random.nextBoolean() && store.letOneGo()) {}
    store.fail(Optional.empty());
    store = store.next();
    queue = process();
  }

  private Supervisor any() {
    return supervisors.get(random.nextInt(supervisors.size()));
  }

  // ---- clients

  private void submit() {
    int attempts = 1 + random.nextInt(3);
    String key = random.nextInt(3) == 0 ? "key" + random.nextInt(30) : null;
    int delay = random.nextInt(6) == 0 ? random.nextInt(3_000) : 0;
    NewJob job =
        new NewJob(
            "f",
            ContentType.JSON,
            new byte[] {'1'},
            new NewJob.Terms(
                attempts, 1000, random.nextInt(3), "s" + random.nextInt(2), delay, 0, 0),
            key,
            0);
    Duration patience = Duration.ofSeconds(random.nextInt(2) * 5L);
    TestInbox<JobQueue.Answer> inbox = TestInbox.create();
    questions.add(new Question(inbox, attempts, key, false));
    queue.run(new JobQueue.Submit(job, patience, inbox.getRef()));
  }

  private Optional<Promise> anyPromise() {
    List<Promise> all = List.copyOf(promises.values());
    return all.isEmpty() ? Optional.empty() : Optional.of(all.get(random.nextInt(all.size())));
  }

  private void ask() {
    anyPromise()
        .ifPresent(
            promise -> {
              TestInbox<JobQueue.Answer> inbox = TestInbox.create();
              questions.add(new Question(inbox, promise.attempts, null, false));
              queue.run(new JobQueue.Find(promise.id, Duration.ZERO, inbox.getRef()));
            });
  }

  private void cancel() {
    if (random.nextInt(4) == 0) {
      anyPromise()
          .ifPresent(
              promise -> {
                TestInbox<JobQueue.Answer> inbox = TestInbox.create();
                promise.cancelAsked = true;
                questions.add(new Question(inbox, promise.attempts, null, true));
                queue.run(new JobQueue.Cancel(promise.id, inbox.getRef()));
              });
    }
  }

  private void hear() {
    for (Question question : List.copyOf(questions)) {
      if (question.inbox().hasMessages()) {
        JobQueue.Answer answer = question.inbox().receiveMessage();
        questions.remove(question);
        if (answer instanceof JobQueue.Accepted accepted) {
          promised(question, accepted.job());
        } else if (answer instanceof JobQueue.Ended ended) {
          ended(promised(question, ended.job()), ended.job());
        } else if (answer instanceof JobQueue.Unknown unknown) {
          assertThat(promises).as("a promised job is always found").doesNotContainKey(unknown.id());
        }
      }
    }
  }

  private Promise promised(Question question, JobView job) {
    if (question.key() != null) {
      assertThat(idOfKey.computeIfAbsent(question.key(), any -> job.id()))
          .as("one job for key %s", question.key())
          .isEqualTo(job.id());
    }
    return promises.computeIfAbsent(job.id(), id -> new Promise(id, job.attempts()));
  }

  private void ended(Promise promise, JobView job) {
    if (promise.told != null) {
      assertThat(job.state()).as("the end of %s", job.id()).isEqualTo(promise.told);
    }
    promise.told = job.state();
    if (job.state() == JobState.CANCELLED) {
      assertThat(promise.cancelAsked).as("somebody cancelled %s", job.id()).isTrue();
    }
  }

  // ---- supervisors

  private void join(Supervisor supervisor) {
    supervisor.inbox = TestInbox.create("supervisor-" + ++joins);
    supervisor.queue = null;
    queue.run(
        new JobQueue.SupervisorJoined(
            new SupervisorToScheduler.Register(
                supervisor.name,
                1,
                1,
                "demo",
                "f",
                supervisor.name.substring(3),
                "e",
                "host",
                "akka://x",
                List.copyOf(supervisor.held.keySet()),
                List.of(),
                supervisor.inbox.getRef())));
  }

  private void say(Supervisor supervisor, SupervisorToQueue message) {
    if (supervisor.queue != null) {
      supervisor.queue.tell(message);
    }
  }

  private void pull(Supervisor supervisor) {
    say(supervisor, new SupervisorToQueue.Pull(supervisor.name, 3));
  }

  private void renew(Supervisor supervisor) {
    List<AttemptRef> held = List.copyOf(supervisor.held.keySet());
    say(supervisor, new SupervisorToQueue.Renew(supervisor.name, held, held, 3));
  }

  private void settle(Supervisor supervisor) {
    List<Assignment> held = List.copyOf(supervisor.held.values());
    if (held.isEmpty()) {
      return;
    }
    Assignment assignment = held.get(random.nextInt(held.size()));
    supervisor.held.remove(assignment.ref());
    Outcome.Kind kind =
        switch (random.nextInt(6)) {
          case 0 -> Outcome.Kind.LOST;
          case 1 -> Outcome.Kind.FAILED;
          case 2 -> Outcome.Kind.NOT_STARTED;
          default -> Outcome.Kind.SUCCEEDED;
        };
    if (kind != Outcome.Kind.NOT_STARTED) {
      starts.merge(assignment.job(), 1, Integer::sum);
    }
    Outcome outcome =
        new Outcome(
            assignment.job(),
            assignment.attempt(),
            kind,
            ContentType.JSON,
            Integer.toString(assignment.attempt()).getBytes(StandardCharsets.US_ASCII),
            kind == Outcome.Kind.SUCCEEDED ? null : GONE,
            "w",
            10);
    supervisor.unsettled.put(++supervisor.sequence, outcome);
    deliver(supervisor, supervisor.sequence, outcome);
  }

  private void deliver(Supervisor supervisor, long sequence, Outcome outcome) {
    if (supervisor.queue != null) {
      delivered.computeIfAbsent(outcome.ref(), any -> new ArrayList<>()).add(steps);
      say(supervisor, new SupervisorToQueue.Settle(supervisor.name, sequence, List.of(outcome), 3));
    }
  }

  private void sendAgain(Supervisor supervisor) {
    new TreeMap<>(supervisor.unsettled)
        .forEach((sequence, outcome) -> deliver(supervisor, sequence, outcome));
  }

  private void loseOne() {
    if (random.nextInt(3) == 0) {
      Supervisor lost = any();
      // What it had started has started, whatever becomes of it.
      lost.held.values().forEach(each -> starts.merge(each.job(), 1, Integer::sum));
      lost.held.clear();
      lost.unsettled.clear();
      lost.queue = null;
      queue.run(new JobQueue.SupervisorLost(lost.name, GONE));
    }
  }

  private void take(Supervisor supervisor) {
    while (supervisor.inbox.hasMessages()) {
      SchedulerToSupervisor message = supervisor.inbox.receiveMessage();
      if (message instanceof SchedulerToSupervisor.Registered registered) {
        supervisor.queue = registered.queue();
        sendAgain(supervisor);
        pull(supervisor);
      } else if (message instanceof SchedulerToSupervisor.Assign assign) {
        supervisor.unsettled.headMap(assign.settledUpTo(), true).clear();
        for (Assignment assignment : assign.assignments()) {
          Long before =
              handedOut
                  .computeIfAbsent(assignment.job(), any -> new TreeMap<>())
                  .put(assignment.attempt(), steps);
          assertThat(before).as("attempt %s goes out once", assignment.ref()).isNull();
          supervisor.held.put(assignment.ref(), assignment);
        }
      } else if (message instanceof SchedulerToSupervisor.Cancel cancel) {
        cancel.attempts().forEach(ref -> withdrawn(supervisor, ref));
      }
    }
  }

  private void withdrawn(Supervisor supervisor, AttemptRef ref) {
    Assignment assignment = supervisor.held.remove(ref);
    if (assignment != null && random.nextBoolean()) {
      starts.merge(ref.job(), 1, Integer::sum);
    }
  }

  // ---- the machine

  private void run() {
    boolean more = true;
    while (more) {
      more = false;
      while (queue.selfInbox().hasMessages()) {
        queue.runOne();
        more = true;
      }
      for (Effect effect : queue.getAllEffects()) {
        note(effect);
      }
      for (Supervisor supervisor : supervisors) {
        more |= supervisor.inbox.hasMessages();
        take(supervisor);
      }
      hear();
      for (Object key : List.copyOf(timers.keySet())) {
        Timer timer = timers.get(key);
        if (timer != null && timer.due() <= now) {
          timers.remove(key);
          queue.run(timer.effect().msg());
          if (timer.effect().mode().toString().contains("FixedDelay")) {
            timers.put(key, new Timer(timer.effect(), now + timer.effect().duration().toMillis()));
          }
          more = true;
        }
      }
    }
  }

  @SuppressWarnings("unchecked")
  private void note(Effect effect) {
    if (effect instanceof Effect.TimerScheduled<?> scheduled) {
      timers.put(
          scheduled.key(),
          new Timer(
              (Effect.TimerScheduled<JobQueue.Command>) scheduled,
              now + scheduled.duration().toMillis()));
    } else if (effect instanceof Effect.TimerCancelled cancelled) {
      timers.remove(cancelled.key());
    }
  }

  // ---- the end

  /** From now on all goes well; then everything that was promised must have been kept. */
  void finish() {
    store.fail(Optional.empty());
    store.letGo();
    supervisors.forEach(this::join);
    run();
    for (int round = 0; round < 400 && !allEnded(); round++) {
      now += 2_000;
      for (Supervisor supervisor : supervisors) {
        sendAgain(supervisor);
        while (!supervisor.held.isEmpty()) {
          settle(supervisor);
        }
        renew(supervisor);
      }
      run();
    }
    Map<String, StoredJob> rows = new HashMap<>();
    store.rows().forEach(row -> rows.put(JobIds.text(row.id()), row));
    for (Promise promise : promises.values()) {
      StoredJob row = rows.get(promise.id);
      assertThat(row)
          .as(
              "the row of %s, told %s, %s attempts, of process %s of %s",
              promise.id,
              promise.told,
              promise.attempts,
              JobIds.prefixOf(promise.id).getAsLong() - 1000,
              processes)
          .isNotNull();
      assertThat(row.state().ended()).as("%s has ended: %s, %s", promise.id, row, counts).isTrue();
      if (promise.told != null) {
        assertThat(row.state()).as("the end of %s", promise.id).isEqualTo(promise.told);
      }
      if (promise.attempts == 1) {
        assertThat(starts.getOrDefault(promise.id, 0)).as("starts of %s", promise.id).isLessThan(2);
      }
      if (row.state() == JobState.SUCCEEDED) {
        notOvertaken(
            promise.id, Integer.parseInt(new String(row.result(), StandardCharsets.US_ASCII)));
      }
    }
  }

  private boolean allEnded() {
    return store.rows().stream().allMatch(row -> row.state().ended())
        && supervisors.stream().allMatch(each -> each.held.isEmpty());
  }

  /** When the outcome that counts came, no later attempt had been handed out. */
  private void notOvertaken(String id, int attempt) {
    Map<Integer, Long> attempts = handedOut.getOrDefault(id, Map.of());
    boolean current =
        delivered.getOrDefault(new AttemptRef(id, attempt), List.of()).stream()
            .anyMatch(
                at ->
                    attempts.entrySet().stream()
                        .noneMatch(other -> other.getKey() > attempt && other.getValue() < at));
    assertThat(current)
        .as(
            "attempt %s of %s was overtaken: %s, %s",
            attempt,
            id,
            attempts,
            delivered.entrySet().stream().filter(e -> e.getKey().job().equals(id)).toList())
        .isTrue();
  }

  int promises() {
    return promises.size();
  }

  int processes() {
    return processes;
  }
}
