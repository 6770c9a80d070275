package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class QueueStateTest {
  private static final QueueState.Limits LIMITS =
      new QueueState.Limits(1000, 100_000, 50, 10, 10_000, Duration.ofHours(1), 8);
  private static final Cause GONE = Cause.of(Cause.Kind.AGENT_LOST, "its machine is gone");

  private final Recorder recorder = new Recorder();
  private final QueueState queue = queue(LIMITS);

  private QueueState queue(QueueState.Limits limits) {
    return new QueueState(
        "demo",
        limits,
        5_000,
        Duration.ofSeconds(10),
        new JobIds(1),
        Policies.memory(),
        new SplittableRandom(1),
        recorder);
  }

  private static NewJob job(String name, int attempts, int priority) {
    return new NewJob(
        "f",
        ContentType.JSON,
        name.getBytes(StandardCharsets.UTF_8),
        new NewJob.Terms(attempts, 60_000, priority),
        null,
        0);
  }

  private Job submit(String name) {
    return queue.submit(job(name, 3, 0), null, 0);
  }

  private void joins(String supervisor, int capacity) {
    queue.join(supervisor, List.of(), 0);
    queue.capacity(supervisor, capacity);
    queue.assign(0);
  }

  private static Outcome outcome(Assignment of, Outcome.Kind kind) {
    return new Outcome(
        of.job(),
        of.attempt(),
        kind,
        ContentType.JSON,
        "1".getBytes(StandardCharsets.UTF_8),
        kind == Outcome.Kind.SUCCEEDED ? null : Cause.of(Cause.Kind.USER, "it raised"),
        "demo.0.1",
        1000);
  }

  private void settle(Assignment assignment, Outcome.Kind kind) {
    queue.settle("s1", outcome(assignment, kind), 5);
    queue.assign(5);
  }

  @Test
  void jobs_go_out_by_priority_and_within_it_in_the_order_in_which_they_came() {
    queue.submit(job("low", 1, -1), null, 0);
    queue.submit(job("first", 1, 0), null, 0);
    queue.submit(job("second", 1, 0), null, 0);
    queue.submit(job("high", 1, 5), null, 0);
    joins("s1", 10);
    assertThat(recorder.payloads()).containsExactly("high", "first", "second", "low");
  }

  @Test
  void a_job_that_came_back_goes_before_those_that_were_never_out() {
    submit("a");
    submit("b");
    joins("s1", 1);
    settle(recorder.last(), Outcome.Kind.NOT_STARTED);
    assertThat(recorder.payloads()).containsExactly("a", "a");
  }

  @Test
  void supervisors_with_room_take_turns() {
    joins("s1", 100);
    joins("s2", 100);
    for (int i = 0; i < 10; i++) {
      submit("j" + i);
    }
    queue.assign(0);
    assertThat(queue.loads()).isEqualTo(Map.of("s1", 5, "s2", 5));
  }

  @Test
  void no_supervisor_holds_more_than_its_capacity() {
    for (int i = 0; i < 10; i++) {
      submit("j" + i);
    }
    joins("s1", 3);
    assertThat(queue.loads()).isEqualTo(Map.of("s1", 3));
    settle(recorder.last(), Outcome.Kind.SUCCEEDED);
    assertThat(queue.loads()).isEqualTo(Map.of("s1", 3));
  }

  @Test
  void attempts_of_an_earlier_scheduler_take_up_capacity_until_they_are_settled() {
    submit("a");
    submit("b");
    queue.join("s1", List.of(new AttemptRef("old", 1)), 0);
    queue.capacity("s1", 2);
    queue.assign(0);
    assertThat(queue.loads()).isEqualTo(Map.of("s1", 1));
    settle(
        new Assignment("old", 1, "f", ContentType.JSON, new byte[0], 1, false),
        Outcome.Kind.SUCCEEDED);
    assertThat(queue.loads()).isEqualTo(Map.of("s1", 2));
  }

  @Test
  void a_lost_attempt_counts_and_the_last_one_makes_the_job_dead() {
    Job job = submit("a");
    joins("s1", 1);
    settle(recorder.last(), Outcome.Kind.LOST);
    settle(recorder.last(), Outcome.Kind.LOST);
    assertThat(job.state).isEqualTo(JobState.RUNNING);
    settle(recorder.last(), Outcome.Kind.LOST);
    assertThat(job.state).isEqualTo(JobState.DEAD);
    assertThat(job.view().attempt()).isEqualTo(3);
    assertThat(job.view().cause()).isNotNull();
    assertThat(queue.counts().dead()).isEqualTo(1);
  }

  @Test
  void an_attempt_that_never_started_does_not_count() {
    Job job = submit("a");
    joins("s1", 1);
    for (int i = 0; i < 10; i++) {
      settle(recorder.last(), Outcome.Kind.NOT_STARTED);
    }
    assertThat(job.state).isEqualTo(JobState.RUNNING);
    assertThat(job.view().attempt()).isEqualTo(1);
  }

  @Test
  void a_job_that_always_comes_back_dies_in_the_end() {
    Job job = submit("a");
    joins("s1", 1);
    for (int i = 0; i < QueueState.UNCOUNTED_LIMIT; i++) {
      settle(recorder.last(), Outcome.Kind.NOT_STARTED);
    }
    assertThat(job.state).isEqualTo(JobState.DEAD);
  }

  @Test
  void an_exception_of_the_function_is_final() {
    Job job = submit("a");
    joins("s1", 1);
    settle(recorder.last(), Outcome.Kind.FAILED);
    assertThat(job.state).isEqualTo(JobState.FAILED);
    assertThat(queue.counts().causes()).isEqualTo(Map.of(Cause.Kind.USER, 1));
  }

  @Test
  void the_result_of_an_overtaken_attempt_is_dropped_and_counted() {
    Job job = submit("a");
    joins("s1", 1);
    Assignment first = recorder.last();
    queue.expire(20_000);
    queue.assign(20_000);
    settle(first, Outcome.Kind.SUCCEEDED);
    assertThat(job.state).isEqualTo(JobState.RUNNING);
    assertThat(queue.counts().overtaken()).isEqualTo(1);
    settle(recorder.last(), Outcome.Kind.SUCCEEDED);
    assertThat(job.state).isEqualTo(JobState.SUCCEEDED);
    assertThat(queue.counts().succeeded()).isEqualTo(1);
  }

  @Test
  void an_outcome_that_is_told_twice_counts_once() {
    submit("a");
    joins("s1", 1);
    Assignment assignment = recorder.last();
    settle(assignment, Outcome.Kind.SUCCEEDED);
    settle(assignment, Outcome.Kind.SUCCEEDED);
    assertThat(queue.counts().succeeded()).isEqualTo(1);
    assertThat(queue.counts().overtaken()).isZero();
  }

  @Test
  void a_renewed_lease_does_not_end() {
    Job job = submit("a");
    joins("s1", 1);
    queue.renew("s1", List.of(recorder.last().ref()), List.of(), 9_000);
    queue.expire(18_999);
    assertThat(job.state).isEqualTo(JobState.RUNNING);
    queue.expire(19_000);
    assertThat(job.state).isEqualTo(JobState.QUEUED);
  }

  @Test
  void a_lease_that_ends_counts_only_if_the_attempt_was_seen_running() {
    Job job = submit("a");
    joins("s1", 1);
    queue.expire(10_000);
    assertThat(job.view().attempt()).isZero();
    queue.assign(10_000);
    queue.renew("s1", List.of(recorder.last().ref()), List.of(recorder.last().ref()), 10_000);
    queue.expire(20_000);
    assertThat(job.view().attempt()).isEqualTo(1);
  }

  @Test
  void what_a_lost_supervisor_held_goes_to_another_at_once() {
    submit("a");
    joins("s1", 1);
    joins("s2", 1);
    queue.lost("s1", GONE, 1);
    queue.assign(1);
    assertThat(queue.loads()).isEqualTo(Map.of("s2", 1));
  }

  @Test
  void a_job_with_one_attempt_never_runs_again_once_it_may_have_started() {
    Job job = queue.submit(job("once", 1, 0), null, 0);
    joins("s1", 1);
    assertThat(recorder.last().exclusive()).isTrue();
    queue.lost("s1", GONE, 1);
    assertThat(job.state).isEqualTo(JobState.DEAD);
    assertThat(job.cause).isEqualTo(GONE);
  }

  @Test
  void a_job_with_one_attempt_runs_elsewhere_if_its_supervisor_says_it_did_not_start() {
    Job job = queue.submit(job("once", 1, 0), null, 0);
    joins("s1", 1);
    settle(recorder.last(), Outcome.Kind.NOT_STARTED);
    assertThat(job.state).isEqualTo(JobState.RUNNING);
  }

  @Test
  void a_supervisor_that_is_away_gets_nothing_and_keeps_its_lease() {
    Job job = submit("a");
    joins("s1", 5);
    queue.away("s1");
    submit("b");
    queue.assign(1);
    assertThat(recorder.payloads()).containsExactly("a");
    queue.join("s1", List.of(job.current()), 9_000);
    queue.expire(18_000);
    assertThat(job.state).isEqualTo(JobState.RUNNING);
  }

  @Test
  void a_cancelled_job_that_waits_ends_and_is_never_handed_out() {
    Job job = submit("a");
    queue.cancel(job, GONE, 1);
    joins("s1", 1);
    assertThat(job.state).isEqualTo(JobState.CANCELLED);
    assertThat(recorder.assigned).isEmpty();
  }

  @Test
  void a_cancelled_job_that_runs_ends_at_once_and_its_place_is_free_when_the_supervisor_says_so() {
    Job job = submit("a");
    submit("b");
    joins("s1", 1);
    Assignment running = recorder.last();
    queue.cancel(job, GONE, 1);
    queue.assign(1);
    assertThat(job.state).isEqualTo(JobState.CANCELLED);
    assertThat(recorder.withdrawn).containsExactly(running.ref());
    assertThat(recorder.payloads()).containsExactly("a");
    settle(running, Outcome.Kind.CANCELLED);
    assertThat(recorder.payloads()).containsExactly("a", "b");
    assertThat(queue.counts().overtaken()).isZero();
  }

  @ParameterizedTest
  @EnumSource(
      value = JobState.class,
      names = {"SUCCEEDED", "FAILED", "CANCELLED", "DEAD"})
  void cancelling_what_has_ended_changes_nothing(JobState end) {
    Job job = ended(end);
    queue.cancel(job, GONE, 9);
    assertThat(job.state).isEqualTo(end);
    assertThat(job.endedAt).isNotEqualTo(9);
  }

  @ParameterizedTest
  @EnumSource(
      value = JobState.class,
      names = {"FAILED", "CANCELLED", "DEAD"})
  void what_did_not_succeed_can_be_retried_with_all_its_attempts(JobState end) {
    Job job = ended(end);
    assertThat(queue.retry(job, 0)).isTrue();
    queue.assign(10);
    settle(recorder.last(), Outcome.Kind.SUCCEEDED);
    assertThat(job.state).isEqualTo(JobState.SUCCEEDED);
    assertThat(job.view().attempt()).isEqualTo(1);
    QueueCounts counts = queue.counts();
    assertThat(counts.failed() + counts.cancelled() + counts.dead()).isZero();
  }

  @Test
  void what_succeeded_cannot_be_retried() {
    assertThat(queue.retry(ended(JobState.SUCCEEDED), 0)).isFalse();
  }

  private Job ended(JobState end) {
    Job job = queue.submit(job("a", 2, 0), null, 0);
    joins("s1", 1);
    switch (end) {
      case SUCCEEDED -> settle(recorder.last(), Outcome.Kind.SUCCEEDED);
      case FAILED -> settle(recorder.last(), Outcome.Kind.FAILED);
      case CANCELLED -> {
        queue.cancel(job, GONE, 5);
        settle(recorder.last(), Outcome.Kind.CANCELLED);
      }
      case DEAD -> {
        settle(recorder.last(), Outcome.Kind.LOST);
        settle(recorder.last(), Outcome.Kind.LOST);
      }
      case QUEUED, RUNNING -> throw new IllegalArgumentException("not an end: " + end);
    }
    assertThat(job.state).isEqualTo(end);
    return job;
  }

  @Test
  void a_renewed_attempt_that_was_overtaken_is_withdrawn_once() {
    submit("a");
    joins("s1", 2);
    AttemptRef first = recorder.last().ref();
    queue.expire(10_000);
    queue.renew("s1", List.of(first), List.of(first), 11_000);
    queue.renew("s1", List.of(first), List.of(first), 12_000);
    assertThat(recorder.withdrawn).containsExactly(first);
  }

  @Test
  void a_full_queue_has_no_room_for_jobs_or_bytes() {
    QueueState small = queue(new QueueState.Limits(2, 10, 5, 5, 100, Duration.ofHours(1), 8));
    assertThat(small.hasRoomFor(1_000)).as("one job alone, whatever its size").isTrue();
    small.submit(job("12345", 1, 0), null, 0);
    assertThat(small.hasRoomFor(6)).isFalse();
    assertThat(small.hasRoomFor(5)).isTrue();
    small.submit(job("1", 1, 0), null, 0);
    assertThat(small.hasRoomFor(0)).isFalse();
  }

  @Test
  void jobs_that_are_asked_for_in_the_same_words_keep_these_once() {
    Job first = queue.submit(job("1", 3, 0), null, 0);
    Job same = queue.submit(job("2", 3, 0), null, 0);
    Job other = queue.submit(job("3", 4, 0), null, 0);
    assertThat(same.terms).isSameAs(first.terms);
    assertThat(other.terms.attempts()).isEqualTo(4);
    NewJob wanted = job("4", 4, 0);
    NewJob again =
        new NewJob(new String("f"), wanted.type(), wanted.payload(), wanted.terms(), null, 0);
    assertThat(queue.submit(again, null, 0).function).isSameAs(first.function);
  }

  @Test
  void no_more_ended_jobs_are_remembered_than_told() {
    joins("s1", 1000);
    List<Job> jobs = new ArrayList<>();
    for (int i = 0; i < 80; i++) {
      jobs.add(submit("j" + i));
    }
    queue.assign(0);
    List.copyOf(recorder.assigned).forEach(job -> settle(job, Outcome.Kind.SUCCEEDED));
    assertThat(queue.find(jobs.get(29).id)).isEmpty();
    assertThat(queue.find(jobs.get(30).id)).isPresent();
    assertThat(queue.counts().succeeded()).isEqualTo(80);
  }

  @Test
  void fewer_are_remembered_of_those_whose_submitter_has_been_told() {
    joins("s1", 1000);
    Submitter submitter = new Submitter() {};
    List<Job> jobs = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      jobs.add(queue.submit(job("m" + i, 3, 0), submitter, 0));
    }
    queue.assign(0);
    List.copyOf(recorder.assigned).forEach(job -> settle(job, Outcome.Kind.SUCCEEDED));
    assertThat(queue.find(jobs.get(1).id)).isEmpty();
    assertThat(queue.find(jobs.get(2).id)).isPresent();
  }

  @Test
  void fewer_are_remembered_of_those_that_can_be_found_in_the_store() {
    queue.apply(Policies.store());
    joins("s1", 1000);
    List<Job> jobs = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      jobs.add(submit("j" + i));
      queue.assign(0);
    }
    List.copyOf(recorder.assigned).forEach(job -> settle(job, Outcome.Kind.SUCCEEDED));
    assertThat(queue.find(jobs.get(1).id)).isEmpty();
    assertThat(queue.find(jobs.get(2).id)).isPresent();
    assertThat(queue.counts().succeeded()).isEqualTo(12);
  }

  @Test
  void a_supervisor_with_many_bytes_in_hand_gets_no_more_until_it_has_settled_some() {
    joins("s1", 10);
    for (int i = 0; i < 3; i++) {
      queue.submit(job("x".repeat(3_000), 3, 0), null, 0);
    }
    queue.assign(0);
    assertThat(queue.loads()).isEqualTo(Map.of("s1", 2));
    settle(recorder.last(), Outcome.Kind.SUCCEEDED);
    assertThat(recorder.assigned).hasSize(3);
  }

  @Test
  void ended_jobs_are_forgotten_after_a_while_and_so_are_their_keys() {
    NewJob keyed =
        new NewJob("f", ContentType.JSON, new byte[] {'1'}, new NewJob.Terms(1, 1000, 0), "key", 0);
    Job job = queue.submit(keyed, null, 0);
    assertThat(queue.withKey("key")).contains(job);
    joins("s1", 1);
    settle(recorder.last(), Outcome.Kind.SUCCEEDED);
    queue.expire(Duration.ofMinutes(59).toMillis());
    assertThat(queue.withKey("key")).contains(job);
    queue.expire(Duration.ofMinutes(61).toMillis());
    assertThat(queue.withKey("key")).isEmpty();
    assertThat(queue.find(job.id)).isEmpty();
  }

  @Test
  void a_submitter_who_leaves_takes_along_what_has_not_ended() {
    Submitter submitter = new Submitter() {};
    Job running = queue.submit(job("a", 3, 0), submitter, 0);
    joins("s1", 1);
    Job waiting = queue.submit(job("b", 3, 0), submitter, 0);
    Job other = submit("c");
    queue.leave(submitter, GONE, 1);
    assertThat(List.of(running.state, waiting.state, other.state))
        .containsExactly(JobState.CANCELLED, JobState.CANCELLED, JobState.QUEUED);
    assertThat(recorder.withdrawn).extracting(AttemptRef::job).containsExactly(running.id);
  }

  @Test
  void a_submitter_who_leaves_takes_along_the_only_one_of_his_that_has_not_ended() {
    Submitter submitter = new Submitter() {};
    queue.submit(job("ends", 3, 0), submitter, 0);
    joins("s1", 1);
    Job last = queue.submit(job("last", 3, 0), submitter, 0);
    queue.abort(queue.submit(job("not stored", 3, 0), submitter, 0), 0);
    settle(recorder.last(), Outcome.Kind.SUCCEEDED);
    queue.leave(submitter, GONE, 1);
    assertThat(last.state).isEqualTo(JobState.CANCELLED);
  }

  /** Remembers what the queue wanted done. */
  static final class Recorder implements QueueState.Outbox {
    final List<Assignment> assigned = new ArrayList<>();
    final List<AttemptRef> withdrawn = new ArrayList<>();
    final List<Job> kept = new ArrayList<>();

    @Override
    public void assign(String supervisor, Assignment assignment) {
      assigned.add(assignment);
    }

    @Override
    public void withdraw(String supervisor, AttemptRef attempt) {
      withdrawn.add(attempt);
    }

    @Override
    public void changed(Job job) {}

    @Override
    public void keep(Job job) {
      kept.add(job);
    }

    Assignment last() {
      return assigned.get(assigned.size() - 1);
    }

    List<String> payloads() {
      return assigned.stream()
          .map(each -> new String(each.payload(), StandardCharsets.UTF_8))
          .toList();
    }
  }
}
