package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random histories of one queue and its supervisors, compared with a model of what each job must be
 * after every step. A failure names the seed; run that one alone by putting it into {@link #seeds}.
 */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class QueueModelTest {
  private static final int STEPS = 400;
  private static final long LEASE = 10_000;
  private static final Cause GONE = Cause.of(Cause.Kind.AGENT_LOST, "gone");

  static List<Integer> seeds() {
    return new Random(20261123).ints(250).boxed().toList();
  }

  /** What a job must be. */
  private static final class ModelJob {
    final int attempts;
    final int priority;
    long place;
    boolean returned;
    JobState state = JobState.QUEUED;
    int fence;
    int started;
    boolean seenRunning;
    String holder = "";
    long leaseUntil;
    boolean mayHaveStarted;
    int ends;

    ModelJob(int attempts, int priority, long place) {
      this.attempts = attempts;
      this.priority = priority;
      this.place = place;
    }
  }

  /** What a supervisor has in its hands, whatever the queue thinks. */
  private static final class ModelSupervisor {
    int capacity;
    boolean present;
    final Map<AttemptRef, Assignment> held = new LinkedHashMap<>();
  }

  private static final class History implements QueueState.Outbox {
    final Random random;
    final QueueState queue;
    final Map<String, ModelJob> jobs = new LinkedHashMap<>();
    final Map<String, ModelSupervisor> supervisors = new TreeMap<>();
    final List<Outcome> told = new ArrayList<>();
    final Set<AttemptRef> everAssigned = new HashSet<>();
    long now;
    long places;

    History(int seed) {
      random = new Random(seed);
      queue =
          new QueueState(
              "demo",
              new QueueState.Limits(
                  10_000, 1 << 20, 10_000, 10_000, 1 << 20, Duration.ofDays(1), 100),
              1 << 20,
              Duration.ofMillis(LEASE),
              new JobIds(1),
              Policies.memory(),
              new SplittableRandom(seed),
              this);
      for (int i = 0; i < 3; i++) {
        supervisors.put("e" + i + "@a" + i, new ModelSupervisor());
      }
    }

    // ---- what the queue does

    @Override
    public void assign(String supervisor, Assignment assignment) {
      ModelJob job = jobs.get(assignment.job());
      ModelSupervisor at = supervisors.get(supervisor);
      assertThat(everAssigned.add(assignment.ref())).as("an attempt goes out once").isTrue();
      assertThat(job.state).isEqualTo(JobState.QUEUED);
      assertThat(job).as("whose turn it is").isSameAs(next());
      assertThat(at.present).as("only who is there gets jobs").isTrue();
      assertThat(assignment.exclusive()).isEqualTo(job.attempts == 1);
      assertThat(job.attempts == 1 && job.mayHaveStarted)
          .as("at most once means that it never goes out again")
          .isFalse();
      job.state = JobState.RUNNING;
      job.fence = assignment.attempt();
      job.holder = supervisor;
      job.seenRunning = false;
      job.mayHaveStarted = true;
      job.leaseUntil = now + LEASE;
      at.held.put(assignment.ref(), assignment);
      assertThat(heldOf(supervisor)).isLessThanOrEqualTo(at.capacity);
    }

    @Override
    public void withdraw(String supervisor, AttemptRef attempt) {
      assertThat(supervisors.get(supervisor).held).containsKey(attempt);
    }

    @Override
    public void changed(Job job) {
      if (job.state.ended()) {
        jobs.get(job.id).ends++;
      }
    }

    @Override
    public void keep(Job job) {
      throw new AssertionError("These jobs are in memory only: " + job.id);
    }

    private long heldOf(String supervisor) {
      return jobs.values().stream()
          .filter(job -> job.state == JobState.RUNNING && job.holder.equals(supervisor))
          .count();
    }

    private ModelJob next() {
      return jobs.values().stream()
          .filter(job -> job.state == JobState.QUEUED)
          .min(
              Comparator.comparing((ModelJob job) -> -job.priority)
                  .thenComparing(job -> !job.returned)
                  .thenComparing(job -> job.place))
          .orElseThrow();
    }

    // ---- what the world does

    void step() {
      now += random.nextInt(500);
      switch (random.nextInt(13)) {
        case 0, 1, 2 -> submit();
        case 3, 4, 5 -> settle();
        case 6 -> pull();
        case 7 -> renew();
        case 8 -> tellAgain();
        case 9 -> cancel();
        case 10 -> retry();
        case 11 -> comeOrGo();
        default -> timePasses();
      }
      queue.assign(now);
      check();
    }

    private void submit() {
      for (int i = random.nextInt(4); i >= 0; i--) {
        int attempts = 1 + random.nextInt(3);
        int priority = random.nextInt(3) - 1;
        ModelJob model = new ModelJob(attempts, priority, places++);
        Job job =
            queue.submit(
                new NewJob(
                    "f",
                    ContentType.JSON,
                    new byte[] {'1'},
                    new NewJob.Terms(attempts, 1000, priority),
                    null,
                    0),
                null,
                now);
        jobs.put(job.id, model);
      }
    }

    private String anySupervisor() {
      return List.copyOf(supervisors.keySet()).get(random.nextInt(supervisors.size()));
    }

    private Optional<Assignment> anyHeld(String supervisor) {
      List<Assignment> held = List.copyOf(supervisors.get(supervisor).held.values());
      return held.isEmpty() ? Optional.empty() : Optional.of(held.get(random.nextInt(held.size())));
    }

    private void settle() {
      String supervisor = anySupervisor();
      anyHeld(supervisor)
          .ifPresent(
              assignment -> {
                Outcome.Kind[] kinds = Outcome.Kind.values();
                tell(supervisor, assignment, kinds[random.nextInt(kinds.length)]);
              });
    }

    private void tell(String supervisor, Assignment assignment, Outcome.Kind kind) {
      supervisors.get(supervisor).held.remove(assignment.ref());
      Outcome outcome =
          new Outcome(
              assignment.job(),
              assignment.attempt(),
              kind,
              ContentType.JSON,
              new byte[] {'2'},
              kind == Outcome.Kind.SUCCEEDED ? null : GONE,
              "w",
              10);
      told.add(outcome);
      hear(outcome);
      queue.settle(supervisor, outcome, now);
    }

    private void tellAgain() {
      if (!told.isEmpty()) {
        Outcome outcome = told.get(random.nextInt(told.size()));
        hear(outcome);
        queue.settle(anySupervisor(), outcome, now);
      }
    }

    private void hear(Outcome outcome) {
      ModelJob job = jobs.get(outcome.job());
      if (job.state != JobState.RUNNING || job.fence != outcome.attempt()) {
        return;
      }
      switch (outcome.kind()) {
        case SUCCEEDED -> job.state = JobState.SUCCEEDED;
        case FAILED -> job.state = JobState.FAILED;
        case LOST -> lost(job, true);
        case CANCELLED -> lost(job, job.seenRunning || job.attempts == 1);
        case NOT_STARTED -> {
          job.mayHaveStarted = false;
          lost(job, false);
        }
      }
    }

    private void lost(ModelJob job, boolean counts) {
      job.started += counts ? 1 : 0;
      job.returned = true;
      job.state = job.started >= job.attempts ? JobState.DEAD : JobState.QUEUED;
    }

    private void pull() {
      String supervisor = anySupervisor();
      ModelSupervisor model = supervisors.get(supervisor);
      int capacity = random.nextInt(6);
      if (model.present) {
        model.capacity = capacity;
      }
      queue.capacity(supervisor, capacity);
    }

    private void renew() {
      String supervisor = anySupervisor();
      ModelSupervisor model = supervisors.get(supervisor);
      List<AttemptRef> held = new ArrayList<>(model.held.keySet());
      held.removeIf(ref -> random.nextInt(5) == 0);
      List<AttemptRef> running = held.stream().filter(ref -> random.nextBoolean()).toList();
      if (queue.knows(supervisor)) {
        renewed(supervisor, held, running);
      }
      queue.renew(supervisor, held, running, now);
    }

    private void renewed(String supervisor, List<AttemptRef> held, List<AttemptRef> running) {
      for (AttemptRef ref : held) {
        ModelJob job = jobs.get(ref.job());
        if (job.state == JobState.RUNNING
            && job.fence == ref.attempt()
            && job.holder.equals(supervisor)) {
          job.leaseUntil = now + LEASE;
          job.seenRunning |= running.contains(ref);
        }
      }
    }

    private void cancel() {
      anyJob()
          .ifPresent(
              id -> {
                ModelJob model = jobs.get(id);
                if (!model.state.ended()) {
                  model.state = JobState.CANCELLED;
                }
                queue.cancel(queue.find(id).orElseThrow(), GONE, now);
              });
    }

    private void retry() {
      anyJob()
          .ifPresent(
              id -> {
                ModelJob model = jobs.get(id);
                boolean retryable =
                    Set.of(JobState.FAILED, JobState.CANCELLED, JobState.DEAD)
                        .contains(model.state);
                assertThat(queue.retry(queue.find(id).orElseThrow(), now)).isEqualTo(retryable);
                if (retryable) {
                  model.state = JobState.QUEUED;
                  model.started = 0;
                  model.returned = false;
                  model.mayHaveStarted = false;
                  model.place = places++;
                  model.ends--;
                }
              });
    }

    private Optional<String> anyJob() {
      List<String> ids = List.copyOf(jobs.keySet());
      return ids.isEmpty() ? Optional.empty() : Optional.of(ids.get(random.nextInt(ids.size())));
    }

    private void comeOrGo() {
      String supervisor = anySupervisor();
      ModelSupervisor model = supervisors.get(supervisor);
      switch (random.nextInt(4)) {
        case 0, 1 -> {
          model.present = true;
          model.capacity = 0;
          renewed(supervisor, List.copyOf(model.held.keySet()), List.of());
          queue.join(supervisor, List.copyOf(model.held.keySet()), now);
        }
        case 2 -> {
          model.present = false;
          model.capacity = 0;
          queue.away(supervisor);
        }
        default -> {
          model.present = false;
          model.capacity = 0;
          model.held.clear();
          for (ModelJob job : jobs.values()) {
            if (job.state == JobState.RUNNING && job.holder.equals(supervisor)) {
              lost(job, job.seenRunning || job.attempts == 1);
            }
          }
          queue.lost(supervisor, GONE, now);
        }
      }
    }

    private void timePasses() {
      now += random.nextInt((int) LEASE);
      for (ModelJob job : jobs.values()) {
        if (job.state == JobState.RUNNING && job.leaseUntil <= now) {
          lost(job, job.seenRunning || job.attempts == 1);
        }
      }
      queue.expire(now);
    }

    // ---- what must hold

    void check() {
      Map<JobState, Long> states = new EnumMap<>(JobState.class);
      jobs.forEach(
          (id, model) -> {
            Job job = queue.find(id).orElseThrow();
            assertThat(job.state).as("job %s", id).isEqualTo(model.state);
            assertThat(job.started).as("starts of %s", id).isBetween(0, model.attempts);
            assertThat(model.ends).as("ends of %s", id).isEqualTo(job.state.ended() ? 1 : 0);
            states.merge(job.state, 1L, Long::sum);
          });
      QueueCounts counts = queue.counts();
      assertThat((long) counts.queued()).isEqualTo(states.getOrDefault(JobState.QUEUED, 0L));
      assertThat((long) counts.running()).isEqualTo(states.getOrDefault(JobState.RUNNING, 0L));
      assertThat(counts.succeeded()).isEqualTo(states.getOrDefault(JobState.SUCCEEDED, 0L));
      assertThat(counts.failed()).isEqualTo(states.getOrDefault(JobState.FAILED, 0L));
      assertThat(counts.cancelled()).isEqualTo(states.getOrDefault(JobState.CANCELLED, 0L));
      assertThat(counts.dead()).isEqualTo(states.getOrDefault(JobState.DEAD, 0L));
      assertThat(counts.bytes()).isEqualTo(counts.queued() + counts.running());
    }

    /** From now on all goes well: everything must end. */
    void finish() {
      now += 2 * LEASE;
      for (ModelJob job : jobs.values()) {
        if (job.state == JobState.RUNNING) {
          lost(job, job.seenRunning || job.attempts == 1);
        }
      }
      queue.expire(now);
      supervisors.forEach(
          (id, model) -> {
            model.held.clear();
            model.present = true;
            model.capacity = 4;
            queue.join(id, List.of(), now);
            queue.capacity(id, 4);
          });
      queue.assign(now);
      while (supervisors.values().stream().anyMatch(model -> !model.held.isEmpty())) {
        supervisors.forEach(
            (id, model) ->
                List.copyOf(model.held.values())
                    .forEach(assignment -> tell(id, assignment, Outcome.Kind.SUCCEEDED)));
        queue.assign(now);
      }
      check();
      assertThat(jobs.values()).allMatch(job -> job.state.ended());
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void every_accepted_job_is_what_the_model_says_and_ends_once(int seed) {
    History history = new History(seed);
    for (int step = 0; step < STEPS; step++) {
      history.step();
    }
    history.finish();
  }
}
