package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.LoggingTestKit;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SchedulerToSupervisor.Assign;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

/** What a queue tells whom, and when, while its jobs are on their way to the store. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class DurableQueueTest {
  private static final String S1 = "e1@a1";
  private static final int WINDOW = 4;
  private static final JobSettings SETTINGS =
      new JobSettings(
          new QueueState.Limits(1000, 1 << 20, 100, 100, 1 << 20, Duration.ofHours(1), WINDOW),
          1 << 20,
          Duration.ofSeconds(10),
          100,
          1 << 20,
          1 << 20,
          new JobSettings.Blobs(
              1 << 16, 1 << 30, 1 << 30, 1 << 27, Duration.ofSeconds(10), "http://h/v1/blobs"),
          Duration.ofHours(2));

  private final AtomicLong millis = new AtomicLong(1_000);
  private final AtomicReference<QueueCounts> counts = new AtomicReference<>(QueueCounts.ZERO);
  private ActorTestKit kit;
  private ManualTime time;
  private MemoryJobStore store = new MemoryJobStore();
  private int processes;
  private ActorRef<JobQueue.Command> queue;
  private TestProbe<SchedulerToSupervisor> supervisor;
  private TestProbe<JobQueue.Answer> client;
  private long sequence;

  @BeforeEach
  void start() {
    kit = ActorTestKit.create(ManualTime.config());
    time = ManualTime.get(kit.system());
    client = kit.createTestProbe(JobQueue.Answer.class);
    queue = process();
    // It answers once it has been opened.
    assertThat(find("nobody")).isInstanceOf(JobQueue.Unknown.class);
  }

  @AfterEach
  void stop() {
    kit.shutdownTestKit();
  }

  private ActorRef<JobQueue.Command> process() {
    processes++;
    return kit.spawn(
        JobQueue.create(
            "demo",
            Policies.store(),
            new JobQueue.Parts(
                SETTINGS,
                store,
                new JobIds(processes),
                () -> Instant.ofEpochMilli(millis.get()),
                new SplittableRandom(1),
                new Counted(counts))));
  }

  private void killAndStartAgain() {
    kit.stop(queue);
    store = store.next();
    queue = process();
  }

  private ActorRef<SupervisorToQueue> join(AttemptRef... held) {
    register(held);
    return registered();
  }

  private ActorRef<SupervisorToQueue> registered() {
    return supervisor.expectMessageClass(SchedulerToSupervisor.Registered.class).queue();
  }

  private void register(AttemptRef... held) {
    supervisor = kit.createTestProbe(SchedulerToSupervisor.class);
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
                List.of(held),
                List.of(),
                supervisor.getRef())));
  }

  private static NewJob job(int attempts, @Nullable String key) {
    return new NewJob(
        "f", ContentType.JSON, new byte[] {'1'}, new NewJob.Terms(attempts, 60_000, 0), key, 0);
  }

  private void submit(int attempts, @Nullable String key) {
    queue.tell(new JobQueue.Submit(job(attempts, key), Duration.ZERO, client.getRef()));
  }

  private String accepted() {
    return client.expectMessageClass(JobQueue.Accepted.class).job().id();
  }

  private Assignment assigned() {
    return supervisor.expectMessageClass(Assign.class).assignments().get(0);
  }

  private SupervisorToQueue.Settle success(Assignment of) {
    return new SupervisorToQueue.Settle(
        S1,
        ++sequence,
        List.of(
            new Outcome(
                of.job(),
                of.attempt(),
                Outcome.Kind.SUCCEEDED,
                ContentType.JSON,
                new byte[] {'2'},
                null,
                "w",
                10)),
        10);
  }

  private JobQueue.Answer find(String id) {
    queue.tell(new JobQueue.Find(id, Duration.ZERO, client.getRef()));
    return client.receiveMessage();
  }

  private void passes(Duration amount) {
    millis.addAndGet(amount.toMillis());
    time.timePasses(amount);
  }

  @Test
  void a_job_is_accepted_when_it_is_in_the_store_and_not_before() {
    store.hold();
    submit(3, null);
    client.expectNoMessage(Duration.ZERO);
    store.letGo();
    String id = accepted();
    assertThat(store.rows()).extracting(row -> JobIds.text(row.id())).containsExactly(id);
  }

  @Test
  void a_result_is_told_and_thanked_for_when_it_is_in_the_store() {
    ActorRef<SupervisorToQueue> inbox = join();
    inbox.tell(new SupervisorToQueue.Pull(S1, 10));
    queue.tell(new JobQueue.Submit(job(3, null), Duration.ofSeconds(30), client.getRef()));
    Assignment assignment = assigned();
    store.hold();
    inbox.tell(success(assignment));
    client.expectNoMessage(Duration.ZERO);
    supervisor.expectNoMessage(Duration.ZERO);
    store.letGo();
    client.expectMessageClass(JobQueue.Ended.class);
    passes(Duration.ofMillis(100));
    assertThat(supervisor.expectMessageClass(Assign.class).settledUpTo()).isEqualTo(1);
    assertThat(store.rows().get(0).state()).isEqualTo(JobState.SUCCEEDED);
    assertThat(store.writes()).as("one write for a job with a client that waits").isEqualTo(1);
  }

  @Test
  void a_job_that_may_run_once_is_handed_out_when_the_store_knows_it() {
    ActorRef<SupervisorToQueue> inbox = join();
    inbox.tell(new SupervisorToQueue.Pull(S1, 10));
    store.hold();
    submit(1, null);
    supervisor.expectNoMessage(Duration.ZERO);
    store.letGo();
    accepted();
    Assignment assignment = assigned();
    killAndStartAgain();
    join();
    passes(Duration.ofSeconds(31));
    assertThat(find(assignment.job()))
        .as("nobody can say whether it ran")
        .isInstanceOfSatisfying(
            JobQueue.Ended.class,
            ended -> assertThat(ended.job().state()).isEqualTo(JobState.DEAD));
  }

  @Test
  void an_accepted_job_outlives_the_process() {
    submit(3, null);
    String id = accepted();
    killAndStartAgain();
    assertThat(find(id)).isInstanceOf(JobQueue.Accepted.class);
    join().tell(new SupervisorToQueue.Pull(S1, 10));
    assertThat(assigned().job()).isEqualTo(id);
  }

  @Test
  void a_running_job_is_taken_over_with_its_supervisor_and_not_run_twice() {
    join().tell(new SupervisorToQueue.Pull(S1, 10));
    submit(3, null);
    String id = accepted();
    Assignment assignment = assigned();
    killAndStartAgain();
    ActorRef<SupervisorToQueue> inbox = join(assignment.ref());
    inbox.tell(new SupervisorToQueue.Pull(S1, 10));
    supervisor.expectNoMessage(Duration.ZERO);
    inbox.tell(success(assignment));
    passes(Duration.ofMillis(100));
    assertThat(find(id)).isInstanceOf(JobQueue.Ended.class);
  }

  @Test
  void a_result_that_comes_after_the_restart_counts() {
    join().tell(new SupervisorToQueue.Pull(S1, 10));
    submit(3, null);
    String id = accepted();
    Assignment assignment = assigned();
    killAndStartAgain();
    join().tell(success(assignment));
    assertThat(find(id)).isInstanceOf(JobQueue.Ended.class);
  }

  @Test
  void jobs_that_cannot_be_read_at_first_are_asked_for_again_before_their_outcomes_are_taken() {
    join().tell(new SupervisorToQueue.Pull(S1, 10));
    submit(3, null);
    String id = accepted();
    Assignment assignment = assigned();
    kit.stop(queue);
    store = store.next();
    store.failPages(Optional.of("the database is gone"));
    LoggingTestKit.error("The jobs of pool demo cannot be read. the database is gone")
        .expect(kit.system(), () -> queue = process());
    register(assignment.ref());
    store.failPages(Optional.empty());
    passes(Duration.ofSeconds(1));
    registered().tell(success(assignment));
    assertThat(find(id))
        .isInstanceOfSatisfying(
            JobQueue.Ended.class,
            ended -> assertThat(ended.job().state()).isEqualTo(JobState.SUCCEEDED));
  }

  @Test
  void while_the_store_fails_jobs_are_refused_and_then_taken_again() {
    store.fail(Optional.of("the disk is full"));
    submit(3, "key");
    assertThat(client.expectMessageClass(JobQueue.Unavailable.class).message())
        .isEqualTo("the disk is full");
    store.fail(Optional.empty());
    passes(Duration.ofSeconds(1));
    submit(3, "key");
    accepted();
    assertThat(store.rows()).hasSize(1);
  }

  @Test
  void while_the_store_fails_nobody_waits_for_it_to_look_for_a_key() {
    store.fail(Optional.of("the database is gone"));
    submit(3, null);
    client.expectMessageClass(JobQueue.Unavailable.class);
    store.hold();
    submit(3, "key");
    assertThat(client.expectMessageClass(JobQueue.Unavailable.class).message())
        .isEqualTo("the database is gone");
  }

  @Test
  void a_write_that_fails_leaves_no_job_behind() {
    store.hold();
    submit(3, null);
    kit.createTestProbe().expectNoMessage(Duration.ZERO);
    queue.tell(
        new JobQueue.ListJobs(Optional.empty(), 10, kit.<List<JobView>>createTestProbe().getRef()));
    store.fail(Optional.of("the disk is full"));
    store.letGo();
    client.expectMessageClass(JobQueue.Unavailable.class);
    store.fail(Optional.empty());
    passes(Duration.ofSeconds(1));
    passes(Duration.ofSeconds(1));
    submit(3, null);
    String id = accepted();
    assertThat(store.rows()).extracting(row -> JobIds.text(row.id())).containsExactly(id);
    assertThat(counts.get().queued()).isEqualTo(1);
  }

  @Test
  void more_jobs_than_the_window_wait_in_the_store_and_are_done_in_their_order() {
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < 5 * WINDOW; i++) {
      submit(3, null);
      ids.add(accepted());
    }
    assertThat(find(ids.get(ids.size() - 1))).isInstanceOf(JobQueue.Accepted.class);
    ActorRef<SupervisorToQueue> inbox = join();
    inbox.tell(new SupervisorToQueue.Pull(S1, 1));
    List<String> done = new ArrayList<>();
    for (int i = 0; i < ids.size(); i++) {
      Assignment assignment = assigned();
      done.add(assignment.job());
      SupervisorToQueue.Settle settle = success(assignment);
      inbox.tell(new SupervisorToQueue.Settle(S1, settle.sequence(), settle.outcomes(), 1));
    }
    assertThat(done).isEqualTo(ids);
  }

  @Test
  void a_job_that_waits_in_the_store_can_be_cancelled_and_retried() {
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < 3 * WINDOW; i++) {
      submit(3, null);
      ids.add(accepted());
    }
    String last = ids.get(ids.size() - 1);
    queue.tell(new JobQueue.Cancel(last, client.getRef()));
    assertThat(client.expectMessageClass(JobQueue.Ended.class).job().state())
        .isEqualTo(JobState.CANCELLED);
    killAndStartAgain();
    queue.tell(new JobQueue.Retry(last, client.getRef()));
    assertThat(accepted()).isEqualTo(last);
    assertThat(counts.get().queued()).isEqualTo(3 * WINDOW);
  }

  @Test
  void a_key_means_the_same_job_even_after_a_restart() {
    submit(3, "k");
    String id = accepted();
    submit(3, "k");
    assertThat(accepted()).isEqualTo(id);
    killAndStartAgain();
    submit(3, "k");
    assertThat(accepted()).isEqualTo(id);
    assertThat(store.rows()).hasSize(1);
  }

  @Test
  void numbers_of_ended_jobs_go_on_after_a_restart() {
    ActorRef<SupervisorToQueue> inbox = join();
    inbox.tell(new SupervisorToQueue.Pull(S1, 10));
    submit(3, null);
    String id = accepted();
    inbox.tell(success(assigned()));
    assertThat(find(id)).isInstanceOf(JobQueue.Ended.class);
    killAndStartAgain();
    assertThat(find(id)).isInstanceOf(JobQueue.Ended.class);
    assertThat(counts.get().succeeded()).isEqualTo(1);
  }
}
