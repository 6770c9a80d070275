package io.troupe.executor.supervision;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import io.troupe.executor.supervision.FakeServers.FakeServer;
import io.troupe.model.Cause;
import io.troupe.model.Container;
import io.troupe.model.ContentType;
import io.troupe.model.HttpChecks;
import io.troupe.model.Raised;
import io.troupe.model.Requirements;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.model.WorkerState;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.Parts;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.codec.Frame;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class WorkerTest {
  private static final Duration MOMENT = Duration.ofMillis(1);
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final WorkerSettings SETTINGS =
      new WorkerSettings(
          Duration.ofSeconds(5),
          new Backoff(Duration.ofMillis(50), Duration.ofSeconds(1), Duration.ofSeconds(60)),
          3,
          Duration.ofSeconds(30),
          Duration.ofSeconds(2));

  private static final Ladder LADDER = Ladder.ending(SETTINGS.cancelGrace());

  @RegisterExtension final ActorTest actors = new ActorTest();

  private final FakeServers servers = new FakeServers();
  private Requirements requirements = Requirements.NONE;
  private Serving serving = Serving.ONE_AT_A_TIME;
  private TestProbe<WorkerFact> facts;
  private ActorRef<Worker.Command> worker;

  @BeforeEach
  void start() {
    start(Upkeep.NONE);
  }

  private void start(Upkeep upkeep) {
    facts = actors.kit().createTestProbe();
    worker =
        actors
            .kit()
            .spawn(
                Worker.create(
                    "w",
                    new TaskData.Worker(
                        "serve",
                        WorkerProtocol.FRAMES,
                        List.of(),
                        Map.of(),
                        List.of(),
                        64,
                        0.1,
                        START_TIMEOUT,
                        upkeep,
                        HttpChecks.NONE,
                        requirements,
                        Container.NONE,
                        List.of(),
                        serving),
                    SETTINGS,
                    servers,
                    actors::nanos,
                    facts.getRef()));
  }

  @Test
  void what_it_requires_has_a_time_of_its_own_and_is_not_tried_again_when_that_is_over() {
    servers.next();
    requirements = new Requirements("0".repeat(64), "python3", "", Duration.ofMinutes(5));
    start(Upkeep.NONE);
    FakeServer server = servers.next();
    expectState(WorkerState.PREPARING);
    actors.pass(START_TIMEOUT.plusSeconds(1));
    actors.pass(Duration.ofMinutes(5).minus(START_TIMEOUT));
    actors.pass(LADDER.look());
    assertThat(server.told()).isEqualTo("stacks");
    assertThat(server.told()).isEqualTo("kill");
    server.dieBy(9);
    WorkerFact.Ended ended = expectEnded();
    assertThat(ended.cause().kind()).isEqualTo(Cause.Kind.TIMEOUT);
    assertThat(ended.cause().message())
        .startsWith("its requirements were not installed within 300 s");
    assertThat(servers.none()).isTrue();
  }

  @Test
  void what_cannot_be_installed_fails_it_at_once_with_the_last_lines() {
    servers.next();
    requirements = new Requirements("0".repeat(64), "python3", "", Duration.ofMinutes(5));
    start(Upkeep.NONE);
    servers.next().exit(77, "Looking in links: /wheels", "ERROR: No matching distribution");
    WorkerFact.Ended ended = expectEnded();
    assertThat(ended.cause().message())
        .contains("its requirements cannot be installed (ERROR: No matching distribution)");
    assertThat(ended.cause().lastOutput()).hasSize(2);
  }

  private FakeServer readyServer() {
    expectState(WorkerState.STARTING);
    FakeServer server = servers.next().ready();
    expectState(WorkerState.READY);
    return server;
  }

  /** The next change to this state; other changes and settlements before it are dropped. */
  private WorkerFact.Changed expectState(WorkerState state) {
    while (true) {
      WorkerFact fact = facts.receiveMessage();
      if (fact instanceof WorkerFact.Changed changed && changed.state() == state) {
        return changed;
      }
      assertThat(fact).as("waiting for %s", state).isNotInstanceOf(WorkerFact.Ended.class);
    }
  }

  private List<Outcome> expectSettled() {
    return expectSettledFact().outcomes();
  }

  private WorkerFact.Settled expectSettledFact() {
    while (true) {
      if (facts.receiveMessage() instanceof WorkerFact.Settled settled) {
        return settled;
      }
    }
  }

  private WorkerFact.Ended expectEnded() {
    while (true) {
      if (facts.receiveMessage() instanceof WorkerFact.Ended ended) {
        return ended;
      }
    }
  }

  private static Assignment job(String id, Duration timeout) {
    return new Assignment(
        id, 1, "f", ContentType.JSON, "1".getBytes(UTF_8), timeout.toMillis(), false);
  }

  private void run(String... ids) {
    worker.tell(new Worker.Run(Stream.of(ids).map(id -> job(id, Duration.ofSeconds(60))).toList()));
  }

  private static List<String> kinds(List<Outcome> outcomes) {
    return outcomes.stream().map(outcome -> outcome.job() + " " + outcome.kind()).toList();
  }

  @Test
  void jobs_are_answered_in_batches_as_they_come() {
    FakeServer server = readyServer();
    run("a", "b");
    server.answer(2);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED", "b SUCCEEDED");
  }

  @Test
  void an_exception_is_the_jobs_failure_and_names_what_was_raised() {
    FakeServer server = readyServer();
    run("a");
    server.fail(
        "raised",
        "{\"type\":\"ValueError\",\"module\":\"mine\",\"message\":\"no\",\"args\":[\"no\",1],"
            + "\"traceback\":[\"line 1\"]}");
    Outcome outcome = expectSettled().get(0);
    assertThat(outcome.kind()).isEqualTo(Outcome.Kind.FAILED);
    assertThat(outcome.cause())
        .isEqualTo(
            new Cause(
                Cause.Kind.USER,
                "ValueError: no",
                null,
                null,
                List.of("line 1"),
                new Raised("ValueError", "mine", "no", "[\"no\",1]")));
  }

  @Test
  void of_the_jobs_a_crashed_process_had_only_those_it_had_begun_are_lost() {
    FakeServer server = readyServer();
    run("a", "b", "c");
    server.began(2);
    server.dieBy(11);
    List<Outcome> outcomes = expectSettled();
    assertThat(kinds(outcomes)).containsExactly("a LOST", "b LOST", "c NOT_STARTED");
    assertThat(outcomes.get(0).cause().message()).contains("SIGSEGV");
  }

  @Test
  void a_crashed_process_is_started_again_almost_at_once_and_then_with_doubled_pauses() {
    readyServer().exit(1);
    expectState(WorkerState.BACKING_OFF);
    actors.pass(Duration.ofMillis(49));
    assertThat(servers.none()).isTrue();
    actors.pass(MOMENT);
    expectState(WorkerState.STARTING);
    servers.next().exit(1);
    assertThat(expectState(WorkerState.BACKING_OFF).restarts()).isEqualTo(1);
    actors.pass(Duration.ofMillis(799));
    assertThat(servers.none()).isTrue();
    actors.pass(Duration.ofMillis(402));
    expectState(WorkerState.STARTING);
    servers.next();
  }

  @Test
  void after_its_budget_of_crashes_in_a_row_it_gives_up_with_the_last_cause() {
    for (int i = 0; i < 2; i++) {
      readyServer().exit(1);
      expectState(WorkerState.BACKING_OFF);
      actors.pass(Duration.ofSeconds(2));
    }
    readyServer().exit(3, "last words");
    WorkerFact.Ended ended = expectEnded();
    assertThat(ended.asked()).isFalse();
    assertThat(ended.cause().message())
        .isEqualTo("gave up after 3 crashes in a row: the process exited with code 3 (last words)");
    assertThat(ended.cause().lastOutput()).containsExactly("last words");
  }

  @Test
  void a_finished_job_ends_a_row_of_crashes_and_so_does_a_stable_time() {
    for (int i = 0; i < 6; i++) {
      FakeServer server = readyServer();
      if (i % 2 == 0) {
        run("a");
        server.answer(1);
        expectSettled();
      } else {
        actors.pass(SETTINGS.stableAfter());
      }
      server.exit(1);
      expectState(WorkerState.BACKING_OFF);
      actors.pass(Duration.ofMillis(50));
    }
    readyServer();
  }

  @Test
  void what_cannot_heal_is_not_tried_again() {
    expectState(WorkerState.STARTING);
    servers.next().exit(78, "module m cannot be imported");
    WorkerFact.Ended ended = expectEnded();
    assertThat(ended.cause().kind()).isEqualTo(Cause.Kind.USER);
    assertThat(ended.cause().message())
        .isEqualTo(
            "the process exited with code 78: its module cannot be imported"
                + " (module m cannot be imported)");
  }

  @Test
  void a_file_that_is_not_there_is_not_looked_for_again() {
    expectState(WorkerState.STARTING);
    servers.next().neverStarted("file x was not fetched", false);
    assertThat(expectEnded().cause().message()).isEqualTo("file x was not fetched");
  }

  @Test
  void a_process_that_is_not_ready_in_time_is_killed_and_counts_as_crashed() {
    expectState(WorkerState.STARTING);
    FakeServer server = servers.next();
    actors.pass(START_TIMEOUT);
    assertThat(server.told()).isEqualTo("stacks");
    actors.pass(LADDER.look());
    assertThat(server.told()).isEqualTo("kill");
    server.dieBy(9);
    Cause cause = expectState(WorkerState.BACKING_OFF).cause();
    assertThat(cause.kind()).isEqualTo(Cause.Kind.TIMEOUT);
    assertThat(cause.message()).isEqualTo("the process was not ready within 60 s");
  }

  @Test
  void a_job_that_runs_too_long_and_gives_way_is_lost_and_its_process_lives_on() {
    FakeServer server = readyServer();
    worker.tell(new Worker.Run(List.of(job("a", Duration.ofSeconds(3)))));
    server.expectJob();
    actors.pass(Duration.ofSeconds(3));
    assertThat(server.told()).isEqualTo("interrupt 1");
    server.failWithId(
        1, "cancelled", "{\"type\":\"JobCancelled\",\"message\":\"\",\"traceback\":[\"line 7\"]}");
    Outcome outcome = expectSettled().get(0);
    assertThat(kinds(List.of(outcome))).containsExactly("a LOST");
    assertThat(outcome.cause().kind()).isEqualTo(Cause.Kind.TIMEOUT);
    assertThat(outcome.cause().lastOutput()).containsExactly("line 7");
    run("b");
    server.answer(1);
    assertThat(kinds(expectSettled())).containsExactly("b SUCCEEDED");
    actors.pass(SETTINGS.cancelGrace());
    assertThat(server.toldNothing()).isTrue();
  }

  @Test
  void a_job_that_raises_something_else_when_its_time_is_over_has_failed_by_itself() {
    FakeServer server = readyServer();
    worker.tell(new Worker.Run(List.of(job("a", Duration.ofSeconds(3)))));
    server.expectJob();
    actors.pass(Duration.ofSeconds(3));
    assertThat(server.told()).isEqualTo("interrupt 1");
    server.failWithId(1, "raised", "{\"type\":\"MemoryError\",\"message\":\"\"}");
    Outcome outcome = expectSettled().get(0);
    assertThat(outcome.kind()).isEqualTo(Outcome.Kind.FAILED);
    assertThat(outcome.cause().kind()).isEqualTo(Cause.Kind.OOM);
  }

  @Test
  void a_job_that_runs_too_long_and_stays_costs_its_process_and_those_behind_it_nothing() {
    FakeServer server = readyServer();
    worker.tell(
        new Worker.Run(List.of(job("a", Duration.ofSeconds(3)), job("b", Duration.ofSeconds(60)))));
    server.began(1);
    server.expectJob();
    actors.pass(Duration.ofSeconds(3).minus(MOMENT));
    assertThat(server.toldNothing()).isTrue();
    actors.pass(MOMENT);
    expectLadder(server);
    server.dieBy(9, "  File \"mine.py\", line 3 in stuck");
    expectState(WorkerState.BACKING_OFF);
    List<Outcome> outcomes = expectSettled();
    assertThat(kinds(outcomes)).containsExactly("a LOST", "b NOT_STARTED");
    assertThat(outcomes.get(0).cause().kind()).isEqualTo(Cause.Kind.TIMEOUT);
    assertThat(outcomes.get(0).cause().lastOutput())
        .containsExactly("Where it was when it was ended:", "  File \"mine.py\", line 3 in stuck");
    actors.pass(Duration.ofMillis(50));
    readyServer();
  }

  @Test
  void the_time_of_a_job_begins_when_the_one_before_it_has_ended() {
    FakeServer server = readyServer();
    Duration limit = Duration.ofSeconds(3);
    worker.tell(new Worker.Run(List.of(job("a", limit), job("b", limit))));
    server.expectJob();
    actors.pass(limit.minus(MOMENT));
    server.answerWithId(1);
    expectSettled();
    actors.pass(limit.minus(MOMENT));
    assertThat(server.toldNothing()).isTrue();
    actors.pass(MOMENT);
    assertThat(server.told()).isEqualTo("interrupt 2");
  }

  /** From SIGINT to SIGKILL, each step when its time has come and not before. */
  private void expectLadder(FakeServer server) {
    assertThat(server.told()).isEqualTo("interrupt 1");
    actors.pass(LADDER.interrupt().minus(MOMENT));
    assertThat(server.toldNothing()).isTrue();
    actors.pass(MOMENT);
    assertThat(server.told()).isEqualTo("stacks");
    assertThat(server.told()).isEqualTo("terminate");
    actors.pass(LADDER.terminate().minus(MOMENT));
    assertThat(server.toldNothing()).isTrue();
    actors.pass(MOMENT);
    assertThat(server.told()).isEqualTo("stacks");
    actors.pass(LADDER.look().minus(MOMENT));
    assertThat(server.toldNothing()).isTrue();
    actors.pass(MOMENT);
    assertThat(server.told()).isEqualTo("kill");
  }

  @Test
  void a_running_job_that_is_cancelled_is_interrupted_and_when_that_does_not_help_killed() {
    FakeServer server = readyServer();
    run("a", "b");
    worker.tell(new Worker.Cancel(List.of(new AttemptRef("a", 1))));
    expectLadder(server);
    server.began(1);
    server.dieBy(9);
    assertThat(kinds(expectSettled())).containsExactly("a CANCELLED", "b NOT_STARTED");
  }

  @Test
  void a_cancelled_job_that_gives_way_leaves_the_process_alone() {
    FakeServer server = readyServer();
    run("a");
    worker.tell(new Worker.Cancel(List.of(new AttemptRef("a", 1))));
    assertThat(server.told()).isEqualTo("interrupt 1");
    server.fail("cancelled", "{}");
    assertThat(kinds(expectSettled())).containsExactly("a CANCELLED");
    actors.pass(SETTINGS.cancelGrace());
    run("b");
    server.answer(1);
    assertThat(kinds(expectSettled())).containsExactly("b SUCCEEDED");
    assertThat(server.toldNothing()).isTrue();
  }

  @Test
  void a_job_that_is_cancelled_before_it_runs_is_interrupted_when_it_does() {
    FakeServer server = readyServer();
    run("a", "b");
    worker.tell(new Worker.Cancel(List.of(new AttemptRef("b", 1))));
    server.answer(1);
    expectSettled();
    assertThat(server.told()).isEqualTo("interrupt 2");
  }

  @Test
  void results_that_wait_in_the_process_behind_a_slow_job_are_asked_for() {
    FakeServer server = readyServer();
    run("a", "b", "c");
    server.expectJob();
    server.began(1);
    worker.tell(Worker.Nudge.NOW);
    worker.tell(Worker.Nudge.NOW);
    run("d");
    server.expectJob(); // after these two
    assertThat(server.toldNothing()).isTrue();
    server.began(2);
    worker.tell(Worker.Nudge.NOW);
    worker.tell(Worker.Nudge.NOW);
    assertThat(server.told()).isEqualTo("nudge 2");
  }

  /** The process has begun the first of these jobs, and is asked for the others. */
  private FakeServer askedForAllBehind(String... jobs) {
    FakeServer server = readyServer();
    run(jobs);
    server.began(1);
    worker.tell(Worker.Recall.NOW);
    assertThat(server.told()).isEqualTo("recall 1 to " + jobs.length);
    return server;
  }

  private static List<String> returned(WorkerFact.Settled settled) {
    return settled.returned().stream().map(Assignment::job).toList();
  }

  @Test
  void what_waits_behind_a_job_is_had_back_from_the_process_and_is_no_work_of_its() {
    restart(2, Duration.ZERO, 0, Duration.ZERO);
    FakeServer server = askedForAllBehind("a", "b", "c");
    server.frames(Frame.Type.RETURNED, 3);
    WorkerFact.Settled settled = expectSettledFact();
    assertThat(settled.outcomes()).isEmpty();
    assertThat(returned(settled)).containsExactly("b", "c");
    worker.tell(Worker.Recall.NOW);
    server.answerWithId(1);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED");
    assertThat(servers.none()).isTrue(); // it has done one job, not two or three
    run("b");
    server.answerWithId(4);
    assertThat(kinds(expectSettled())).containsExactly("b SUCCEEDED");
    assertThat(server.toldNothing()).isTrue();
  }

  @Test
  void nothing_is_asked_for_where_no_job_has_begun_or_none_waits() {
    FakeServer server = readyServer();
    run("a", "b");
    worker.tell(Worker.Recall.NOW);
    server.answerWithId(1);
    expectSettled();
    server.began(2);
    worker.tell(Worker.Recall.NOW);
    server.answerWithId(2);
    expectSettled();
    assertThat(server.toldNothing()).isTrue();
  }

  @Test
  void a_process_that_is_between_two_jobs_is_asked_once_more_a_moment_later() {
    FakeServer server = readyServer();
    run("a", "b", "c");
    server.began(1);
    server.answerWithId(1);
    expectSettled();
    worker.tell(Worker.Recall.NOW);
    assertThat(server.toldNothing()).isTrue();
    server.began(2);
    assertThat(server.toldWhen(() -> actors.pass(Duration.ofMillis(2)))).isEqualTo("recall 2 to 3");
  }

  @Test
  void a_process_that_ends_before_it_gives_back_what_it_was_asked_for_has_not_started_it() {
    FakeServer server = askedForAllBehind("a", "b", "c");
    server.dieBy(9);
    assertThat(kinds(expectSettled())).containsExactly("a LOST", "b NOT_STARTED", "c NOT_STARTED");
  }

  @Test
  void a_process_that_ends_after_it_has_given_jobs_back_has_only_lost_the_one_that_ran() {
    FakeServer server = askedForAllBehind("a", "b", "c");
    server.frames(Frame.Type.RETURNED, 3);
    assertThat(returned(expectSettledFact())).containsExactly("b", "c");
    server.dieBy(9);
    assertThat(kinds(expectSettled())).containsExactly("a LOST");
  }

  @Test
  void a_process_that_goes_on_instead_of_giving_jobs_back_is_left_alone() {
    FakeServer server = askedForAllBehind("a", "b", "c");
    server.answerWithId(1, 2, 3);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED", "b SUCCEEDED", "c SUCCEEDED");
    run("d");
    server.answerWithId(4);
    assertThat(kinds(expectSettled())).containsExactly("d SUCCEEDED");
    assertThat(server.toldNothing()).isTrue();
  }

  @Test
  void jobs_are_given_back_also_when_the_worker_is_told_to_stop_meanwhile() {
    FakeServer server = askedForAllBehind("a", "b", "c");
    worker.tell(new Worker.Stop(Duration.ofSeconds(10)));
    expectState(WorkerState.DRAINING);
    server.frames(Frame.Type.RETURNED, 3);
    assertThat(returned(expectSettledFact())).containsExactly("b", "c");
    assertThat(server.toldNothing()).isTrue();
    server.answerWithId(1);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED");
    assertThat(server.told()).isEqualTo("terminate");
  }

  @Test
  void jobs_are_given_back_also_when_the_running_one_is_interrupted_to_stop_the_worker() {
    FakeServer server = askedForAllBehind("a", "b");
    worker.tell(new Worker.Stop(Duration.ofSeconds(10)));
    expectState(WorkerState.DRAINING);
    actors.pass(Duration.ofSeconds(6));
    assertThat(server.told()).isEqualTo("interrupt 1");
    server.frames(Frame.Type.RETURNED, 2);
    assertThat(returned(expectSettledFact())).containsExactly("b");
    server.failWithId(1, "cancelled", "{}");
    assertThat(kinds(expectSettled())).containsExactly("a LOST");
    assertThat(server.told()).isEqualTo("terminate");
  }

  @Test
  void a_process_that_gives_back_what_it_was_not_asked_for_is_killed() {
    FakeServer server = readyServer();
    run("a", "b", "c");
    server.frames(Frame.Type.RETURNED, 3);
    assertThat(server.told()).isEqualTo("kill");
    server.began(1);
    server.dieBy(9);
    List<Outcome> outcomes = expectSettled();
    assertThat(kinds(outcomes)).containsExactly("a LOST", "b NOT_STARTED", "c NOT_STARTED");
    assertThat(outcomes.get(0).cause().message())
        .isEqualTo("the process was killed: it gave back job 3, which it was not asked for");
  }

  @Test
  void one_that_is_told_to_stop_finishes_its_job_takes_no_other_and_ends() {
    FakeServer server = readyServer();
    run("a");
    worker.tell(new Worker.Stop(Duration.ofSeconds(10)));
    expectState(WorkerState.DRAINING);
    run("late");
    assertThat(kinds(expectSettled())).containsExactly("late NOT_STARTED");
    server.answer(1);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED");
    assertThat(server.told()).isEqualTo("terminate");
    expectState(WorkerState.STOPPING);
    server.exit(0);
    WorkerFact.Ended ended = expectEnded();
    assertThat(ended.asked()).isTrue();
    assertThat(ended.cause().kind()).isEqualTo(Cause.Kind.DRAINED);
  }

  @Test
  void the_grace_is_shared_by_the_job_sigint_sigterm_and_sigkill() {
    FakeServer server = readyServer();
    run("a");
    worker.tell(new Worker.Stop(Duration.ofSeconds(10)));
    expectState(WorkerState.DRAINING);
    actors.pass(Duration.ofSeconds(6));
    expectState(WorkerState.STOPPING);
    assertThat(server.told()).isEqualTo("interrupt 1");
    actors.pass(Duration.ofSeconds(1));
    assertThat(server.told()).isEqualTo("stacks");
    assertThat(server.told()).isEqualTo("terminate");
    actors.pass(Duration.ofMillis(2500));
    assertThat(server.told()).isEqualTo("stacks");
    actors.pass(Duration.ofMillis(500));
    assertThat(server.told()).isEqualTo("kill");
    server.began(1);
    server.dieBy(9);
    List<Outcome> outcomes = expectSettled();
    assertThat(kinds(outcomes)).containsExactly("a LOST");
    assertThat(outcomes.get(0).cause().kind()).isEqualTo(Cause.Kind.DRAINED);
    assertThat(expectEnded().asked()).isTrue();
  }

  @Test
  void a_job_that_gives_way_to_the_end_of_its_worker_is_lost_to_it_and_the_rest_goes_quicker() {
    FakeServer server = readyServer();
    run("a");
    worker.tell(new Worker.Stop(Duration.ofSeconds(10)));
    expectState(WorkerState.DRAINING);
    actors.pass(Duration.ofSeconds(6));
    assertThat(server.told()).isEqualTo("interrupt 1");
    server.fail("cancelled", "{}");
    List<Outcome> outcomes = expectSettled();
    assertThat(kinds(outcomes)).containsExactly("a LOST");
    assertThat(outcomes.get(0).cause().kind()).isEqualTo(Cause.Kind.DRAINED);
    assertThat(server.told()).isEqualTo("terminate");
    server.exit(0);
    assertThat(expectEnded().asked()).isTrue();
  }

  @Test
  void no_grace_at_all_kills_at_once() {
    FakeServer server = readyServer();
    run("a");
    worker.tell(new Worker.Stop(Duration.ZERO));
    assertThat(server.told()).isEqualTo("kill");
  }

  @Test
  void a_second_order_to_stop_can_shorten_the_grace() {
    FakeServer server = readyServer();
    worker.tell(new Worker.Stop(Duration.ofHours(1)));
    assertThat(server.told()).isEqualTo("terminate");
    worker.tell(new Worker.Stop(Duration.ofSeconds(1)));
    expectState(WorkerState.STOPPING);
    worker.tell(Worker.Sample.NOW);
    expectState(WorkerState.STOPPING);
    actors.pass(Duration.ofMillis(950));
    assertThat(server.told()).isEqualTo("stacks");
    actors.pass(Duration.ofMillis(50));
    assertThat(server.told()).isEqualTo("kill");
  }

  @Test
  void one_that_is_told_to_stop_while_it_starts_never_becomes_ready() {
    expectState(WorkerState.STARTING);
    FakeServer server = servers.next();
    worker.tell(new Worker.Stop(Duration.ofSeconds(5)));
    expectState(WorkerState.STOPPING);
    assertThat(server.told()).isEqualTo("terminate");
    server.ready();
    assertThat(server.told()).isEqualTo("terminate");
    server.dieBy(15);
    assertThat(expectEnded().asked()).isTrue();
  }

  @Test
  void one_that_is_told_to_stop_while_it_backs_off_ends_at_once() {
    readyServer().exit(1);
    expectState(WorkerState.BACKING_OFF);
    worker.tell(new Worker.Stop(Duration.ofSeconds(5)));
    assertThat(expectEnded().asked()).isTrue();
    actors.pass(Duration.ofSeconds(2));
    assertThat(servers.none()).isTrue();
  }

  @Test
  void a_process_that_answers_what_it_was_not_asked_is_killed() {
    FakeServer server = readyServer();
    run("a");
    server.answerWithId(7);
    assertThat(server.told()).isEqualTo("kill");
    server.dieBy(9);
    assertThat(expectSettled().get(0).cause().message())
        .isEqualTo("the process was killed: it answered job 7 instead of 1");
  }

  @Test
  void what_a_process_has_answered_before_it_answers_what_it_was_not_asked_counts() {
    FakeServer server = readyServer();
    run("a", "b", "c");
    server.answerWithId(1, 99);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED");
    assertThat(server.told()).isEqualTo("kill");
    server.began(2);
    server.dieBy(9);
    assertThat(kinds(expectSettled())).containsExactly("b LOST", "c NOT_STARTED");
  }

  @ParameterizedTest
  @EnumSource(
      value = Frame.Type.class,
      names = {"HELLO", "JOB", "SHUTDOWN", "CANCEL"})
  void a_process_that_sends_what_is_no_answer_loses_none_of_its_jobs(Frame.Type type) {
    FakeServer server = readyServer();
    run("a", "b");
    server.frames(type, 1);
    assertThat(server.told()).isEqualTo("kill");
    server.began(1);
    server.dieBy(9);
    List<Outcome> outcomes = expectSettled();
    assertThat(kinds(outcomes)).containsExactly("a LOST", "b NOT_STARTED");
    assertThat(outcomes.get(0).cause().message())
        .isEqualTo("the process was killed: it sent a frame of type " + type);
  }

  @Test
  void a_job_whose_result_is_in_a_file_that_is_not_its_process_own_is_lost() {
    FakeServer server = readyServer();
    run("a", "b");
    server.answerFromFile(1, "/etc/passwd");
    Outcome outcome = expectSettled().get(0);
    assertThat(kinds(List.of(outcome))).containsExactly("a LOST");
    assertThat(outcome.cause().message())
        .isEqualTo("its result is said to be where its process wrote no file");
    server.answerFromFile(1, "/tmp/r");
    assertThat(kinds(expectSettled())).containsExactly("b SUCCEEDED");
  }

  @Test
  void a_process_that_closes_its_socket_and_lives_on_is_killed_after_a_while() {
    FakeServer server = readyServer();
    server.hangUp("");
    worker.tell(Worker.Sample.NOW);
    expectState(WorkerState.READY);
    assertThat(server.toldNothing()).isTrue();
    actors.pass(Duration.ofSeconds(2));
    assertThat(server.told()).isEqualTo("stacks");
    actors.pass(LADDER.look());
    assertThat(server.told()).isEqualTo("kill");
  }

  @Test
  void a_process_that_breaks_the_protocol_is_killed_with_the_reason() {
    FakeServer server = readyServer();
    server.hangUp("it sent what is no frame: x");
    assertThat(server.told()).isEqualTo("kill");
    server.dieBy(9);
    assertThat(expectState(WorkerState.BACKING_OFF).cause().message())
        .isEqualTo("the process was killed: it sent what is no frame: x");
  }

  private void restart(long recycleJobs, Duration recycleAge, double rssMb, Duration heartbeat) {
    readyServer();
    start(new Upkeep(0, 0, 0, -1, 0, recycleJobs, recycleAge, rssMb, heartbeat));
  }

  @Test
  void a_process_that_has_done_enough_works_until_its_replacement_is_ready() {
    restart(2, Duration.ZERO, 0, Duration.ZERO);
    FakeServer old = readyServer();
    run("a", "b");
    old.answer(2);
    expectSettled();
    FakeServer next = servers.next();
    run("c");
    old.answer(1);
    assertThat(kinds(expectSettled())).containsExactly("c SUCCEEDED");
    assertThat(old.toldNothing()).isTrue();
    next.ready();
    assertThat(old.told()).isEqualTo("terminate");
    expectState(WorkerState.READY);
    run("d");
    next.answer(1);
    assertThat(kinds(expectSettled())).containsExactly("d SUCCEEDED");
    old.exit(0);
    actors.pass(SETTINGS.stopGrace());
    assertThat(old.told()).isEqualTo("kill");
    assertThat(next.toldNothing()).isTrue();
  }

  @Test
  void a_process_that_is_old_or_large_is_replaced_too() {
    restart(0, Duration.ofMinutes(10), 100, Duration.ZERO);
    FakeServer first = readyServer();
    actors.pass(Duration.ofMinutes(9).minus(MOMENT));
    assertThat(servers.none()).isTrue();
    FakeServer second = servers.nextWhen(() -> actors.pass(Duration.ofSeconds(10))).ready();
    assertThat(first.told()).isEqualTo("terminate");
    expectState(WorkerState.READY);
    second.rss = 101 << 20;
    worker.tell(Worker.Sample.NOW);
    servers.next().ready();
    assertThat(second.told()).isEqualTo("terminate");
  }

  @Test
  void a_replacement_that_cannot_start_leaves_the_old_process_at_its_work() {
    restart(1, Duration.ZERO, 0, Duration.ZERO);
    FakeServer old = readyServer();
    run("a");
    old.answer(1);
    expectSettled();
    servers.next().exit(78, "no such module");
    worker.tell(Worker.Sample.NOW);
    assertThat(expectState(WorkerState.READY).cause().message()).contains("code 78");
    run("b");
    old.answer(1);
    assertThat(kinds(expectSettled())).containsExactly("b SUCCEEDED");
    FakeServer next = servers.next();
    actors.pass(START_TIMEOUT);
    assertThat(next.told()).isEqualTo("kill");
    assertThat(old.toldNothing()).isTrue();
  }

  @Test
  void a_worker_that_is_stopped_leaves_no_replacement_behind() {
    restart(1, Duration.ZERO, 0, Duration.ZERO);
    FakeServer old = readyServer();
    run("a");
    old.answer(1);
    FakeServer next = servers.next();
    worker.tell(new Worker.Stop(Duration.ofSeconds(5)));
    assertThat(next.told()).isEqualTo("kill");
    assertThat(old.told()).isEqualTo("terminate");
    old.exit(0);
    assertThat(expectEnded().asked()).isTrue();
  }

  @Test
  void a_job_that_has_to_give_signs_of_life_and_does_not_is_ended() {
    restart(0, Duration.ZERO, 0, Duration.ofSeconds(8));
    FakeServer server = readyServer();
    run("a");
    server.expectJob();
    server.began(1);
    for (int i = 0; i < 10; i++) {
      actors.pass(Duration.ofSeconds(2));
      server.beats = 1L + i;
      worker.tell(Worker.Sample.NOW);
      expectState(WorkerState.READY);
    }
    assertThat(server.toldNothing()).isTrue();
    assertThat(server.toldWhen(() -> actors.pass(Duration.ofSeconds(2)))).isEqualTo("interrupt 1");
    server.failWithId(1, "cancelled", "{}");
    Outcome outcome = expectSettled().get(0);
    assertThat(outcome.kind()).isEqualTo(Outcome.Kind.LOST);
    assertThat(outcome.cause().message()).isEqualTo("the job gave no sign of life for 8000 ms");
  }

  @Test
  void the_silence_of_a_job_does_not_count_for_the_first_job_of_the_next_process() {
    restart(1, Duration.ZERO, 0, Duration.ofSeconds(8));
    FakeServer old = readyServer();
    run("a");
    old.expectJob();
    actors.pass(Duration.ofSeconds(7));
    old.answerWithId(1);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED");
    FakeServer next = servers.next().ready();
    expectState(WorkerState.READY);
    run("b");
    next.expectJob();
    actors.pass(Duration.ofSeconds(2));
    worker.tell(Worker.Sample.NOW);
    expectState(WorkerState.READY);
    assertThat(next.toldNothing()).isTrue();
    next.answerWithId(1);
    assertThat(kinds(expectSettled())).containsExactly("b SUCCEEDED");
  }

  private FakeServer readyServerFor(int concurrency) {
    servers.next();
    serving = new Serving(concurrency);
    start(Upkeep.NONE);
    return readyServer();
  }

  @Test
  void jobs_that_run_at_once_are_answered_in_any_order_and_the_next_ones_begin() {
    FakeServer server = readyServerFor(2);
    run("a", "b", "c", "d");
    server.answerWithId(2);
    assertThat(kinds(expectSettled())).containsExactly("b SUCCEEDED");
    server.answerWithId(3);
    assertThat(kinds(expectSettled())).containsExactly("c SUCCEEDED");
    server.began(4);
    server.dieBy(11);
    List<Outcome> outcomes = expectSettled();
    assertThat(kinds(outcomes)).containsExactly("a LOST", "d LOST");
    assertThat(outcomes.get(0).cause().message()).contains("SIGSEGV");
  }

  @Test
  void each_of_the_jobs_that_run_at_once_has_a_time_of_its_own_that_begins_when_it_does() {
    FakeServer server = readyServerFor(2);
    worker.tell(
        new Worker.Run(
            List.of(
                job("a", Duration.ofSeconds(60)),
                job("b", Duration.ofSeconds(10)),
                job("c", Duration.ofSeconds(10)))));
    server.expectJob();
    server.expectJob();
    server.expectJob();
    actors.pass(Duration.ofSeconds(9));
    server.answerWithId(2);
    expectSettled();
    actors.pass(Duration.ofSeconds(9));
    assertThat(server.toldNothing()).isTrue();
    actors.pass(Duration.ofSeconds(1));
    assertThat(server.told()).isEqualTo("interrupt 3");
    server.failWithId(3, "cancelled", "{}");
    Outcome late = expectSettled().get(0);
    assertThat(late.job() + " " + late.kind()).isEqualTo("c LOST");
    assertThat(late.cause().kind()).isEqualTo(Cause.Kind.TIMEOUT);
    actors.pass(LADDER.interrupt());
    server.answerWithId(1);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED");
    assertThat(server.toldNothing()).isTrue();
  }

  @Test
  void a_job_that_stays_though_it_was_cancelled_takes_its_process_and_the_others_are_told_why() {
    FakeServer server = readyServerFor(3);
    run("a", "b", "c", "d");
    worker.tell(new Worker.Cancel(List.of(new AttemptRef("b", 1), new AttemptRef("d", 1))));
    assertThat(server.told()).isEqualTo("interrupt 2");
    actors.pass(LADDER.interrupt());
    assertThat(server.told()).isEqualTo("stacks");
    assertThat(server.told()).isEqualTo("terminate");
    server.began(3);
    server.dieBy(15);
    List<Outcome> outcomes = expectSettled();
    assertThat(kinds(outcomes)).containsExactly("a LOST", "b CANCELLED", "c LOST", "d CANCELLED");
    assertThat(outcomes.get(0).cause().kind()).isEqualTo(Cause.Kind.KILLED);
    assertThat(outcomes.get(0).cause().message())
        .startsWith("its process ended with another job that it ran: the job was cancelled");
  }

  @Test
  void what_a_job_that_runs_has_yielded_is_read_and_nothing_of_one_that_does_not() {
    FakeServer server = readyServer();
    run("a", "b");
    server.expectJob();
    TestProbe<Parts> reader = actors.kit().createTestProbe();
    worker.tell(new Worker.ReadParts(new AttemptRef("a", 1), 5, reader.getRef()));
    assertThat(reader.receiveMessage().next()).isEqualTo(7);
    worker.tell(new Worker.ReadParts(new AttemptRef("b", 1), 5, reader.getRef()));
    assertThat(reader.receiveMessage().next()).isEqualTo(5);
  }

  @Test
  void when_it_stops_all_jobs_that_run_are_interrupted() {
    FakeServer server = readyServerFor(2);
    run("a", "b", "c");
    worker.tell(new Worker.Stop(Duration.ofSeconds(10)));
    expectState(WorkerState.DRAINING);
    actors.pass(Ladder.stopping(Duration.ofSeconds(10)).finish());
    assertThat(server.told()).isEqualTo("interrupt 1");
    assertThat(server.told()).isEqualTo("interrupt 2");
    server.failWithId(2, "cancelled", "{}");
    assertThat(kinds(expectSettled())).containsExactly("b LOST");
    assertThat(server.toldNothing()).isTrue();
    server.failWithId(1, "cancelled", "{}");
    assertThat(kinds(expectSettled())).containsExactly("a LOST");
    assertThat(server.told()).isEqualTo("stacks");
    assertThat(server.told()).isEqualTo("terminate");
  }

  @Test
  void each_of_the_jobs_that_run_at_once_has_to_give_signs_of_life() {
    servers.next();
    serving = new Serving(2);
    start(new Upkeep(0, 0, 0, -1, 0, 0, Duration.ZERO, 0, Duration.ofSeconds(8)));
    FakeServer server = readyServer();
    run("a", "b");
    server.expectJob();
    server.expectJob();
    server.beatsOf = 2;
    for (int i = 1; i <= 4; i++) {
      server.beats = i;
      actors.pass(Duration.ofSeconds(2));
    }
    assertThat(server.told()).isEqualTo("interrupt 1");
    assertThat(server.toldNothing()).isTrue();
  }

  @Test
  void what_is_told_of_an_earlier_process_is_not_taken_for_the_present_one() {
    FakeServer first = readyServer();
    first.exit(1);
    expectState(WorkerState.BACKING_OFF);
    actors.pass(Duration.ofMillis(50));
    FakeServer second = readyServer();
    first.exit(1);
    run("a");
    second.answer(1);
    assertThat(kinds(expectSettled())).containsExactly("a SUCCEEDED");
  }
}
