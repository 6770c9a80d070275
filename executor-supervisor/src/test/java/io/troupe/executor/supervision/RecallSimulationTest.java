package io.troupe.executor.supervision;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.codec.Frame;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A desk and its pipes, and processes that do what PROTOCOL.md says; all else happens at any time.
 * The same seed does the same again.
 */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class RecallSimulationTest {
  private static final int JOBS = 300;

  static IntStream seeds() {
    return IntStream.range(0, 100);
  }

  /** A worker: its pipe, and the process at the other end. */
  private static final class Served {
    final String name;
    final JobPipe pipe;
    final Deque<Frame> sent = new ArrayDeque<>();
    final Deque<Frame> answers = new ArrayDeque<>();
    long running;
    long begun;
    long returned;
    long asked;
    long askedTo;

    Served(String name) {
      this.name = name;
      this.pipe = new JobPipe(name, 1);
    }
  }

  private final JobDesk desk = new JobDesk();
  private final List<Served> workers = List.of(new Served("a"), new Served("b"), new Served("c"));
  private final Deque<Assignment> queue = new ArrayDeque<>();
  private final Set<String> ran = new HashSet<>();
  private final Set<String> cancelled = new HashSet<>();
  private final Map<String, Outcome.Kind> ended = new HashMap<>();
  private int recalled;

  /** What each job takes: short ones are not worth sharing. */
  private long jobNanos;

  @ParameterizedTest
  @MethodSource("seeds")
  void each_job_runs_once_or_is_cancelled_and_none_is_forgotten(int seed) {
    Random random = new Random(seed);
    jobNanos = seed % 2 == 0 ? 1000 : 10_000_000;
    workers.forEach(worker -> desk.ready(worker.name, 1));
    for (int i = 0; i < JOBS; i++) {
      queue.add(job("j" + i, 1, random.nextInt(20) == 0));
    }
    for (int step = 0; ended.size() < JOBS; step++) {
      assertThat(step).as("steps").isLessThan(100_000);
      step(random, workers.get(random.nextInt(workers.size())));
    }
    assertThat(desk.held()).isEmpty();
    assertThat(workers).allMatch(worker -> worker.pipe.isEmpty());
    assertThat(recalled).isPositive();
    ended.forEach(
        (job, kind) -> {
          assertThat(ran.contains(job)).as(job).isEqualTo(kind == Outcome.Kind.SUCCEEDED);
          assertThat(kind == Outcome.Kind.SUCCEEDED || cancelled.contains(job)).as(job).isTrue();
        });
  }

  private static Assignment job(String name, int attempt, boolean exclusive) {
    return new Assignment(name, attempt, "f", ContentType.JSON, new byte[0], 1000, exclusive);
  }

  private void step(Random random, Served worker) {
    switch (random.nextInt(10)) {
      case 0 -> take(random.nextInt(12));
      case 1, 2 -> begin(worker);
      case 3 -> end(worker);
      case 4, 5 -> deliver(worker, random.nextInt(4));
      case 6 -> look();
      case 7 -> hear(worker);
      case 8 -> cancel(random);
      default -> place();
    }
  }

  private void take(int most) {
    for (int i = 0; i < most && !queue.isEmpty() && desk.held().size() < desk.capacity(); i++) {
      desk.take(List.of(queue.removeFirst()));
    }
  }

  private void place() {
    Map<String, List<Assignment>> batches = desk.place();
    for (Served worker : workers) {
      worker.sent.addAll(worker.pipe.add(batches.getOrDefault(worker.name, List.of()), 0));
    }
    ask(desk.share().stream().toList());
  }

  private void begin(Served worker) {
    while (worker.running == 0 && !worker.sent.isEmpty()) {
      Frame next = worker.sent.removeFirst();
      if (next.id() > worker.returned) {
        worker.running = next.id();
        worker.begun = next.id();
        // The head of the pipe may be an earlier one, whose answer is on its way.
      }
    }
  }

  private void end(Served worker) {
    if (worker.running != 0) {
      worker.answers.add(frame(Frame.Type.RESULT, worker.running));
      worker.running = 0;
    }
  }

  private static Frame frame(Frame.Type type, long id) {
    return new Frame(type, ContentType.JSON, id, "", new byte[0]);
  }

  private void look() {
    giveBack(desk.look());
    ask(desk.recall());
  }

  private void ask(List<String> names) {
    for (Served worker : workers) {
      if (names.contains(worker.name)) {
        worker
            .pipe
            .recall(worker.begun)
            .ifPresent(
                last -> {
                  worker.asked = worker.begun;
                  worker.askedTo = last;
                });
      }
    }
  }

  /** The signal comes, early or late. */
  private void hear(Served worker) {
    boolean runs = worker.running != 0 && worker.running == worker.asked;
    if (runs && worker.askedTo > Math.max(worker.running, worker.returned)) {
      worker.returned = worker.askedTo;
      worker.answers.add(frame(Frame.Type.RETURNED, worker.askedTo));
    }
  }

  private void deliver(Served worker, int most) {
    List<Frame> frames = new ArrayList<>();
    while (frames.size() < most && !worker.answers.isEmpty()) {
      frames.add(worker.answers.removeFirst());
    }
    List<Outcome> outcomes = new ArrayList<>();
    List<Assignment> returned = new ArrayList<>();
    worker.pipe.answered(frames, jobNanos, outcomes, returned);
    for (Outcome outcome : outcomes) {
      assertThat(ran.add(outcome.job())).as(outcome.job()).isTrue();
      settle(outcome.job(), outcome.kind());
    }
    recalled += returned.size();
    if (!returned.isEmpty()) {
      desk.returned(worker.name, returned, outcomes)
          .forEach(job -> settle(job.job(), Outcome.Kind.CANCELLED));
      giveBack(desk.stranded());
    } else if (!outcomes.isEmpty()) {
      desk.settled(worker.name, outcomes);
    }
  }

  private void settle(String job, Outcome.Kind kind) {
    assertThat(ended.put(job, kind)).as(job).isNull();
  }

  /** As another attempt, before all others. */
  private void giveBack(List<Assignment> jobs) {
    for (int i = jobs.size() - 1; i >= 0; i--) {
      Assignment job = jobs.get(i);
      if (cancelled.contains(job.job())) {
        settle(job.job(), Outcome.Kind.CANCELLED);
      } else {
        queue.addFirst(job(job.job(), job.attempt() + 1, job.exclusive()));
      }
    }
  }

  private void cancel(Random random) {
    List<AttemptRef> held = desk.held();
    if (!held.isEmpty() && random.nextInt(10) == 0) {
      List<AttemptRef> one = List.of(held.get(random.nextInt(held.size())));
      cancelled.add(one.get(0).job());
      desk.withdraw(one).forEach(job -> settle(job.job(), Outcome.Kind.CANCELLED));
      workers.forEach(worker -> worker.pipe.cancel(one));
    }
  }
}
