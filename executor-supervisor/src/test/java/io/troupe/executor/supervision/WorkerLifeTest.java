package io.troupe.executor.supervision;

import static io.troupe.model.WorkerState.BACKING_OFF;
import static io.troupe.model.WorkerState.DRAINING;
import static io.troupe.model.WorkerState.FAILED;
import static io.troupe.model.WorkerState.PREPARING;
import static io.troupe.model.WorkerState.READY;
import static io.troupe.model.WorkerState.STARTING;
import static io.troupe.model.WorkerState.STOPPING;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import io.troupe.executor.supervision.FakeServers.FakeServer;
import io.troupe.executor.supervision.WorkerLife.Step;
import io.troupe.model.Container;
import io.troupe.model.ContentType;
import io.troupe.model.HttpChecks;
import io.troupe.model.Requirements;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.model.WorkerState;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.TaskData;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every step of a worker's life is taken once, and there are no others. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class WorkerLifeTest {
  private static final Duration GRACE = Duration.ofSeconds(10);
  private static final int CRASH_BUDGET = 2;
  private static final WorkerSettings SETTINGS =
      new WorkerSettings(
          GRACE,
          new Backoff(Duration.ofMillis(50), Duration.ofSeconds(1), Duration.ofSeconds(60)),
          CRASH_BUDGET,
          Duration.ofSeconds(30),
          Duration.ofSeconds(2));

  @RegisterExtension final ActorTest actors = new ActorTest();

  private final FakeServers servers = new FakeServers();
  private Requirements requirements = Requirements.NONE;
  private TestProbe<WorkerFact> facts;
  private ActorRef<Worker.Command> worker;

  /** What leads to the last state before the step, and takes the step. */
  private final Map<Step, Supplier<List<@Nullable WorkerState>>> lives =
      Map.ofEntries(
          Map.entry(new Step(null, STARTING), () -> states(STARTING)),
          Map.entry(
              new Step(null, PREPARING),
              () -> {
                preparing(WorkerProtocol.FRAMES);
                return states(PREPARING);
              }),
          Map.entry(
              new Step(PREPARING, STARTING),
              () -> {
                preparing(WorkerProtocol.FRAMES).prepared();
                return states(PREPARING, STARTING);
              }),
          Map.entry(
              new Step(PREPARING, BACKING_OFF),
              () -> {
                preparing(WorkerProtocol.FRAMES).dieBy(9);
                return states(PREPARING, BACKING_OFF);
              }),
          Map.entry(
              new Step(PREPARING, FAILED),
              () -> {
                preparing(WorkerProtocol.FRAMES).exit(77);
                return states(PREPARING, FAILED);
              }),
          Map.entry(
              new Step(PREPARING, STOPPING),
              () -> {
                preparing(WorkerProtocol.FRAMES);
                worker.tell(new Worker.Stop(GRACE));
                return states(PREPARING, STOPPING);
              }),
          Map.entry(
              new Step(BACKING_OFF, PREPARING),
              () -> {
                preparing(WorkerProtocol.FRAMES).dieBy(9);
                expect(PREPARING, BACKING_OFF);
                actors.pass(Duration.ofMillis(50));
                return states(PREPARING);
              }),
          Map.entry(
              new Step(DRAINING, PREPARING),
              () -> {
                FakeServer server = preparing(WorkerProtocol.HTTP);
                server.prepared();
                server.ready();
                run("a");
                server.answer(1);
                assertThat(server.told()).isEqualTo("terminate");
                server.exit(0);
                return states(PREPARING, STARTING, READY, DRAINING, PREPARING);
              }),
          Map.entry(new Step(STARTING, READY), () -> ready()),
          Map.entry(
              new Step(STARTING, BACKING_OFF),
              () -> {
                servers.next().exit(1);
                return states(STARTING, BACKING_OFF);
              }),
          Map.entry(
              new Step(STARTING, FAILED),
              () -> {
                servers.next().exit(78);
                return states(STARTING, FAILED);
              }),
          Map.entry(
              new Step(STARTING, STOPPING),
              () -> {
                worker.tell(new Worker.Stop(GRACE));
                return states(STARTING, STOPPING);
              }),
          Map.entry(new Step(READY, BACKING_OFF), () -> readyAnd(1, READY, BACKING_OFF)),
          Map.entry(new Step(READY, FAILED), () -> readyAnd(127, READY, FAILED)),
          Map.entry(
              new Step(READY, DRAINING),
              () -> {
                drain();
                return states(STARTING, READY, DRAINING);
              }),
          Map.entry(
              new Step(READY, STOPPING),
              () -> {
                servers.next().ready();
                worker.tell(new Worker.Stop(GRACE));
                return states(STARTING, READY, STOPPING);
              }),
          Map.entry(
              new Step(BACKING_OFF, STARTING),
              () -> {
                servers.next().exit(1);
                expect(STARTING, BACKING_OFF);
                actors.pass(Duration.ofMillis(50));
                return states(STARTING);
              }),
          Map.entry(
              new Step(BACKING_OFF, null),
              () -> {
                servers.next().exit(1);
                worker.tell(new Worker.Stop(GRACE));
                return states(STARTING, BACKING_OFF, null);
              }),
          Map.entry(
              new Step(DRAINING, STOPPING),
              () -> {
                drain().answer(1);
                return states(STARTING, READY, DRAINING, STOPPING);
              }),
          Map.entry(
              new Step(DRAINING, null),
              () -> {
                drain().exit(1);
                return states(STARTING, READY, DRAINING, null);
              }),
          Map.entry(
              new Step(STOPPING, null),
              () -> {
                FakeServer server = servers.next();
                worker.tell(new Worker.Stop(GRACE));
                server.exit(0);
                return states(STARTING, STOPPING, null);
              }),
          Map.entry(
              new Step(DRAINING, READY),
              () -> {
                recycle().answer(1);
                return states(STARTING, READY, DRAINING, READY);
              }),
          Map.entry(
              new Step(DRAINING, BACKING_OFF),
              () -> {
                recycle().exit(1);
                return states(STARTING, READY, DRAINING, BACKING_OFF);
              }),
          Map.entry(
              new Step(DRAINING, FAILED),
              () -> {
                recycle().exit(127);
                return states(STARTING, READY, DRAINING, FAILED);
              }),
          Map.entry(
              new Step(DRAINING, STARTING),
              () -> {
                servers.next();
                start(WorkerProtocol.HTTP);
                FakeServer server = servers.next().ready();
                run("a");
                server.answer(1);
                assertThat(server.told()).isEqualTo("terminate");
                server.exit(0);
                return states(STARTING, READY, DRAINING, STARTING);
              }),
          Map.entry(
              new Step(FAILED, null),
              () -> {
                servers.next().exit(78);
                return states(STARTING, FAILED, null);
              }));

  static Stream<Step> steps() {
    return WorkerLife.STEPS.stream().sorted(Comparator.comparing(Step::toString));
  }

  @BeforeEach
  void start() {
    start(WorkerProtocol.FRAMES);
  }

  private void start(WorkerProtocol protocol) {
    facts = actors.kit().createTestProbe();
    worker =
        actors
            .kit()
            .spawn(
                Worker.create(
                    "w",
                    new TaskData.Worker(
                        "serve",
                        protocol,
                        List.of(),
                        Map.of(),
                        List.of(),
                        64,
                        0.1,
                        Duration.ofSeconds(60),
                        new Upkeep(0, 0, 0, -1, 0, 1, Duration.ZERO, 0, Duration.ZERO),
                        HttpChecks.NONE,
                        requirements,
                        Container.NONE,
                        List.of(),
                        Serving.ONE_AT_A_TIME),
                    SETTINGS,
                    servers,
                    actors::nanos,
                    facts.getRef()));
  }

  @ParameterizedTest
  @MethodSource("steps")
  void a_worker_goes_from(Step step) {
    assertThat(lives).as("lives that take the step").containsKey(step);
    List<@Nullable WorkerState> states = lives.get(step).get();
    assertThat(states.get(states.size() - 1)).isEqualTo(step.to());
  }

  @Test
  void a_step_that_is_not_in_the_table_is_a_fault() {
    WorkerLife life = new WorkerLife();
    life.to(STARTING);
    life.to(STARTING);
    assertThatThrownBy(() -> life.to(DRAINING))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("a worker does not go from STARTING to DRAINING");
  }

  private List<@Nullable WorkerState> ready() {
    servers.next().ready();
    return states(STARTING, READY);
  }

  private List<@Nullable WorkerState> readyAnd(int exitCode, WorkerState... last) {
    FakeServer server = servers.next().ready();
    server.exit(exitCode);
    return states(Stream.concat(Stream.of(STARTING), Stream.of(last)).toArray(WorkerState[]::new));
  }

  /** One whose first process is still being prepared for. */
  private FakeServer preparing(WorkerProtocol protocol) {
    servers.next();
    requirements = new Requirements("0".repeat(64), "python3", "", Duration.ofMinutes(5));
    start(protocol);
    return servers.next();
  }

  private FakeServer drain() {
    FakeServer server = servers.next().ready();
    run("a");
    worker.tell(new Worker.Stop(GRACE));
    return server;
  }

  /** One that has done its one job and still has another when its replacement is ready. */
  private FakeServer recycle() {
    FakeServer server = servers.next().ready();
    run("a", "b");
    server.answer(1);
    servers.next().ready();
    return server;
  }

  private void run(String... jobs) {
    worker.tell(
        new Worker.Run(
            Stream.of(jobs)
                .map(
                    job ->
                        new Assignment(
                            job, 1, "f", ContentType.JSON, "1".getBytes(UTF_8), 60_000, false))
                .toList()));
  }

  /** Just these states come, one after the other; null is the end. */
  private List<@Nullable WorkerState> states(@Nullable WorkerState... expected) {
    expect(expected);
    return java.util.Arrays.asList(expected);
  }

  private void expect(@Nullable WorkerState... expected) {
    WorkerState last = null;
    for (WorkerState wanted : expected) {
      WorkerState next = last;
      while (next == last) {
        WorkerFact fact = facts.receiveMessage();
        if (fact instanceof WorkerFact.Changed changed) {
          next = changed.state();
        } else if (fact instanceof WorkerFact.Ended) {
          next = null;
          break;
        }
      }
      assertThat(next).isEqualTo(wanted);
      last = next;
    }
  }
}
