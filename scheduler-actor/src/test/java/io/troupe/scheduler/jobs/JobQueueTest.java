package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SchedulerToSupervisor.Assign;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToQueue.Pull;
import io.troupe.protocol.SupervisorToQueue.Renew;
import io.troupe.protocol.SupervisorToQueue.Settle;
import io.troupe.protocol.SupervisorToScheduler;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class JobQueueTest {
  private static final String S1 = "e1@a1";
  private static final int PAYLOAD = 100;
  private static final JobSettings SETTINGS =
      new JobSettings(
          new QueueState.Limits(20, 1 << 20, 100, 100, 1 << 20, Duration.ofHours(1), 8),
          1 << 20,
          Duration.ofSeconds(10),
          4,
          3 * PAYLOAD,
          1 << 20,
          new JobSettings.Blobs(
              1 << 16, 1 << 30, 1 << 30, 1 << 27, Duration.ofSeconds(10), "http://h/v1/blobs"),
          Duration.ofHours(2));

  private final AtomicLong millis = new AtomicLong(1_000);
  private final AtomicReference<QueueCounts> counts = new AtomicReference<>(QueueCounts.ZERO);
  private ActorTestKit kit;
  private ManualTime time;
  private ActorRef<JobQueue.Command> queue;
  private TestProbe<SchedulerToSupervisor> supervisor;
  private TestProbe<JobQueue.Answer> client;
  private TestProbe<JobQueue.Told> submitter;
  private ActorRef<SupervisorToQueue> inbox;

  @BeforeEach
  void start() {
    kit = ActorTestKit.create(ManualTime.config());
    time = ManualTime.get(kit.system());
    queue =
        kit.spawn(
            JobQueue.create(
                "demo",
                Policies.memory(),
                new JobQueue.Parts(
                    SETTINGS,
                    new MemoryJobStore(),
                    new JobIds(7),
                    () -> Instant.ofEpochMilli(millis.get()),
                    new SplittableRandom(1),
                    new Counted(counts))));
    supervisor = kit.createTestProbe(SchedulerToSupervisor.class);
    client = kit.createTestProbe(JobQueue.Answer.class);
    submitter = kit.createTestProbe(JobQueue.Told.class);
    inbox = join(supervisor, List.of());
  }

  @AfterEach
  void stop() {
    kit.shutdownTestKit();
  }

  private ActorRef<SupervisorToQueue> join(
      TestProbe<SchedulerToSupervisor> who, List<AttemptRef> held) {
    queue.tell(
        new JobQueue.SupervisorJoined(
            new SupervisorToScheduler.Register(
                S1,
                1,
                1,
                "demo",
                "f",
                "a1",
                "e1",
                "host",
                "akka://x",
                held,
                List.of(),
                who.getRef())));
    SchedulerToSupervisor.Registered registered =
        who.expectMessageClass(SchedulerToSupervisor.Registered.class);
    assertThat(registered.lease()).isEqualTo(Duration.ofSeconds(10));
    return registered.queue();
  }

  /** What is thanked for when no job is there for the thanks to go with. */
  private long thanks(TestProbe<SchedulerToSupervisor> who) {
    handled();
    passes(Duration.ofMillis(100));
    Assign thanks = who.expectMessageClass(Assign.class);
    assertThat(thanks.assignments()).isEmpty();
    return thanks.settledUpTo();
  }

  /** Waits until the queue has handled what it was told and has sent what there was to send. */
  private void handled() {
    TestProbe<JobQueue.Answer> asker = kit.createTestProbe(JobQueue.Answer.class);
    for (int i = 0; i < 2; i++) {
      queue.tell(new JobQueue.Find("nix", Duration.ZERO, asker.getRef()));
      asker.expectMessageClass(JobQueue.Unknown.class);
    }
  }

  private void passes(Duration amount) {
    millis.addAndGet(amount.toMillis());
    time.timePasses(amount);
  }

  private static NewJob job(int index) {
    byte[] payload = new byte[PAYLOAD];
    Arrays.fill(payload, (byte) '1');
    return new NewJob("f", ContentType.JSON, payload, new NewJob.Terms(3, 60_000, 0), null, index);
  }

  private void submitMany(int jobs) {
    List<NewJob> list = new ArrayList<>();
    for (int i = 0; i < jobs; i++) {
      list.add(job(i));
    }
    queue.tell(new JobQueue.SubmitMany(list, submitter.getRef()));
  }

  private static Outcome succeeded(Assignment of) {
    return new Outcome(
        of.job(),
        of.attempt(),
        Outcome.Kind.SUCCEEDED,
        ContentType.JSON,
        new byte[] {'2'},
        null,
        "w",
        10);
  }

  /** Does what somebody asks of it first, and answers: so that all before it has been handled. */
  private void settled() {
    TestProbe<List<JobView>> probe = kit.createTestProbe();
    queue.tell(new JobQueue.ListJobs(java.util.Optional.empty(), 1, probe.getRef()));
    probe.receiveMessage();
  }

  @Test
  void jobs_that_wait_go_out_in_one_message_for_each_batch_that_fits() {
    submitMany(7);
    inbox.tell(new Pull(S1, 100));
    List<Integer> sizes = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      sizes.add(supervisor.expectMessageClass(Assign.class).assignments().size());
    }
    assertThat(sizes).as("three payloads fill a message").containsExactly(3, 3, 1);
  }

  @Test
  void outcomes_reach_their_submitter_in_one_message_and_are_acknowledged() {
    submitMany(2);
    inbox.tell(new Pull(S1, 2));
    List<Assignment> jobs = supervisor.expectMessageClass(Assign.class).assignments();
    inbox.tell(new Settle(S1, 1, jobs.stream().map(JobQueueTest::succeeded).toList(), 2));
    JobQueue.Ends ends = submitter.expectMessageClass(JobQueue.Ends.class);
    assertThat(ends.ends()).extracting(JobEnd::index).containsExactly(0L, 1L);
    assertThat(thanks(supervisor)).isEqualTo(1);
    assertThat(counts.get().succeeded()).isEqualTo(2);
  }

  @Test
  void thanks_go_with_the_next_job_if_there_is_one_soon() {
    submitMany(2);
    inbox.tell(new Pull(S1, 1));
    Assignment first = supervisor.expectMessageClass(Assign.class).assignments().get(0);
    inbox.tell(new Settle(S1, 1, List.of(succeeded(first)), 1));
    Assign second = supervisor.expectMessageClass(Assign.class);
    assertThat(second.assignments()).hasSize(1);
    assertThat(second.settledUpTo()).isEqualTo(1);
    handled();
    time.expectNoMessageFor(Duration.ofMillis(200), supervisor);
  }

  @Test
  void many_batches_are_thanked_for_without_waiting() {
    for (int i = 1; i <= 32; i++) {
      inbox.tell(new Settle(S1, i, List.of(), 1));
      handled();
    }
    assertThat(supervisor.expectMessageClass(Assign.class).settledUpTo()).isEqualTo(32);
  }

  @Test
  void a_batch_that_is_told_again_is_acknowledged_again_and_counts_once() {
    submitMany(1);
    inbox.tell(new Pull(S1, 1));
    Assignment job = supervisor.expectMessageClass(Assign.class).assignments().get(0);
    Settle settle = new Settle(S1, 1, List.of(succeeded(job)), 1);
    inbox.tell(settle);
    assertThat(thanks(supervisor)).isEqualTo(1);
    inbox.tell(settle);
    assertThat(thanks(supervisor)).isEqualTo(1);
    assertThat(counts.get().succeeded()).isEqualTo(1);
  }

  @Test
  void a_batch_after_a_missing_one_is_not_acknowledged_before_that_has_come() {
    submitMany(2);
    inbox.tell(new Pull(S1, 2));
    List<Assignment> jobs = supervisor.expectMessageClass(Assign.class).assignments();
    inbox.tell(new Settle(S1, 1, List.of(), 2));
    assertThat(thanks(supervisor)).isEqualTo(1);
    inbox.tell(new Settle(S1, 3, List.of(succeeded(jobs.get(1))), 2));
    assertThat(thanks(supervisor)).isEqualTo(1);
    inbox.tell(new Settle(S1, 2, List.of(succeeded(jobs.get(0))), 2));
    assertThat(thanks(supervisor)).isEqualTo(2);
    inbox.tell(new Settle(S1, 3, List.of(succeeded(jobs.get(1))), 2));
    assertThat(thanks(supervisor)).isEqualTo(3);
    assertThat(counts.get().succeeded()).isEqualTo(2);
  }

  @Test
  void a_lease_that_nobody_renews_ends_and_the_job_goes_out_again() {
    submitMany(1);
    inbox.tell(new Pull(S1, 1));
    Assignment first = supervisor.expectMessageClass(Assign.class).assignments().get(0);
    passes(Duration.ofSeconds(9));
    settled();
    supervisor.expectNoMessage(Duration.ZERO);
    passes(Duration.ofSeconds(1));
    Assignment second = supervisor.expectMessageClass(Assign.class).assignments().get(0);
    assertThat(second.job()).isEqualTo(first.job());
    assertThat(second.attempt()).isGreaterThan(first.attempt());
  }

  @Test
  void a_lease_that_is_renewed_does_not_end() {
    submitMany(1);
    inbox.tell(new Pull(S1, 1));
    Assignment job = supervisor.expectMessageClass(Assign.class).assignments().get(0);
    for (int i = 0; i < 10; i++) {
      inbox.tell(new Renew(S1, List.of(job.ref()), List.of(job.ref()), 1));
      settled();
      passes(Duration.ofSeconds(3));
    }
    settled();
    supervisor.expectNoMessage(Duration.ZERO);
    assertThat(counts.get().running()).isEqualTo(1);
  }

  @Test
  void what_a_lost_executor_held_goes_to_the_next_one_at_once() {
    submitMany(1);
    inbox.tell(new Pull(S1, 1));
    supervisor.expectMessageClass(Assign.class);
    queue.tell(
        new JobQueue.SupervisorLost(S1, Cause.of(Cause.Kind.INTERNAL, "the executor ended")));
    TestProbe<SchedulerToSupervisor> next = kit.createTestProbe(SchedulerToSupervisor.class);
    join(next, List.of()).tell(new Pull(S1, 1));
    assertThat(next.expectMessageClass(Assign.class).assignments()).hasSize(1);
  }

  @Test
  void a_supervisor_that_comes_back_with_its_attempts_keeps_them() {
    submitMany(1);
    inbox.tell(new Pull(S1, 1));
    Assignment job = supervisor.expectMessageClass(Assign.class).assignments().get(0);
    queue.tell(new JobQueue.SupervisorAway(S1));
    TestProbe<SchedulerToSupervisor> again = kit.createTestProbe(SchedulerToSupervisor.class);
    join(again, List.of(job.ref())).tell(new Settle(S1, 41, List.of(succeeded(job)), 1));
    assertThat(thanks(again)).isEqualTo(41);
    assertThat(submitter.expectMessageClass(JobQueue.Ends.class).ends()).hasSize(1);
  }

  @Test
  void who_waits_gets_the_result_when_it_is_there() {
    queue.tell(new JobQueue.Submit(job(0), Duration.ofSeconds(5), client.getRef()));
    inbox.tell(new Pull(S1, 1));
    Assignment job = supervisor.expectMessageClass(Assign.class).assignments().get(0);
    inbox.tell(new Settle(S1, 1, List.of(succeeded(job)), 1));
    JobQueue.Ended ended = client.expectMessageClass(JobQueue.Ended.class);
    assertThat(ended.body()).containsExactly('2');
    assertThat(ended.job().state()).isEqualTo(JobState.SUCCEEDED);
  }

  @Test
  void who_waits_too_long_hears_that_the_job_is_accepted() {
    queue.tell(new JobQueue.Submit(job(0), Duration.ofSeconds(5), client.getRef()));
    settled();
    passes(Duration.ofMillis(4_999));
    client.expectNoMessage(Duration.ZERO);
    passes(Duration.ofMillis(1));
    JobQueue.Accepted accepted = client.expectMessageClass(JobQueue.Accepted.class);
    assertThat(accepted.job().state()).isEqualTo(JobState.QUEUED);
  }

  @Test
  void what_does_not_fit_comes_back_to_its_submitter() {
    submitMany(23);
    JobQueue.NotTaken notTaken = submitter.expectMessageClass(JobQueue.NotTaken.class);
    assertThat(notTaken.jobs()).extracting(NewJob::index).containsExactly(20L, 21L, 22L);
    queue.tell(new JobQueue.Submit(job(0), Duration.ZERO, client.getRef()));
    assertThat(client.expectMessageClass(JobQueue.Full.class).retryAfter()).isPositive();
  }

  @Test
  void a_submitter_that_ends_takes_along_what_has_not_ended() {
    submitMany(3);
    inbox.tell(new Pull(S1, 1));
    supervisor.expectMessageClass(Assign.class);
    submitter.stop();
    client.awaitAssert(
        () -> {
          assertThat(counts.get().cancelled()).isEqualTo(3);
          assertThat(counts.get().running()).isEqualTo(0);
          return counts;
        });
  }

  @Test
  void a_cancelled_job_that_runs_is_withdrawn_from_its_supervisor() {
    submitMany(1);
    inbox.tell(new Pull(S1, 1));
    Assignment job = supervisor.expectMessageClass(Assign.class).assignments().get(0);
    queue.tell(new JobQueue.Cancel(job.job(), client.getRef()));
    client.expectMessageClass(JobQueue.Ended.class);
    assertThat(supervisor.expectMessageClass(SchedulerToSupervisor.Cancel.class).attempts())
        .containsExactly(job.ref());
  }

  @Test
  void a_queue_that_closes_tells_everybody_who_waits() {
    submitMany(1);
    queue.tell(new JobQueue.Submit(job(0), Duration.ofMinutes(1), client.getRef()));
    queue.tell(new JobQueue.Close(Cause.of(Cause.Kind.KILLED, "the pool was deleted")));
    assertThat(client.expectMessageClass(JobQueue.Ended.class).job().state())
        .isEqualTo(JobState.CANCELLED);
    assertThat(submitter.expectMessageClass(JobQueue.Ends.class).ends())
        .extracting(JobEnd::state)
        .containsExactly(JobState.CANCELLED);
    submitter.expectTerminated(queue);
  }

  @Test
  void watchers_hear_each_change_of_a_job() {
    TestProbe<List<JobFact>> watcher = kit.createTestProbe();
    queue.tell(new JobQueue.WatchJobs(watcher.getRef()));
    submitMany(1);
    inbox.tell(new Pull(S1, 1));
    List<JobState> states = new ArrayList<>();
    while (states.size() < 2) {
      watcher.receiveMessage().forEach(fact -> states.add(fact.job().state()));
    }
    assertThat(states).containsExactly(JobState.QUEUED, JobState.RUNNING);
  }
}
