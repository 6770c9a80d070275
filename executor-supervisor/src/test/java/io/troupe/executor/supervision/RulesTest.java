package io.troupe.executor.supervision;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.codec.Frame;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The supervisor's and workers' pure rules. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class RulesTest {

  private static Assignment job(String id) {
    return job(id, 1, false);
  }

  private static Assignment job(String id, int attempt, boolean exclusive) {
    return new Assignment(id, attempt, "f", ContentType.JSON, new byte[0], 1000, exclusive);
  }

  private static List<Assignment> jobs(int from, int to) {
    return IntStream.rangeClosed(from, to).mapToObj(i -> job("j" + i)).toList();
  }

  private static Outcome outcome(String job, int bodyBytes, long micros) {
    return new Outcome(
        job, 1, Outcome.Kind.SUCCEEDED, ContentType.JSON, new byte[bodyBytes], null, "w", micros);
  }

  @Nested
  @DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
  class The_pause_before_a_restart {
    private final Backoff backoff =
        new Backoff(Duration.ofMillis(50), Duration.ofSeconds(1), Duration.ofSeconds(60));

    @ParameterizedTest
    @CsvSource({"1, 50", "2, 1000", "3, 2000", "4, 4000", "7, 32000", "8, 60000", "500, 60000"})
    void doubles_up_to_the_most(int crashes, long millis) {
      assertThat(backoff.after(crashes, 0.5)).isEqualTo(Duration.ofMillis(millis));
    }

    @Test
    void is_spread_by_a_fifth_except_the_first() {
      assertThat(backoff.after(1, 0)).isEqualTo(Duration.ofMillis(50));
      assertThat(backoff.after(2, 0)).isEqualTo(Duration.ofMillis(800));
      assertThat(backoff.after(2, 1)).isEqualTo(Duration.ofMillis(1200));
    }
  }

  @Nested
  @DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
  class How_many_jobs_are_sent_ahead {

    @ParameterizedTest
    @CsvSource({
      "50000, 1",
      "60000000, 1",
      "49000, 5",
      "30000, 7",
      "10000, 21",
      "1000, 201",
      "785, 255",
      "2, 256",
      "0, 256"
    })
    void is_about_two_hundred_milliseconds_of_work_and_none_beyond_jobs_of_fifty(
        long micros, int depth) {
      assertThat(RunTime.UNKNOWN.with(List.of(outcome("a", 0, micros))).depth()).isEqualTo(depth);
    }

    @Test
    void is_none_while_nothing_is_known() {
      assertThat(RunTime.UNKNOWN.depth()).isEqualTo(1);
    }

    @Test
    void follows_a_change_of_the_jobs() {
      RunTime time = RunTime.UNKNOWN.with(List.of(outcome("a", 0, 1)));
      List<Outcome> slow =
          IntStream.range(0, 30).mapToObj(i -> outcome("s" + i, 0, 100_000)).toList();
      assertThat(time.with(slow).depth()).isEqualTo(1);
    }
  }

  @Nested
  @DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
  class The_job_desk {
    private final JobDesk desk = new JobDesk();

    private Map<String, List<String>> placed() {
      return desk.place().entrySet().stream()
          .collect(
              java.util.stream.Collectors.toMap(
                  Map.Entry::getKey, e -> e.getValue().stream().map(Assignment::job).toList()));
    }

    private void learnThatJobsAreQuick() {
      desk.ready("teacher", 1);
      desk.take(List.of(job("lesson")));
      desk.place();
      desk.settled("teacher", List.of(outcome("lesson", 0, 1)));
      desk.unready("teacher");
    }

    @Test
    void gives_each_worker_one_job_while_it_does_not_know_how_long_they_run() {
      desk.ready("a", 1);
      desk.ready("b", 1);
      assertThat(desk.capacity()).isEqualTo(2);
      desk.take(jobs(1, 3));
      assertThat(placed()).isEqualTo(Map.of("a", List.of("j1"), "b", List.of("j2")));
      assertThat(placed()).isEmpty();
      desk.settled("b", List.of(outcome("j2", 0, 20_000)));
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j3")));
    }

    @Test
    void shares_quick_jobs_evenly() {
      learnThatJobsAreQuick();
      desk.ready("a", 1);
      desk.ready("b", 1);
      assertThat(desk.capacity()).isEqualTo(2 * RunTime.MAX_DEPTH);
      desk.take(jobs(1, 10));
      assertThat(desk.place().values()).extracting(List::size).containsExactly(5, 5);
    }

    @Test
    void makes_a_job_that_needs_an_idle_process_wait_for_one_and_those_behind_it_too() {
      learnThatJobsAreQuick();
      desk.ready("a", 1);
      desk.take(List.of(job("first"), job("alone", 1, true), job("last")));
      assertThat(placed()).isEqualTo(Map.of("a", List.of("first")));
      desk.settled("a", List.of(outcome("first", 0, 1)));
      assertThat(placed()).isEqualTo(Map.of("a", List.of("alone", "last")));
    }

    @Test
    void gives_a_worker_as_many_jobs_as_it_runs_at_once_and_says_that_these_run() {
      desk.ready("a", 3);
      desk.ready("b", 1);
      assertThat(desk.capacity()).isEqualTo(4);
      desk.take(jobs(1, 5));
      assertThat(placed()).isEqualTo(Map.of("a", List.of("j1", "j3", "j4"), "b", List.of("j2")));
      assertThat(desk.runningOn("a")).containsExactly("j1", "j3", "j4");
      assertThat(desk.running()).hasSize(4);
      desk.settled("a", List.of(outcome("j3", 0, 30_000)));
      assertThat(desk.capacity()).isEqualTo(28);
      desk.take(List.of(job("alone", 1, true)));
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j5"), "a", List.of("alone")));
      assertThat(desk.runningOn("a")).containsExactly("j1", "j4", "alone");
    }

    @Test
    void takes_an_attempt_only_once() {
      desk.ready("a", 1);
      desk.take(List.of(job("x")));
      desk.take(List.of(job("x")));
      assertThat(desk.held()).containsExactly(new AttemptRef("x", 1));
      desk.take(List.of(job("x", 2, false)));
      assertThat(desk.held()).hasSize(2);
    }

    @Test
    void knows_what_is_held_and_what_runs() {
      learnThatJobsAreQuick();
      desk.ready("a", 1);
      desk.take(jobs(1, 3));
      desk.place();
      assertThat(desk.held()).hasSize(3);
      assertThat(desk.running()).containsExactly(new AttemptRef("j1", 1));
      assertThat(desk.runningOn("a")).containsExactly("j1");
      assertThat(desk.runningOn("b")).isEmpty();
    }

    @Test
    void leaves_a_worker_that_takes_no_more_the_jobs_it_has() {
      desk.ready("a", 1);
      desk.take(jobs(1, 2));
      desk.place();
      desk.unready("a");
      assertThat(desk.anyReady()).isFalse();
      assertThat(desk.capacity()).isZero();
      assertThat(desk.runningOn("a")).containsExactly("j1");
      assertThat(placed()).isEmpty();
      desk.settled("a", List.of(outcome("j1", 0, 1)));
      assertThat(desk.held()).containsExactly(new AttemptRef("j2", 1));
      desk.ready("a", 1);
      assertThat(placed()).isEqualTo(Map.of("a", List.of("j2")));
    }

    @Test
    void sends_nothing_ahead_to_a_worker_that_runs_a_long_job() {
      learnThatJobsAreQuick();
      desk.ready("a", 1);
      desk.ready("b", 1);
      desk.take(List.of(job("long")));
      assertThat(placed()).isEqualTo(Map.of("a", List.of("long")));
      desk.look();
      assertThat(desk.capacity()).isEqualTo(2 * RunTime.MAX_DEPTH);
      desk.look();
      assertThat(desk.capacity()).isEqualTo(1 + RunTime.MAX_DEPTH);
      assertThat(desk.isWorthALook()).isFalse();
      desk.take(jobs(1, 3));
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j1", "j2", "j3")));
      assertThat(desk.isWorthALook()).isTrue();
      desk.settled("a", List.of(outcome("long", 0, 1)));
      assertThat(desk.capacity()).isEqualTo(2 * RunTime.MAX_DEPTH);
    }

    private void look(int looks) {
      for (int i = 0; i < looks; i++) {
        assertThat(desk.look()).isEmpty();
      }
    }

    @Test
    void gives_back_what_waits_where_all_workers_run_long_jobs_for_some_time() {
      learnThatJobsAreQuick();
      desk.ready("a", 1);
      desk.take(List.of(job("long")));
      desk.place();
      look(2);
      desk.take(jobs(1, 2));
      assertThat(placed()).isEmpty();
      look(JobDesk.PATIENT_LOOKS - 2);
      assertThat(desk.look()).extracting(Assignment::job).containsExactly("j1", "j2");
      assertThat(desk.held()).containsExactly(new AttemptRef("long", 1));
      assertThat(desk.look()).isEmpty();
    }

    /** Worker a has j1, which runs for long, and all others up to the last one behind it. */
    private void getStuck(int last) {
      learnThatJobsAreQuick();
      desk.ready("a", 1);
      desk.take(jobs(1, last));
      desk.place();
      desk.look();
      assertThat(desk.recall()).isEmpty();
      desk.look();
    }

    @Test
    void gives_other_workers_first_what_was_sent_behind_a_job_that_turns_out_long() {
      getStuck(4);
      desk.ready("b", 1);
      assertThat(desk.recall()).containsExactly("a");
      desk.take(jobs(5, 5));
      desk.returned("a", jobs(2, 4), List.of());
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j2", "j3", "j4", "j5")));
      assertThat(desk.runningOn("a")).containsExactly("j1");
      assertThat(desk.held()).hasSize(5);
      desk.look();
      assertThat(desk.recall()).isEmpty();
    }

    @Test
    void sends_nothing_behind_a_long_job_again_also_when_results_come_with_what_is_returned() {
      getStuck(4);
      desk.ready("b", 1);
      desk.returned("a", jobs(3, 4), List.of(outcome("j1", 0, 1)));
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j3", "j4")));
      assertThat(desk.held()).hasSize(3);
      desk.settled("b", List.of(outcome("j3", 0, 1), outcome("j4", 0, 1)));
      desk.look();
      assertThat(desk.capacity()).isEqualTo(1 + RunTime.MAX_DEPTH);
    }

    @Test
    void
        has_back_what_waits_behind_long_jobs_where_all_run_them_after_some_time_and_gives_it_back() {
      getStuck(3);
      look(JobDesk.PATIENT_LOOKS - 2);
      assertThat(desk.recall()).isEmpty();
      desk.look();
      assertThat(desk.recall()).containsExactly("a");
      desk.returned("a", jobs(2, 3), List.of());
      assertThat(placed()).isEmpty();
      assertThat(desk.stranded()).extracting(Assignment::job).containsExactly("j2", "j3");
      assertThat(desk.held()).containsExactly(new AttemptRef("j1", 1));
    }

    @Test
    void asks_ever_more_rarely_for_what_it_is_not_given_back_and_at_last_no_more() {
      getStuck(2);
      desk.ready("b", 1);
      StringBuilder asked = new StringBuilder();
      int looks = 1;
      while (desk.isWorthALook()) {
        asked.append(desk.recall().isEmpty() ? "" : looks + " ");
        desk.look();
        looks++;
      }
      assertThat(asked.toString()).isEqualTo("1 2 4 8 16 32 64 128 256 512 ");
      desk.settled("a", List.of(outcome("j1", 0, 1)));
      assertThat(desk.isWorthALook()).isTrue();
      look(2);
      assertThat(desk.recall()).isEmpty();
    }

    @Test
    void knows_what_was_cancelled_while_a_worker_had_it_when_that_comes_back() {
      getStuck(4);
      desk.ready("b", 1);
      assertThat(desk.withdraw(List.of(new AttemptRef("j1", 1), new AttemptRef("j3", 1))))
          .isEmpty();
      assertThat(desk.returned("a", jobs(2, 4), List.of()))
          .extracting(Assignment::job)
          .containsExactly("j3");
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j2", "j4")));
      assertThat(desk.held()).hasSize(3);
    }

    @Test
    void lets_an_exclusive_job_have_the_next_idle_worker_after_those_that_are_returned() {
      getStuck(3);
      desk.ready("b", 1);
      desk.take(List.of(job("alone", 1, true)));
      assertThat(placed()).isEqualTo(Map.of("b", List.of("alone")));
      desk.take(List.of(job("next", 1, true), job("last")));
      desk.returned("a", jobs(2, 3), List.of());
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j2", "j3")));
      desk.settled("b", List.of(outcome("alone", 0, 1), outcome("j2", 0, 1), outcome("j3", 0, 1)));
      assertThat(placed()).isEqualTo(Map.of("b", List.of("next", "last")));
    }

    @Test
    void takes_back_what_a_worker_returns_that_takes_no_more() {
      getStuck(3);
      desk.unready("a");
      desk.returned("a", jobs(2, 3), List.of(outcome("j1", 0, 1)));
      assertThat(desk.workerOf(new AttemptRef("j2", 1))).isEmpty();
      assertThat(desk.withdrawAll()).extracting(Assignment::job).containsExactly("j2", "j3");
      assertThat(desk.held()).isEmpty();
    }

    @Test
    void asks_for_nothing_where_several_jobs_run_at_once() {
      learnThatJobsAreQuick();
      desk.ready("a", 2);
      desk.take(jobs(1, 5));
      desk.place();
      desk.look();
      desk.look();
      assertThat(desk.recall()).isEmpty();
      assertThat(desk.isWorthALook()).isFalse();
    }

    @Test
    void knows_which_workers_have_jobs_behind_the_one_that_they_run_also_where_they_leave() {
      learnThatJobsAreQuick();
      desk.ready("a", 1);
      desk.ready("b", 1);
      desk.take(jobs(1, 3));
      desk.place();
      assertThat(desk.withJobsBehind()).containsExactly("a");
      desk.unready("b");
      desk.unready("a");
      assertThat(desk.withJobsBehind()).containsExactly("a");
      assertThat(desk.isWorthALook()).isTrue();
      desk.settled("a", List.of(outcome("j1", 0, 1)));
      assertThat(desk.withJobsBehind()).isEmpty();
      assertThat(desk.isWorthALook()).isFalse();
    }

    @Test
    void knows_a_worker_that_ends_jobs_from_one_that_runs_a_long_one() {
      learnThatJobsAreQuick();
      desk.ready("a", 1);
      desk.take(jobs(1, 4));
      desk.place();
      for (int i = 1; i <= 3; i++) {
        desk.look();
        desk.settled("a", List.of(outcome("j" + i, 0, 1)));
      }
      assertThat(desk.capacity()).isEqualTo(RunTime.MAX_DEPTH);
    }

    /** Workers a and b run jobs of ten milliseconds; b has nothing to do. */
    private void leaveIdle(int jobsAtA) {
      desk.ready("a", 1);
      desk.take(jobs(0, 0));
      desk.place();
      desk.settled("a", List.of(outcome("j0", 0, 10_000)));
      desk.take(jobs(1, jobsAtA));
      desk.place();
      desk.ready("b", 1);
    }

    @Test
    void asks_the_worker_with_most_jobs_for_them_where_another_has_none() {
      leaveIdle(4);
      assertThat(desk.share()).contains("a");
      assertThat(desk.share()).describedAs("as it may not have heard").contains("a");
      desk.returned("a", jobs(2, 4), List.of());
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j2", "j4"), "a", List.of("j3")));
      assertThat(desk.share()).isEmpty();
      desk.settled("b", List.of(outcome("j2", 0, 10_000), outcome("j4", 0, 10_000)));
      assertThat(desk.share()).describedAs("for one job of ten milliseconds").isEmpty();
    }

    @Test
    void asks_nobody_to_share_while_there_is_work_that_nobody_has_or_all_have_some() {
      leaveIdle(2);
      assertThat(desk.share()).describedAs("for one job").isEmpty();
      desk.take(jobs(3, 9));
      assertThat(desk.share()).isEmpty();
      assertThat(placed()).containsKeys("a", "b");
      assertThat(desk.share()).isEmpty();
    }

    @Test
    void asks_a_worker_with_a_long_job_only_at_its_looks() {
      leaveIdle(4);
      desk.look();
      desk.look();
      assertThat(desk.share()).isEmpty();
      assertThat(desk.recall()).containsExactly("a");
      desk.returned("a", jobs(2, 4), List.of());
      assertThat(placed()).isEqualTo(Map.of("b", List.of("j2", "j3", "j4")));
    }

    @Test
    void has_no_slack_while_a_worker_may_be_giving_back_what_waits_there() {
      leaveIdle(6);
      desk.unready("b");
      assertThat(desk.slack()).isEqualTo(Duration.ofMillis(50));
      desk.ready("b", 1);
      assertThat(desk.share()).contains("a");
      desk.unready("b");
      assertThat(desk.slack()).isZero();
      desk.settled("a", List.of(outcome("j1", 0, 10_000)));
      assertThat(desk.slack()).describedAs("the next one may have begun before").isZero();
      desk.look();
      assertThat(desk.slack()).isEqualTo(Duration.ofMillis(40));
    }

    @Test
    void has_slack_for_as_long_as_what_waits_takes_at_the_worker_where_it_is_least() {
      desk.ready("a", 1);
      desk.ready("b", 1);
      desk.take(jobs(1, 1));
      desk.place();
      desk.settled("a", List.of(outcome("j1", 0, 10_000)));
      assertThat(desk.slack()).isZero();
      desk.take(jobs(2, 8));
      desk.place(); // four for a, three for b
      assertThat(desk.slack()).isEqualTo(Duration.ofMillis(20));
      desk.settled("b", List.of(outcome("j3", 0, 10_000), outcome("j5", 0, 10_000)));
      assertThat(desk.slack()).isZero();
      desk.unready("b");
      assertThat(desk.slack()).describedAs("while a worker leaves").isZero();
      desk.settled("b", List.of(outcome("j7", 0, 10_000)));
      assertThat(desk.slack()).isEqualTo(Duration.ofMillis(30));
    }

    @Test
    void has_no_slack_where_results_are_large() {
      desk.ready("a", 1);
      desk.take(jobs(1, 1));
      desk.place();
      desk.settled("a", List.of(outcome("j1", 200 << 10, 10_000)));
      desk.take(jobs(2, 8));
      desk.place();
      assertThat(desk.slack()).isEqualTo(Duration.ofMillis(30));
      desk.settled("a", List.of(outcome("j2", 1 << 20, 10_000)));
      assertThat(desk.slack()).isZero();
    }

    @Test
    void withdraws_only_what_no_worker_has() {
      desk.ready("a", 1);
      desk.take(jobs(1, 3));
      desk.place();
      assertThat(desk.withdraw(List.of(new AttemptRef("j1", 1), new AttemptRef("j3", 1))))
          .extracting(Assignment::job)
          .containsExactly("j3");
      assertThat(desk.withdrawAll()).extracting(Assignment::job).containsExactly("j2");
      assertThat(desk.held()).containsExactly(new AttemptRef("j1", 1));
    }
  }

  @Nested
  @DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
  class The_pipe_to_a_process {
    private final JobPipe pipe = new JobPipe("w", 1);
    private final List<Outcome> outcomes = new ArrayList<>();
    private final List<Assignment> returned = new ArrayList<>();

    private void answer(Frame.Type type, long... ids) {
      pipe.answered(
          LongStream.of(ids)
              .mapToObj(id -> new Frame(type, ContentType.JSON, id, "", new byte[0]))
              .toList(),
          0,
          outcomes,
          returned);
    }

    @Test
    void asks_for_what_waits_behind_the_job_that_was_begun_last() {
      assertThat(pipe.recall(0)).isEmpty();
      pipe.add(jobs(1, 4), 0);
      assertThat(pipe.recall(0)).isEmpty();
      assertThat(pipe.recall(1)).hasValue(4);
      assertThat(pipe.recall(3)).hasValue(4);
      assertThat(pipe.recall(4)).isEmpty();
      answer(Frame.Type.RESULT, 1, 2);
      assertThat(pipe.recall(2)).isEmpty();
    }

    @Test
    void forgets_what_is_given_back() {
      pipe.add(jobs(1, 4), 0);
      pipe.recall(1);
      pipe.add(jobs(5, 5), 0);
      pipe.cancel(List.of(new AttemptRef("j3", 1), new AttemptRef("j5", 1)));
      answer(Frame.Type.RETURNED, 4);
      assertThat(returned).extracting(Assignment::job).containsExactly("j2", "j3", "j4");
      assertThat(pipe.size()).isEqualTo(2);
      assertThat(pipe.unwanted()).isEmpty();
      answer(Frame.Type.RESULT, 1);
      assertThat(pipe.unwanted()).containsExactly(5L);
      answer(Frame.Type.RESULT, 5);
      assertThat(outcomes).extracting(Outcome::job).containsExactly("j1", "j5");
    }

    @Test
    void takes_results_and_what_is_given_back_together() {
      pipe.add(jobs(1, 4), 0);
      pipe.recall(2);
      List<Frame> frames =
          List.of(
              new Frame(Frame.Type.RESULT, ContentType.JSON, 1, "", new byte[0]),
              new Frame(Frame.Type.RETURNED, ContentType.JSON, 4, "", new byte[0]));
      pipe.answered(frames, 6_000, outcomes, returned);
      assertThat(outcomes).extracting(Outcome::runMicros).containsExactly(6L);
      assertThat(returned).extracting(Assignment::job).containsExactly("j3", "j4");
      assertThat(pipe.head()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 4, 5, Long.MAX_VALUE})
    void refuses_what_is_given_back_without_having_been_asked_for(long last) {
      pipe.add(jobs(1, 3), 0);
      pipe.recall(1);
      pipe.add(jobs(4, 4), 0);
      assertThatThrownBy(() -> answer(Frame.Type.RETURNED, last))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("it gave back job " + last + ", which it was not asked for");
      assertThat(returned).isEmpty();
      answer(Frame.Type.RETURNED, 3);
      assertThatThrownBy(() -> answer(Frame.Type.RETURNED, 3))
          .isInstanceOf(IllegalArgumentException.class);
      assertThat(pipe.size()).isEqualTo(2);
    }
  }

  @Nested
  @DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
  class Settlements_to_the_queue {
    private final Settlements settlements = new Settlements();

    @Test
    void are_kept_until_they_are_acknowledged() {
      settlements.add(List.of(outcome("a", 1, 1)));
      settlements.add(List.of(outcome("b", 1, 1)));
      assertThat(settlements.unacknowledged())
          .extracting(Settlements.Batch::sequence)
          .containsExactly(1L, 2L);
      settlements.acknowledged(1);
      assertThat(settlements.attempts()).containsExactly(new AttemptRef("b", 1));
    }

    @Test
    void are_cut_so_that_each_fits_a_frame_of_the_cluster() {
      int third = Settlements.MAX_BATCH_BYTES / 3;
      assertThat(
              settlements.add(
                  List.of(
                      outcome("a", third, 1),
                      outcome("b", third, 1),
                      outcome("c", third, 1),
                      outcome("huge", Settlements.MAX_BATCH_BYTES * 2, 1),
                      outcome("d", 1, 1))))
          .extracting(batch -> batch.outcomes().stream().map(Outcome::job).toList())
          .containsExactly(List.of("a", "b"), List.of("c"), List.of("huge"), List.of("d"));
    }

    @Test
    void of_nothing_are_none() {
      assertThat(settlements.add(List.of())).isEmpty();
    }
  }

  @Nested
  @DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
  class The_end_of_a_process {
    private static final List<String> OUTPUT = List.of("before", "last line");

    @ParameterizedTest
    @CsvSource({"0, true", "1, true", "76, true", "64, false", "78, false", "126, false"})
    void can_heal_or_not_by_its_code(int code, boolean curable) {
      assertThat(Ends.curable(new ServerEvent.Ended(code, null, "", true, List.of())))
          .isEqualTo(curable);
    }

    @Test
    void by_a_code_names_it_and_the_last_line() {
      Cause cause = Ends.cause(new ServerEvent.Ended(1, null, "", true, OUTPUT), true);
      assertThat(cause.message()).isEqualTo("the process exited with code 1 (last line)");
      assertThat(cause.exitCode()).isEqualTo(1);
      assertThat(cause.lastOutput()).isEqualTo(OUTPUT);
    }

    @ParameterizedTest
    @CsvSource(
        delimiter = '|',
        value = {
          "0 | true | USER | code 0, though nobody had told it to",
          "3 | false | USER | code 3 before it was ready",
          "64 | false | USER | code 64: its command line or environment is wrong",
          "75 | true | INTERNAL | code 75: it lost its connection to the executor",
          "76 | true | USER | code 76: what came over its socket was no frame",
          "126 | false | USER | code 126: its command cannot be executed",
          "127 | false | USER | code 127: its command was not found"
        })
    void by_a_code_says_what_that_means(int code, boolean ready, Cause.Kind kind, String text) {
      Cause cause = Ends.cause(new ServerEvent.Ended(code, null, "", true, List.of()), ready);
      assertThat(cause.kind()).isEqualTo(kind);
      assertThat(cause.message()).isEqualTo("the process exited with " + text);
    }

    @Test
    void tells_the_peak_of_memory_and_calls_its_exhaustion_by_its_name() {
      ServerEvent.Ended end =
          new ServerEvent.Ended(
              null,
              9,
              "",
              true,
              OUTPUT,
              new ServerEvent.Memory(140 << 20, "it took 131 MiB"),
              List.of());
      Cause cause = Ends.because(Cause.Kind.TIMEOUT, "the job was slow", end);
      assertThat(cause.kind()).isEqualTo(Cause.Kind.OOM);
      assertThat(cause.message()).isEqualTo("it took 131 MiB; its memory peaked at 140 MiB");
    }

    @Test
    void by_a_signal_names_it() {
      Cause killed = Ends.cause(new ServerEvent.Ended(null, 9, "", true, OUTPUT), true);
      assertThat(killed.kind()).isEqualTo(Cause.Kind.KILLED);
      assertThat(killed.message()).isEqualTo("the process was ended by SIGKILL from outside");
      assertThat(Ends.cause(new ServerEvent.Ended(null, 11, "", true, OUTPUT), false).message())
          .isEqualTo("the process was ended by SIGSEGV before it was ready");
      assertThat(Ends.cause(new ServerEvent.Ended(null, 31, "", true, OUTPUT), true).message())
          .isEqualTo("the process was ended by signal 31");
    }
  }
}
