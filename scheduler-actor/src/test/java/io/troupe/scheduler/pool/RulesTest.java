package io.troupe.scheduler.pool;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.Cause;
import io.troupe.model.PoolSize;
import io.troupe.scheduler.pool.WorkerRecord.Phase;
import io.troupe.scheduler.scaling.Backoff;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Who is to blame, what is asked again, who is too many. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class RulesTest {

  @ParameterizedTest
  @CsvSource({
    "FAILED, REASON_COMMAND_EXECUTOR_FAILED, RUNNING, USER, true",
    "FAILED, REASON_CONTAINER_LIMITATION_MEMORY, RUNNING, OOM, true",
    "FAILED, REASON_EXECUTOR_TERMINATED, RUNNING, INTERNAL, true",
    "FINISHED, '', RUNNING, USER, true",
    "KILLED, '', RUNNING, KILLED, true",
    "KILLED, '', STOPPING, DRAINED, false",
    "ERROR, REASON_TASK_INVALID, LAUNCHED, INTERNAL, true",
    "DROPPED, REASON_INVALID_OFFERS, LAUNCHED, INTERNAL, false",
    "DROPPED, REASON_EXECUTOR_TERMINATED, LAUNCHED, INTERNAL, false",
    "DROPPED, REASON_AGENT_DISCONNECTED, LAUNCHED, AGENT_LOST, false",
    "GONE, REASON_RECONCILIATION, LAUNCHED, INTERNAL, false",
    "GONE_BY_OPERATOR, REASON_AGENT_REMOVED, RUNNING, AGENT_LOST, false",
    "LOST, REASON_AGENT_REMOVED, RUNNING, AGENT_LOST, false",
    "FAILED, '', UNREACHABLE, AGENT_LOST, false",
  })
  void lost_agents_stale_offers_and_executors_that_end_are_nobodys_fault(
      TaskState state, String reason, Phase phase, Cause.Kind kind, boolean counts) {
    Verdict verdict =
        Verdict.of(
            new TaskUpdate("t", "S1", state, reason, "", Optional.empty(), Optional.empty()),
            phase);

    assertThat(verdict.cause().kind()).isEqualTo(kind);
    assertThat(verdict.counts()).isEqualTo(counts);
  }

  @Test
  void of_what_the_master_says_at_length_the_first_line_is_the_cause() {
    TaskUpdate update =
        new TaskUpdate(
            "t",
            "S1",
            TaskState.ERROR,
            "REASON_TASK_INVALID",
            """

            ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.
            ------
            Existing ExecutorInfo:
            executor_id {
              value: "p"
            }
            """,
            Optional.empty(),
            Optional.empty());

    assertThat(Verdict.of(update, Phase.LAUNCHED).cause().message())
        .isEqualTo(
            "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.");
  }

  @Test
  void only_unanswered_tasks_are_asked_for_again_and_ever_more_seldom() {
    Reconciliation reconciliation =
        new Reconciliation(
            new Backoff(Duration.ofSeconds(2), Duration.ofSeconds(5)), Duration.ofMinutes(5));
    reconciliation.restart(0, Map.of("a", "S1", "b", "S2"));

    assertThat(reconciliation.due(0))
        .containsExactly(
            new MasterCall.Reconcile(
                List.of(
                    new MasterCall.TaskOnAgent("a", "S1"), new MasterCall.TaskOnAgent("b", "S2"))),
            new MasterCall.Reconcile(List.of()));
    assertThat(reconciliation.due(1999)).isEmpty();
    reconciliation.answered("a");
    List<Long> asked = new ArrayList<>();
    for (long now = 2000; now < 20_000; now += 1000) {
      if (!reconciliation.due(now).isEmpty()) {
        asked.add(now);
      }
    }
    assertThat(asked).containsExactly(2000L, 6000L, 11_000L, 16_000L);
    reconciliation.answered("b");
    assertThat(reconciliation.due(299_999)).isEmpty();
    assertThat(reconciliation.due(300_000)).containsExactly(new MasterCall.Reconcile(List.of()));
  }

  private static Pool pool(PoolSize size) {
    return new Pool(
        Specs.pool("p", size),
        ExecutorPlan.of(Specs.pool("p", size), Specs.EXECUTOR),
        false,
        Duration.ofSeconds(60));
  }

  private static WorkerRecord worker(Pool pool, int launch, String agent, Phase phase) {
    return WorkerRecord.launched("p", launch, launch, agent, "h", pool.plan().id(), 0).in(phase, 0);
  }

  private static WorkerRecord old(int launch, String agent) {
    return WorkerRecord.launched("p", launch, launch, agent, "h", "p-old", 0).in(Phase.RUNNING, 0);
  }

  private static List<String> surplus(Pool pool, long quiet, WorkerRecord... workers) {
    return Surplus.of(pool, List.of(workers), 0, quiet, Specs.POLICY).stream()
        .map(WorkerRecord::taskId)
        .toList();
  }

  @Test
  void a_pool_to_which_full_agents_offer_nothing_is_told_whose_workers_are_there() {
    Pool pool = pool(new PoolSize.Fixed(1));
    WorkerRecord greedy =
        WorkerRecord.launched("greedy", 0, 1, "S1", "h", "greedy-x", 0).in(Phase.RUNNING, 0);

    assertThat(Explanation.waitingBecause(pool, List.of(), List.of(), 0, true, ""))
        .containsExactly("no agent has offered anything yet");
    assertThat(Explanation.waitingBecause(pool, List.of(), List.of(greedy), 0, true, ""))
        .singleElement()
        .asString()
        .contains("nothing left to offer beside the workers of other pools (1 of greedy)")
        .contains("troupe pool scale greedy 1");
  }

  @Test
  void how_far_a_changed_pool_is_counts_new_workers_that_run_and_old_ones_that_stay() {
    Pool pool = pool(new PoolSize.Fixed(2));
    List<WorkerRecord> workers =
        List.of(
            worker(pool, 1, "S1", Phase.RUNNING), worker(pool, 2, "S1", Phase.LAUNCHED),
            old(3, "S1"), old(4, "S1").in(Phase.STOPPING, 0));

    assertThat(pool.rollout(workers)).isEqualTo(new SchedulerActor.Rollout(1, 1, ""));
    Cause cause = Cause.of(Cause.Kind.USER, "no module");
    pool.ended(0, new Verdict(cause, true), 0, Specs.POLICY);
    assertThat(pool.rollout(workers).failure()).isEqualTo("USER no module");
  }

  @Test
  void too_many_are_ended_from_those_not_running_and_from_the_fullest_agent_newest_first() {
    Pool pool = pool(new PoolSize.Fixed(2));

    assertThat(
            surplus(
                pool,
                0,
                worker(pool, 1, "S1", Phase.RUNNING),
                worker(pool, 2, "S1", Phase.RUNNING),
                worker(pool, 3, "S2", Phase.RUNNING),
                worker(pool, 4, "S2", Phase.LAUNCHED)))
        .containsExactly("p.4.4", "p.2.2");
  }

  @Test
  void an_old_worker_ends_only_when_a_new_one_runs() {
    Pool pool = pool(new PoolSize.Fixed(2));

    assertThat(surplus(pool, 0, old(1, "S1"), old(2, "S2"), worker(pool, 3, "S1", Phase.LAUNCHED)))
        .isEmpty();
    assertThat(surplus(pool, 0, old(1, "S1"), old(2, "S2"), worker(pool, 3, "S1", Phase.RUNNING)))
        .hasSize(1);
  }

  @Test
  void old_workers_make_room_when_new_ones_have_found_none_for_a_while() {
    Pool pool = pool(new PoolSize.PerAgent());

    assertThat(surplus(pool, 4999, old(1, "S1"), old(2, "S1"))).isEmpty();
    assertThat(surplus(pool, 5000, old(1, "S1"), old(2, "S1"))).containsExactly("p.2.2");
  }

  @Test
  void old_workers_stay_while_new_ones_fail() {
    Pool pool = pool(new PoolSize.Fixed(2));
    pool.ended(0, new Verdict(Cause.of(Cause.Kind.USER, "no such module"), true), 0, Specs.POLICY);

    assertThat(surplus(pool, 60_000, old(1, "S1"), old(2, "S1"))).isEmpty();
  }

  @Test
  void workers_that_fall_together_are_one_failure_and_a_long_run_forgives() {
    Pool pool = pool(new PoolSize.Fixed(3));
    Verdict bad = new Verdict(Cause.of(Cause.Kind.INTERNAL, "the executor ended"), true);
    pool.ended(0, bad, 0, Specs.POLICY);
    pool.ended(0, bad, 0, Specs.POLICY);
    pool.ended(0, bad, 0, Specs.POLICY);
    assertThat(pool.failures()).isEqualTo(1);
    assertThat(pool.waitsFor(0)).isEqualTo(1000);
    pool.ended(1000, bad, 0, Specs.POLICY);
    assertThat(pool.waitsFor(1000)).isEqualTo(2000);
    pool.ended(3000, bad, 30_000, Specs.POLICY);
    assertThat(pool.waitsFor(3000)).isEqualTo(1000);
  }

  @Test
  void what_a_person_reads_of_a_dead_executor() {
    assertThat(WaitStatus.text(256)).isEqualTo("exited with code 1");
    assertThat(WaitStatus.text(9)).isEqualTo("was ended by signal 9");
    assertThat(WaitStatus.text(-1)).isEqualTo("ended");
  }

  @Test
  void the_nearest_word_is_found_and_a_far_one_is_not() {
    assertThat(Nearest.of("comand", List.of("command", "size"))).contains("command");
    assertThat(Nearest.of("wibbledywobble", List.of("command", "size"))).isEmpty();
  }
}
