package io.troupe.executor.supervision;

import static io.troupe.protocol.Outcome.Kind.SUCCEEDED;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.FishingOutcomes;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import io.troupe.executor.supervision.FakeServers.FakeServer;
import io.troupe.model.BlobRef;
import io.troupe.model.ContentType;
import io.troupe.model.WorkerProtocol;
import io.troupe.model.WorkerState;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.codec.Frame;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SupervisorTest {
  private static final Duration LEASE = Duration.ofSeconds(9);
  private static final String BLOBS = "http://scheduler/v1/blobs";
  private static final SupervisorSettings SETTINGS =
      new SupervisorSettings(
          Duration.ofSeconds(60),
          Duration.ofMinutes(10),
          Duration.ofSeconds(2),
          Duration.ofMillis(100),
          Duration.ofMillis(500),
          Duration.ofSeconds(1),
          Duration.ofSeconds(30),
          new WorkerSettings(
              Duration.ofSeconds(5),
              new Backoff(Duration.ofMillis(50), Duration.ofSeconds(1), Duration.ofSeconds(60)),
              1,
              Duration.ofSeconds(30),
              Duration.ofSeconds(2)));

  @RegisterExtension final ActorTest actors = new ActorTest();

  private final FakeServers servers = new FakeServers();
  private final FakeBlobs blobs = new FakeBlobs();
  private final BlockingQueue<String> reports = new LinkedBlockingQueue<>();
  private final BlockingQueue<Duration> rests = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> links = new LinkedBlockingQueue<>();
  private TestProbe<SupervisorToScheduler> scheduler;
  private TestProbe<SupervisorToQueue> queue;
  private ActorRef<SchedulerToSupervisor> replyTo;
  private ActorRef<Supervisor.Command> supervisor;

  @BeforeEach
  void start() {
    scheduler = actors.kit().createTestProbe();
    queue = actors.kit().createTestProbe();
    replyTo = actors.kit().<SchedulerToSupervisor>createTestProbe().getRef();
    TaskReports taskReports = (task, state, message) -> reports.add(task + " " + state);
    ClusterLinks clusterLinks =
        (info, generation, told) -> {
          links.add("open " + info.epoch() + " as " + generation);
          return () -> links.add("close " + generation);
        };
    rests.clear();
    supervisor =
        actors
            .kit()
            .spawn(
                Supervisor.create(
                    SETTINGS,
                    servers,
                    taskReports,
                    clusterLinks,
                    blobs,
                    actors::nanos,
                    rests::add));
    supervisor.tell(new Supervisor.Subscribed(new Executor("f", "e", "a", "host")));
  }

  private static String next(BlockingQueue<String> from) throws InterruptedException {
    return from.poll(30, TimeUnit.SECONDS);
  }

  private void launch(String task, long epoch) {
    supervisor.tell(
        new Supervisor.Launch(
            task,
            new TaskData(
                1,
                new ClusterInfo("troupe", epoch, List.of("akka://troupe@127.0.0.1:1")),
                "p",
                new TaskData.Worker(
                    "serve",
                    WorkerProtocol.FRAMES,
                    List.of(),
                    Map.of(),
                    List.of(),
                    64,
                    0.1,
                    Duration.ofSeconds(60)))));
  }

  private FakeServer readyWorker(String task) throws InterruptedException {
    launch(task, 1);
    FakeServer server = servers.next().ready();
    assertThat(next(reports)).isEqualTo(task + " STARTING");
    assertThat(next(reports)).isEqualTo(task + " RUNNING");
    return server;
  }

  /** The scheduler of the present cluster appears and takes the registration. */
  private SupervisorToScheduler.Register registered(int generation) {
    supervisor.tell(
        new Supervisor.SchedulerSeen(generation, scheduler.getRef(), replyTo, "akka://me"));
    SupervisorToScheduler.Register register = registers();
    fromScheduler(generation, new SchedulerToSupervisor.Registered(queue.getRef(), LEASE, BLOBS));
    return register;
  }

  private SupervisorToScheduler.Register registers() {
    List<SupervisorToScheduler> messages =
        scheduler.fishForMessage(
            Duration.ofSeconds(20),
            message ->
                message instanceof SupervisorToScheduler.Register
                    ? FishingOutcomes.complete()
                    : FishingOutcomes.continueAndIgnore());
    return (SupervisorToScheduler.Register) messages.get(messages.size() - 1);
  }

  @Test
  void where_secrets_are_is_passed_on_to_who_starts_processes() throws Exception {
    readyWorker("p.0.1");
    var place = new SchedulerToSupervisor.SecretsAt("http://scheduler/v1/secrets/p", "t0k3n");
    registered(1);
    fromScheduler(1, place);
    readyWorker("p.1.2");
    assertThat(servers.secretsAt).isEqualTo(place);
    assertThat(place.toString()).doesNotContain("t0k3n");
  }

  private void fromScheduler(int generation, SchedulerToSupervisor message) {
    supervisor.tell(new Supervisor.FromScheduler(generation, message));
  }

  private void assign(long settledUpTo, String... jobs) {
    fromScheduler(
        1,
        new SchedulerToSupervisor.Assign(
            Stream.of(jobs)
                .map(
                    job ->
                        new Assignment(
                            job, 1, "f", ContentType.JSON, "1".getBytes(UTF_8), 60_000, false))
                .toList(),
            settledUpTo));
  }

  private <T extends SupervisorToQueue> T fromQueue(Class<T> type, Predicate<T> wanted) {
    List<SupervisorToQueue> messages =
        queue.fishForMessage(
            Duration.ofSeconds(20),
            message ->
                type.isInstance(message) && wanted.test(type.cast(message))
                    ? FishingOutcomes.complete()
                    : FishingOutcomes.continueAndIgnore());
    return type.cast(messages.get(messages.size() - 1));
  }

  private SupervisorToQueue.Settle settled(String job) {
    return fromQueue(
        SupervisorToQueue.Settle.class,
        settle -> settle.outcomes().stream().anyMatch(outcome -> outcome.job().equals(job)));
  }

  @Test
  void a_launched_task_is_reported_starting_and_running_when_its_process_is_ready()
      throws Exception {
    readyWorker("w1");
    assertThat(next(links)).isEqualTo("open 1 as 1");
    assertThat(registered(1).workers())
        .singleElement()
        .satisfies(status -> assertThat(status.state()).isEqualTo(WorkerState.READY));
    assertThat(fromQueue(SupervisorToQueue.Pull.class, pull -> true).capacity()).isEqualTo(1);
  }

  @Test
  void jobs_go_to_the_process_and_their_outcomes_to_the_queue_until_it_has_them() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, "j1");
    server.answer(1);
    SupervisorToQueue.Settle settle = settled("j1");
    assertThat(settle.sequence()).isEqualTo(1);
    assertThat(settle.outcomes().get(0).kind()).isEqualTo(Outcome.Kind.SUCCEEDED);
    registered(1);
    assertThat(settled("j1").sequence()).isEqualTo(1);
    fromQueue(SupervisorToQueue.Pull.class, pull -> true);
    assign(1);
    registered(1);
    assertThat(queue.receiveMessage()).isInstanceOf(SupervisorToQueue.Pull.class);
  }

  @Test
  void outcomes_wait_for_company_until_their_process_has_half_of_what_it_should_have()
      throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, jobs(200));
    server.answer(1);
    server.answer(80);
    assertThat(settled("j1").outcomes()).hasSize(81);
  }

  @Test
  void no_outcome_waits_for_company_for_long() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, jobs(200));
    server.answer(1);
    server.expectJob(); // what has been said of the first one is heard by now
    actors.pass(LEASE.dividedBy(3));
    assertThat(settled("j1").outcomes()).hasSize(1);
  }

  @Test
  void behind_a_job_that_runs_long_no_quick_ones_are_taken() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    fromQueue(SupervisorToQueue.Pull.class, pull -> pull.capacity() == 1);
    assign(0, "quick");
    server.answer(1);
    assertThat(settled("quick").capacity()).isGreaterThan(1);
    assign(1, "long");
    long id = server.expectJob().id();
    actors.pass(Duration.ofMillis(200));
    fromQueue(SupervisorToQueue.Pull.class, pull -> pull.capacity() == 1);
    assign(1, "late");
    for (int look = 1; look < JobDesk.PATIENT_LOOKS; look++) {
      actors.pass(Duration.ofMillis(100));
    }
    assertThat(settled("late").outcomes().get(0).kind()).isEqualTo(Outcome.Kind.NOT_STARTED);
    server.answerWithId(id);
    assertThat(settled("long").capacity()).isGreaterThan(1);
  }

  /** A job whose process has begun it, and turns out long; the others are behind it. */
  private FakeServer stuck(String... jobs) throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, "quick");
    server.answer(1);
    settled("quick");
    sendAndBegin(server, jobs);
    return server;
  }

  /** A process gets these jobs, after one that it has done, and begins the first of them. */
  private void sendAndBegin(FakeServer server, String... jobs) {
    assign(1, jobs);
    for (int job = 0; job < jobs.length; job++) {
      server.expectJob();
    }
    server.began(2);
  }

  /** A worker that is known to run jobs of ten milliseconds. */
  private FakeServer workerOfTenMilliseconds() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, "first");
    long id = server.expectJob().id();
    actors.pass(Duration.ofMillis(10));
    server.answerWithId(id);
    settled("first");
    return server;
  }

  private String recalled(FakeServer server) {
    return server.toldWhen(() -> actors.pass(Duration.ofMillis(100)));
  }

  @Test
  void what_was_sent_behind_a_job_that_runs_long_goes_to_another_worker() throws Exception {
    FakeServer first = stuck("long", "j1", "j2");
    FakeServer second = readyWorker("w2");
    assertThat(recalled(first)).isEqualTo("recall 2 to 4");
    first.frames(Frame.Type.RETURNED, 4);
    second.answer(2);
    assertThat(settled("j1").outcomes()).extracting(Outcome::kind).contains(SUCCEEDED);
    first.answerWithId(2);
    assertThat(settled("long").outcomes().get(0).kind()).isEqualTo(SUCCEEDED);
    actors.pass(LEASE.dividedBy(3));
    assertThat(fromQueue(SupervisorToQueue.Renew.class, renew -> renew.held().isEmpty()).capacity())
        .isGreaterThan(2);
  }

  @Test
  void where_all_workers_run_long_jobs_what_was_sent_behind_them_goes_back() throws Exception {
    FakeServer server = stuck("long", "j1", "j2");
    assertThat(recalled(server)).isEqualTo("recall 2 to 4");
    server.frames(Frame.Type.RETURNED, 4);
    SupervisorToQueue.Settle back = settled("j1");
    assertThat(back.outcomes())
        .extracting(each -> each.job() + " " + each.kind())
        .containsExactly("j1 NOT_STARTED", "j2 NOT_STARTED");
    assertThat(back.capacity()).isEqualTo(1);
  }

  @Test
  void a_job_that_is_cancelled_and_comes_back_is_cancelled_without_having_run() throws Exception {
    FakeServer server = stuck("long", "j1", "j2");
    assertThat(recalled(server)).isEqualTo("recall 2 to 4");
    fromScheduler(1, new SchedulerToSupervisor.Cancel(List.of(new AttemptRef("j2", 1))));
    server.frames(Frame.Type.RETURNED, 4);
    assertThat(settled("j2").outcomes().get(0).kind()).isEqualTo(Outcome.Kind.CANCELLED);
    assertThat(settled("j1").outcomes().get(0).kind()).isEqualTo(Outcome.Kind.NOT_STARTED);
    assertThat(server.toldNothing()).isTrue();
  }

  @Test
  void what_a_worker_gives_back_that_was_told_to_end_goes_back() throws Exception {
    FakeServer server = stuck("long", "j1", "j2");
    assertThat(recalled(server)).isEqualTo("recall 2 to 4");
    supervisor.tell(new Supervisor.Kill("w1", Optional.of(Duration.ofSeconds(10))));
    server.frames(Frame.Type.RETURNED, 4);
    assertThat(settled("j1").outcomes().get(0).kind()).isEqualTo(Outcome.Kind.NOT_STARTED);
    server.answerWithId(2);
    assertThat(settled("long").outcomes().get(0).kind()).isEqualTo(SUCCEEDED);
  }

  @Test
  void rests_while_all_its_workers_have_enough_to_do() throws Exception {
    FakeServer server = workerOfTenMilliseconds();
    assertThat(rests).containsOnly(Duration.ZERO);
    rests.clear();
    assign(1, jobs(15));
    server.answer(1);
    assertThat(settled("j1").outcomes()).hasSize(1);
    assertThat(rests).containsOnly(Duration.ofMillis(80));
    rests.clear();
    actors.pass(Duration.ofMillis(50));
    server.answer(5);
    assertThat(settled("j2").outcomes()).hasSize(5);
    assertThat(rests.remove()).isBetween(Duration.ofMillis(30), Duration.ofMillis(40));
    assertThat(rests).isEmpty();
    server.answer(5);
    assertThat(settled("j7").outcomes()).hasSize(5);
    assertThat(rests).containsExactly(Duration.ZERO);
  }

  @Test
  void does_not_rest_while_a_process_starts_and_would_have_to_wait() throws Exception {
    FakeServer server = workerOfTenMilliseconds();
    launch("w2", 1);
    servers.next();
    rests.clear();
    assign(1, jobs(9));
    server.answer(1);
    settled("j1");
    assertThat(rests).containsOnly(Duration.ZERO);
  }

  @Test
  void what_waits_at_one_worker_is_shared_with_another_one_that_has_nothing_left()
      throws Exception {
    FakeServer first = workerOfTenMilliseconds();
    sendAndBegin(first, jobs(5));
    FakeServer second = readyWorker("w2");
    assertThat(first.told()).isEqualTo("recall 2 to 6");
    first.frames(Frame.Type.RETURNED, 6);
    second.answer(2);
    settled("j4"); // the second one of those
    first.answerWithId(2);
    assertThat(settled("j1").outcomes().get(0).kind()).isEqualTo(SUCCEEDED);
  }

  private static String[] jobs(int count) {
    return IntStream.rangeClosed(1, count).mapToObj(number -> "j" + number).toArray(String[]::new);
  }

  @Test
  void leases_are_renewed_with_what_is_held_and_what_runs() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, "quick");
    server.answer(1);
    settled("quick");
    assign(1, "j1", "j2");
    actors.pass(LEASE.dividedBy(3));
    SupervisorToQueue.Renew renew =
        fromQueue(SupervisorToQueue.Renew.class, message -> message.held().size() == 2);
    assertThat(renew.running()).containsExactly(new AttemptRef("j1", 1));
  }

  @Test
  void a_registration_is_repeated_until_it_is_answered() throws Exception {
    readyWorker("w1");
    supervisor.tell(new Supervisor.SchedulerSeen(1, scheduler.getRef(), replyTo, "akka://me"));
    scheduler.expectMessageClass(SupervisorToScheduler.Register.class);
    actors.pass(SETTINGS.registerEvery());
    scheduler.expectMessageClass(SupervisorToScheduler.Register.class);
    fromScheduler(1, new SchedulerToSupervisor.Registered(queue.getRef(), LEASE, BLOBS));
    fromQueue(SupervisorToQueue.Pull.class, pull -> true);
  }

  @Test
  void where_its_job_line_is_over_it_registers_again_and_works_for_the_next_queue()
      throws Exception {
    readyWorker("w1");
    registered(1);
    fromQueue(SupervisorToQueue.Pull.class, pull -> true);
    supervisor.tell(new Supervisor.SchedulerSeen(1, scheduler.getRef(), replyTo, "akka://me"));
    registers();
    TestProbe<SupervisorToQueue> next = actors.kit().createTestProbe();
    fromScheduler(1, new SchedulerToSupervisor.Registered(next.getRef(), LEASE, BLOBS));
    assertThat(next.expectMessageClass(SupervisorToQueue.Pull.class).capacity()).isEqualTo(1);
  }

  @Test
  void another_scheduler_gets_a_new_node_and_hears_what_is_held_and_what_is_done()
      throws Exception {
    FakeServer first = readyWorker("w1");
    FakeServer second = readyWorker("w2");
    registered(1);
    assign(0, "j1", "j2");
    first.answer(1);
    settled("j1");
    next(links);
    supervisor.tell(
        new Supervisor.ClusterCalls(new ClusterInfo("troupe", 2, List.of("akka://t@h:2"))));
    assertThat(next(links)).isEqualTo("close 1");
    assertThat(next(links)).isEqualTo("open 2 as 2");
    SupervisorToScheduler.Register register = registered(2);
    assertThat(register.epoch()).isEqualTo(2);
    assertThat(register.held())
        .containsExactlyInAnyOrder(new AttemptRef("j1", 1), new AttemptRef("j2", 1));
    settled("j1");
    second.answer(1);
    settled("j2");
  }

  @Test
  void a_call_of_an_older_scheduler_is_ignored() throws Exception {
    readyWorker("w1");
    assertThat(next(links)).isEqualTo("open 1 as 1");
    supervisor.tell(
        new Supervisor.ClusterCalls(new ClusterInfo("troupe", 1, List.of("akka://t@h:2"))));
    registered(1);
    fromQueue(SupervisorToQueue.Pull.class, pull -> true);
    assertThat(links).isEmpty();
  }

  @Test
  void a_node_that_was_lost_is_replaced_and_what_the_old_one_still_says_is_ignored()
      throws Exception {
    readyWorker("w1");
    assertThat(next(links)).isEqualTo("open 1 as 1");
    registered(1);
    supervisor.tell(new Supervisor.LinkEnded(1));
    supervisor.tell(new Supervisor.SchedulerGone(1));
    launch("w2", 1);
    servers.next();
    actors.pass(Duration.ofSeconds(1));
    assertThat(next(links)).isEqualTo("open 1 as 2");
    assign(0, "from the old node");
    registered(2);
    actors.pass(LEASE.dividedBy(3));
    assertThat(fromQueue(SupervisorToQueue.Renew.class, renew -> true).held()).isEmpty();
  }

  @Test
  void a_task_that_is_killed_is_reported_so_and_its_worker_is_gone() throws Exception {
    FakeServer server = readyWorker("w1");
    supervisor.tell(new Supervisor.Kill("w1", Optional.of(Duration.ofSeconds(1))));
    assertThat(next(reports)).isEqualTo("w1 KILLING");
    assertThat(server.told()).isEqualTo("terminate");
    server.exit(0);
    assertThat(next(reports)).isEqualTo("w1 KILLED");
    assertThat(registered(1).workers()).isEmpty();
  }

  @Test
  void jobs_that_no_worker_is_left_to_run_go_back() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, "j1", "j2");
    server.expectJob();
    server.began(1);
    server.exit(1);
    assertThat(next(reports)).isEqualTo("w1 FAILED");
    SupervisorToQueue.Settle back = settled("j2");
    assertThat(settled("j1").outcomes().get(0).kind()).isEqualTo(Outcome.Kind.LOST);
    assertThat(back.outcomes().get(0).kind()).isEqualTo(Outcome.Kind.NOT_STARTED);
    assertThat(back.capacity()).isZero();
  }

  @Test
  void a_cancelled_job_that_still_waits_is_dropped() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, "j1", "j2");
    server.expectJob();
    fromScheduler(1, new SchedulerToSupervisor.Cancel(List.of(new AttemptRef("j2", 1))));
    assertThat(settled("j2").outcomes().get(0).kind()).isEqualTo(Outcome.Kind.CANCELLED);
    assertThat(server.toldNothing()).isTrue();
  }

  private void assignBlob(String job) {
    byte[] ref = new BlobRef("b" + job, 1 << 20).bytes();
    fromScheduler(
        1,
        new SchedulerToSupervisor.Assign(
            List.of(new Assignment(job, 1, "f", ContentType.JSON_BLOB, ref, 60_000, false)), 0));
  }

  private <T> CompletableFuture<T> asked(Map<String, CompletableFuture<T>> transfers, String what)
      throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!transfers.containsKey(what)) {
      assertThat(System.nanoTime()).as(what + " among " + transfers.keySet()).isLessThan(deadline);
      Thread.onSpinWait();
    }
    return transfers.get(what);
  }

  @Test
  void a_job_whose_payload_is_elsewhere_goes_to_its_process_when_that_is_here() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assignBlob("j1");
    CompletableFuture<Path> payload = asked(blobs.fetches, BLOBS + "/bj1");
    actors.pass(LEASE.dividedBy(3));
    assertThat(fromQueue(SupervisorToQueue.Renew.class, renew -> !renew.held().isEmpty()).held())
        .containsExactly(new AttemptRef("j1", 1));
    assertThat(server.toldNothing()).isTrue();
    payload.complete(Path.of("/tmp/in-1"));
    server.answer(1);
    assertThat(settled("j1").outcomes().get(0).kind()).isEqualTo(Outcome.Kind.SUCCEEDED);
    assertThat(next(blobs.removed)).isEqualTo("/tmp/in-1");
  }

  @Test
  void a_small_job_overtakes_one_whose_payload_is_on_its_way() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assignBlob("large");
    assertThat(asked(blobs.fetches, BLOBS + "/blarge")).isNotDone();
    assign(0, "small");
    server.answer(1);
    settled("small");
  }

  @Test
  void a_job_whose_payload_cannot_be_fetched_has_not_started() throws Exception {
    readyWorker("w1");
    registered(1);
    assignBlob("j1");
    asked(blobs.fetches, BLOBS + "/bj1")
        .completeExceptionally(new IOException("the scheduler answered 404"));
    Outcome outcome = settled("j1").outcomes().get(0);
    assertThat(outcome.kind()).isEqualTo(Outcome.Kind.NOT_STARTED);
    assertThat(outcome.cause().message()).contains("payload").contains("404");
  }

  @Test
  void a_payload_that_comes_for_a_cancelled_job_is_removed() throws Exception {
    readyWorker("w1");
    registered(1);
    assignBlob("j1");
    CompletableFuture<Path> payload = asked(blobs.fetches, BLOBS + "/bj1");
    fromScheduler(1, new SchedulerToSupervisor.Cancel(List.of(new AttemptRef("j1", 1))));
    assertThat(settled("j1").outcomes().get(0).kind()).isEqualTo(Outcome.Kind.CANCELLED);
    payload.complete(Path.of("/tmp/in-1"));
    assertThat(next(blobs.removed)).isEqualTo("/tmp/in-1");
  }

  @Test
  void a_result_in_a_file_is_settled_when_the_scheduler_has_it_and_held_until_then()
      throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, "j1");
    server.answerFromFile(1, "/tmp/r1");
    CompletableFuture<BlobRef> result = asked(blobs.brought, BLOBS + "?job=j1 /tmp/r1");
    actors.pass(LEASE.dividedBy(3));
    assertThat(fromQueue(SupervisorToQueue.Renew.class, renew -> !renew.held().isEmpty()).held())
        .containsExactly(new AttemptRef("j1", 1));
    result.complete(new BlobRef("result", 5));
    Outcome outcome = settled("j1").outcomes().get(0);
    assertThat(outcome.type()).isEqualTo(ContentType.BYTES_BLOB);
    assertThat(BlobRef.of(outcome.body())).isEqualTo(new BlobRef("result", 5));
  }

  @Test
  void an_attempt_whose_result_cannot_be_brought_is_lost() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    assign(0, "j1");
    server.answerFromFile(1, "/tmp/r1");
    asked(blobs.brought, BLOBS + "?job=j1 /tmp/r1")
        .completeExceptionally(new IOException("the scheduler answered 503"));
    Outcome outcome = settled("j1").outcomes().get(0);
    assertThat(outcome.kind()).isEqualTo(Outcome.Kind.LOST);
    assertThat(outcome.type()).isEqualTo(ContentType.JSON);
    assertThat(outcome.cause().message()).contains("503");
  }

  @Test
  void it_ends_when_it_has_had_no_task_for_long() throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    fromQueue(SupervisorToQueue.Pull.class, pull -> true);
    actors.pass(SETTINGS.idleTimeout());
    supervisor.tell(new Supervisor.Kill("w1", Optional.empty()));
    assertThat(server.told()).isEqualTo("terminate");
    server.exit(0);
    next(reports);
    assertThat(next(reports)).isEqualTo("w1 KILLED");
    registered(1); // proves that it has seen the end, and armed the timer
    actors.pass(SETTINGS.idleTimeout());
    scheduler.expectTerminated(supervisor);
  }

  @Test
  void it_ends_its_workers_and_itself_when_it_finds_no_scheduler_for_long() throws Exception {
    FakeServer server = readyWorker("w1");
    actors.pass(SETTINGS.orphanTimeout());
    assertThat(next(reports)).isEqualTo("w1 KILLING");
    server.exit(0);
    scheduler.expectTerminated(supervisor);
  }

  @Test
  void when_it_is_told_to_shut_down_workers_get_most_of_the_grace_and_then_it_ends_anyway()
      throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    supervisor.tell(new Supervisor.ShutDown("test", Duration.ofSeconds(10)));
    assertThat(server.told()).isEqualTo("terminate");
    launch("late", 1);
    assertThat(next(reports)).isEqualTo("w1 KILLING");
    assertThat(next(reports)).isEqualTo("late KILLED");
    fromQueue(SupervisorToQueue.Pull.class, pull -> pull.capacity() == 0);
    actors.pass(Duration.ofMillis(7600));
    assertThat(server.told()).isEqualTo("stacks");
    actors.pass(Duration.ofMillis(400));
    assertThat(server.told()).isEqualTo("kill");
    actors.pass(Duration.ofSeconds(2));
    scheduler.expectTerminated(supervisor);
  }

  @Test
  void changes_are_reported_together_and_otherwise_every_two_seconds() throws Exception {
    readyWorker("w1");
    registered(1);
    SupervisorToScheduler.Report first =
        scheduler.expectMessageClass(SupervisorToScheduler.Report.class);
    actors.pass(SETTINGS.sampleEvery());
    actors.pass(SETTINGS.reportAfter());
    SupervisorToScheduler.Report second =
        scheduler.expectMessageClass(SupervisorToScheduler.Report.class);
    assertThat(second.sequence()).isGreaterThan(first.sequence());
    assertThat(second.workers().get(0).process().pid()).isEqualTo(100);
  }

  @Test
  void what_jobs_change_is_reported_as_soon_after_a_while_and_then_not_all_the_time()
      throws Exception {
    FakeServer server = readyWorker("w1");
    registered(1);
    scheduler.expectMessageClass(SupervisorToScheduler.Report.class);
    actors.pass(SETTINGS.reportAfter());
    scheduler.expectMessageClass(SupervisorToScheduler.Report.class);
    actors.pass(SETTINGS.reportJobsEvery());
    assign(0, "j1");
    long job = server.expectJob().id();
    actors.pass(SETTINGS.reportAfter());
    assertThat(reportedState()).isEqualTo(WorkerState.BUSY);
    server.answerWithId(job);
    settled("j1");
    actors.pass(SETTINGS.reportAfter());
    scheduler.expectNoMessage();
    actors.pass(SETTINGS.reportJobsEvery().minus(SETTINGS.reportAfter()));
    assertThat(reportedState()).isEqualTo(WorkerState.READY);
  }

  private WorkerState reportedState() {
    return scheduler
        .expectMessageClass(SupervisorToScheduler.Report.class)
        .workers()
        .get(0)
        .state();
  }
}
