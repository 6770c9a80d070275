package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.model.JobPolicy;
import io.troupe.model.JobPolicy.Durability;
import io.troupe.model.JobPolicy.Limits;
import io.troupe.model.JobPolicy.Retry;
import io.troupe.model.JobPolicy.RetryOn;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.Outcome;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

/** What a pool's policy and a job's terms do: retries, delays, shares and limits. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class PolicyTest {
  private static final Duration MINUTE = Duration.ofMinutes(1);
  private final QueueStateTest.Recorder recorder = new QueueStateTest.Recorder();

  private QueueState queue(Retry retry, Limits limits) {
    QueueState queue =
        new QueueState(
            "demo",
            new QueueState.Limits(1000, 100_000, 50, 10, 10_000, Duration.ofHours(1), 8),
            50_000,
            Duration.ofSeconds(10),
            new JobIds(1),
            new JobPolicy(MINUTE, 3, Durability.MEMORY, retry, limits),
            new SplittableRandom(1),
            recorder);
    queue.join("s1", List.of(), 0);
    queue.capacity("s1", 1);
    return queue;
  }

  private static Limits limits(int queued, int concurrency, double rate) {
    return new Limits(queued, concurrency, rate, Duration.ZERO, Map.of());
  }

  private static NewJob job(String name, NewJob.Terms terms) {
    return new NewJob("f", ContentType.JSON, name.getBytes(StandardCharsets.UTF_8), terms, null, 0);
  }

  private static NewJob.Terms by(String submitter, int attempts, long delay, long ttl) {
    return new NewJob.Terms(attempts, 60_000, 0, submitter, delay, ttl, 0);
  }

  private static Outcome outcome(Assignment of, Outcome.Kind kind, Cause.Kind cause) {
    return new Outcome(
        of.job(),
        of.attempt(),
        kind,
        ContentType.JSON,
        new byte[0],
        kind == Outcome.Kind.SUCCEEDED ? null : Cause.of(cause, "so"),
        "w",
        1);
  }

  private void finish(QueueState queue, int jobs) {
    for (int i = 0; i < jobs; i++) {
      queue.assign(i);
      queue.settle("s1", outcome(recorder.last(), Outcome.Kind.SUCCEEDED, Cause.Kind.USER), i);
    }
  }

  @Test
  void a_job_that_was_lost_comes_back_after_a_wait_that_doubles() {
    QueueState queue =
        queue(new Retry(Duration.ofSeconds(1), MINUTE, Retry.USUAL.on()), Limits.NONE);
    Job job = queue.submit(job("a", by("", 3, 0, 0)), null, 0);
    queue.assign(0);
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.LOST, Cause.Kind.KILLED), 0);
    assertThat(job.due).isBetween(500L, 1_000L);
    assertThat(queue.nextDue()).hasValue(job.due);
    queue.assign(job.due - 1);
    assertThat(recorder.assigned).as("not before its time").hasSize(1);
    assertThat(queue.counts().queued()).isEqualTo(1);
    queue.assign(job.due);
    assertThat(recorder.assigned).hasSize(2);
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.LOST, Cause.Kind.KILLED), 10_000);
    assertThat(job.due).isBetween(11_000L, 12_000L);
    queue.assign(12_000);
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.LOST, Cause.Kind.KILLED), 12_000);
    assertThat(job.state).as("its attempts are used up").isEqualTo(JobState.DEAD);
  }

  @Test
  void an_exception_is_tried_again_only_where_the_pool_says_so() {
    QueueState usual = queue(Retry.USUAL, Limits.NONE);
    Job once = usual.submit(job("a", by("", 3, 0, 0)), null, 0);
    usual.assign(0);
    usual.settle("s1", outcome(recorder.last(), Outcome.Kind.FAILED, Cause.Kind.USER), 0);
    assertThat(once.state).isEqualTo(JobState.FAILED);

    Retry all = new Retry(Duration.ZERO, Duration.ZERO, Set.of(RetryOn.values()));
    QueueState queue = queue(all, Limits.NONE);
    Job twice = queue.submit(job("b", by("", 2, 0, 0)), null, 0);
    queue.assign(0);
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.FAILED, Cause.Kind.USER), 0);
    assertThat(twice.state).isEqualTo(JobState.QUEUED);
    queue.assign(0);
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.FAILED, Cause.Kind.USER), 0);
    assertThat(twice.state).isEqualTo(JobState.DEAD);
  }

  @Test
  void a_cause_that_the_pool_does_not_retry_ends_the_job() {
    QueueState queue =
        queue(new Retry(Duration.ZERO, Duration.ZERO, Set.of(RetryOn.KILLED)), Limits.NONE);
    Job job = queue.submit(job("a", by("", 3, 0, 0)), null, 0);
    queue.assign(0);
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.LOST, Cause.Kind.OOM), 0);
    assertThat(job.state).isEqualTo(JobState.FAILED);
  }

  @Test
  void a_delayed_job_lets_others_pass_and_starts_at_its_time() {
    QueueState queue = queue(Retry.USUAL, Limits.NONE);
    queue.submit(job("late", by("", 3, 5_000, 0)), null, 0);
    queue.submit(job("now", by("", 3, 0, 0)), null, 0);
    queue.assign(0);
    assertThat(recorder.payloads()).containsExactly("now");
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.SUCCEEDED, Cause.Kind.USER), 0);
    queue.assign(4_999);
    assertThat(recorder.payloads()).containsExactly("now");
    queue.assign(5_000);
    assertThat(recorder.payloads()).containsExactly("now", "late");
  }

  @Test
  void a_job_that_waits_longer_than_its_ttl_fails_and_one_that_has_started_does_not() {
    QueueState queue = queue(Retry.USUAL, Limits.NONE);
    Job first = queue.submit(job("a", by("", 3, 0, 1_000)), null, 0);
    queue.assign(0);
    Job second = queue.submit(job("b", by("", 3, 0, 1_000)), null, 0);
    queue.renew("s1", List.of(first.current()), List.of(first.current()), 999);
    queue.expire(999);
    assertThat(second.state).isEqualTo(JobState.QUEUED);
    queue.expire(1_000);
    assertThat(second.state).isEqualTo(JobState.FAILED);
    assertThat(second.cause).isNotNull();
    assertThat(second.cause.kind()).isEqualTo(Cause.Kind.TIMEOUT);
    assertThat(first.state).isEqualTo(JobState.RUNNING);
  }

  @Test
  void a_job_that_is_given_back_without_a_start_has_its_ttl_still() {
    QueueState queue = queue(Retry.USUAL, Limits.NONE);
    Job job = queue.submit(job("a", by("", 3, 0, 1_000)), null, 0);
    queue.assign(0);
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.NOT_STARTED, Cause.Kind.DRAINED), 500);
    queue.expire(999);
    assertThat(job.state).isEqualTo(JobState.QUEUED);
    queue.expire(1_000);
    assertThat(job.state).isEqualTo(JobState.FAILED);
    assertThat(job.cause).isNotNull();
    assertThat(job.cause.message()).contains("not started within PT1S");
    assertThat(queue.counts().queued()).isZero();
  }

  @Test
  void a_job_that_is_given_back_when_its_ttl_is_over_is_not_handed_out_again() {
    QueueState queue = queue(Retry.USUAL, Limits.NONE);
    Job job = queue.submit(job("a", by("", 3, 0, 1_000)), null, 0);
    queue.assign(0);
    queue.settle(
        "s1", outcome(recorder.last(), Outcome.Kind.NOT_STARTED, Cause.Kind.DRAINED), 1_000);
    assertThat(job.state).isEqualTo(JobState.FAILED);
    queue.assign(1_000);
    assertThat(recorder.assigned).hasSize(1);
  }

  @Test
  void a_job_that_may_have_started_when_it_was_lost_runs_again_whatever_its_ttl() {
    QueueState queue = queue(Retry.USUAL, Limits.NONE);
    Job job = queue.submit(job("a", by("", 3, 0, 1_000)), null, 0);
    queue.assign(0);
    queue.lost("s1", Cause.of(Cause.Kind.AGENT_LOST, "so"), 2_000);
    queue.expire(2_000);
    assertThat(job.state).isEqualTo(JobState.QUEUED);
  }

  @Test
  void a_job_that_is_retried_has_its_ttl_anew() {
    QueueState queue = queue(Retry.USUAL, Limits.NONE);
    Job job = queue.submit(job("a", by("", 3, 0, 1_000)), null, 0);
    queue.expire(1_000);
    assertThat(job.state).isEqualTo(JobState.FAILED);
    assertThat(queue.retry(job, 5_000)).isTrue();
    queue.expire(5_999);
    assertThat(job.state).isEqualTo(JobState.QUEUED);
    queue.expire(6_000);
    assertThat(job.state).isEqualTo(JobState.FAILED);
  }

  @Test
  void a_long_queue_of_one_submitter_does_not_keep_another_waiting() {
    QueueState queue = queue(Retry.USUAL, Limits.NONE);
    for (int i = 0; i < 100; i++) {
      queue.submit(job("many" + i, by("many", 3, 0, 0)), null, 0);
    }
    finish(queue, 10);
    queue.submit(job("single", by("single", 3, 0, 0)), null, 0);
    finish(queue, 2);
    assertThat(recorder.payloads()).contains("single");
  }

  @Test
  void shares_of_submitters_are_as_their_weights() {
    Limits weighted = new Limits(0, 0, 0, Duration.ZERO, Map.of("alice", 3));
    QueueState queue = queue(Retry.USUAL, weighted);
    for (int i = 0; i < 100; i++) {
      queue.submit(job("alice", by("alice", 3, 0, 0)), null, 0);
      queue.submit(job("bob", by("bob", 3, 0, 0)), null, 0);
    }
    finish(queue, 80);
    long alice = recorder.payloads().stream().filter("alice"::equals).count();
    assertThat(alice).isBetween(59L, 61L);
  }

  @Test
  void no_more_jobs_run_than_the_pool_allows() {
    QueueState queue = queue(Retry.USUAL, limits(0, 2, 0));
    queue.capacity("s1", 10);
    for (int i = 0; i < 5; i++) {
      queue.submit(job("a", by("", 3, 0, 0)), null, 0);
    }
    queue.assign(0);
    assertThat(recorder.assigned).hasSize(2);
    queue.settle("s1", outcome(recorder.last(), Outcome.Kind.SUCCEEDED, Cause.Kind.USER), 0);
    queue.assign(0);
    assertThat(recorder.assigned).hasSize(3);
  }

  @Test
  void no_more_jobs_queue_than_the_pool_allows() {
    QueueState queue = queue(Retry.USUAL, limits(2, 0, 0));
    queue.submit(job("a", by("", 3, 0, 0)), null, 0);
    assertThat(queue.hasRoomFor(1)).isTrue();
    queue.submit(job("b", by("", 3, 9_000, 0)), null, 0);
    assertThat(queue.hasRoomFor(1)).as("a delayed job counts too").isFalse();
  }

  @Test
  void submissions_above_the_rate_are_told_how_long_to_wait() {
    QueueState queue = queue(Retry.USUAL, limits(0, 0, 2));
    assertThat(queue.rateWait(1_000)).isZero();
    queue.submit(job("a", by("", 3, 0, 0)), null, 1_000);
    queue.submit(job("b", by("", 3, 0, 0)), null, 1_000);
    assertThat(queue.rateWait(1_000)).isEqualTo(Duration.ofMillis(500));
    assertThat(queue.rateWait(1_250)).isEqualTo(Duration.ofMillis(250));
    assertThat(queue.rateWait(1_500)).isZero();
    assertThat(queue.rateWait(100_000)).isZero();
    queue.submit(job("c", by("", 3, 0, 0)), null, 100_000);
    queue.submit(job("d", by("", 3, 0, 0)), null, 100_000);
    assertThat(queue.rateWait(100_000)).as("a rest saves up no more than a second").isPositive();
  }
}
