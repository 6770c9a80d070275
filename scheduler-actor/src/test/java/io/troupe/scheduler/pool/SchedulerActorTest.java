package io.troupe.scheduler.pool;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import io.troupe.model.Cause;
import io.troupe.model.PoolSize;
import io.troupe.scheduler.pool.PoolFact.FrameworkState;
import io.troupe.scheduler.pool.SchedulerActor.Answer;
import io.troupe.scheduler.pool.SchedulerActor.Command;
import io.troupe.scheduler.pool.SchedulerActor.Done;
import io.troupe.scheduler.pool.SchedulerActor.Explained;
import io.troupe.scheduler.pool.SchedulerActor.Reason;
import io.troupe.scheduler.pool.SchedulerActor.Refused;
import io.troupe.scheduler.pool.TaskUpdate.Receipt;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

/** The scheduler between a master, a store and those who ask. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SchedulerActorTest {

  private final FakeStore store = new FakeStore();
  private final AtomicLong clock = new AtomicLong(1_000_000);
  private ActorTestKit kit;
  private TestProbe<MasterCall> master;
  private TestProbe<PoolFact> facts;
  private TestProbe<Answer> answers;
  private TestProbe<String> downed;
  private ActorRef<MasterEvent> events;
  private ActorRef<Command> scheduler;

  @BeforeEach
  void start() {
    kit = ActorTestKit.create(ManualTime.config());
    master = kit.createTestProbe(MasterCall.class);
    facts = kit.createTestProbe(PoolFact.class);
    answers = kit.createTestProbe(Answer.class);
    downed = kit.createTestProbe(String.class);
    spawn();
  }

  @AfterEach
  void stop() {
    kit.shutdownTestKit();
  }

  private void spawn() {
    TestProbe<ActorRef<MasterEvent>> connected = kit.createTestProbe();
    scheduler =
        kit.spawn(
            SchedulerActor.create(
                store.load(),
                new SchedulerActor.Settings(
                    Specs.EXECUTOR, Specs.POLICY, Specs.CLUSTER, "http://127.0.0.1:7070"),
                to -> {
                  connected.getRef().tell(to);
                  return master.getRef()::tell;
                },
                store,
                Runnable::run,
                downed.getRef()::tell,
                clock::get));
    events = connected.receiveMessage();
  }

  private void timePasses(Duration duration) {
    for (long left = duration.toMillis(); left > 0; left -= 250) {
      clock.addAndGet(250);
      ManualTime.get(kit.system()).timePasses(Duration.ofMillis(250));
    }
  }

  private <T extends MasterCall> T expectCall(Class<T> type) {
    return master
        .fishForMessage(
            Duration.ofSeconds(20),
            call ->
                type.isInstance(call)
                    ? akka.actor.testkit.typed.javadsl.FishingOutcomes.complete()
                    : akka.actor.testkit.typed.javadsl.FishingOutcomes.continueAndIgnore())
        .stream()
        .map(type::cast)
        .findFirst()
        .orElseThrow();
  }

  private <T extends PoolFact> T expectFact(Class<T> type) {
    return facts
        .fishForMessage(
            Duration.ofSeconds(20),
            fact ->
                type.isInstance(fact)
                    ? akka.actor.testkit.typed.javadsl.FishingOutcomes.complete()
                    : akka.actor.testkit.typed.javadsl.FishingOutcomes.continueAndIgnore())
        .stream()
        .map(type::cast)
        .findFirst()
        .orElseThrow();
  }

  private void subscribe() {
    events.tell(new MasterEvent.Connected());
    expectCall(MasterCall.Subscribe.class);
    events.tell(new MasterEvent.Subscribed("F", "master:5050"));
    expectCall(MasterCall.Reconcile.class);
  }

  private void apply(String name, PoolSize size) {
    scheduler.tell(new SchedulerActor.ApplyPool(Specs.pool(name, size), answers.getRef()));
    answers.expectMessage(new Done());
  }

  private static MasterEvent update(String task, TaskState state, String uuid) {
    return new MasterEvent.Updated(
        new TaskUpdate(
            task,
            "S1",
            state,
            "",
            "",
            Optional.empty(),
            uuid.isEmpty() ? Optional.empty() : Optional.of(new Receipt(task, "S1", uuid))));
  }

  private MasterCall.Launch launchOne() {
    events.tell(new MasterEvent.Offered(List.of(Specs.offer("O1", "S1", 800, 4000))));
    return expectCall(MasterCall.Accept.class).launches().get(0);
  }

  @Test
  void the_framework_id_is_stored_before_anything_is_asked_of_the_master() {
    events.tell(new MasterEvent.Connected());
    assertThat(expectCall(MasterCall.Subscribe.class).frameworkId()).isEmpty();
    events.tell(new MasterEvent.Subscribed("F", "master:5050"));
    expectCall(MasterCall.Reconcile.class);

    assertThat(store.load().frameworkId()).contains("F");
    events.tell(new MasterEvent.Disconnected());
    events.tell(new MasterEvent.Connected());
    assertThat(expectCall(MasterCall.Subscribe.class).frameworkId()).contains("F");
  }

  @Test
  void a_framework_whose_id_cannot_be_stored_uses_no_offer() {
    store.broken(true);
    events.tell(new MasterEvent.Connected());
    events.tell(new MasterEvent.Subscribed("F", "master:5050"));
    events.tell(new MasterEvent.Offered(List.of(Specs.offer("O1", "S1", 8000, 8000))));

    expectCall(MasterCall.Reconnect.class);
    master.expectNoMessage(Duration.ZERO);
  }

  @Test
  void without_pools_offers_are_suppressed_and_with_one_they_are_asked_for() {
    events.tell(new MasterEvent.Connected());
    assertThat(expectCall(MasterCall.Subscribe.class).suppressed()).isTrue();
    events.tell(new MasterEvent.Subscribed("F", "master:5050"));
    expectCall(MasterCall.Reconcile.class);
    apply("p", new PoolSize.Fixed(1));
    expectCall(MasterCall.Revive.class);
    events.tell(new MasterEvent.Offered(List.of(Specs.offer("O1", "S1", 800, 4000))));

    expectCall(MasterCall.Suppress.class);
    assertThat(expectCall(MasterCall.Accept.class).launches()).hasSize(1);
  }

  @Test
  void a_worker_is_stored_launched_acknowledged_and_counted() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    scheduler.tell(new SchedulerActor.Subscribe(facts.getRef()));
    MasterCall.Launch launch = launchOne();
    assertThat(launch.taskId()).isEqualTo("p.0.1");
    assertThat(store.knows("p.0.1")).isTrue();
    events.tell(update("p.0.1", TaskState.RUNNING, "u1"));
    assertThat(expectCall(MasterCall.Acknowledge.class).receipt().uuid()).isEqualTo("u1");

    assertThat(expectFact(PoolFact.WorkerLaunched.class).worker()).isEqualTo("p.0.1");
    assertThat(expectFact(PoolFact.PoolMeasured.class).running()).isEqualTo(1);
    assertThat(expectFact(PoolFact.WorkerRunning.class).worker()).isEqualTo("p.0.1");
  }

  @Test
  void an_update_without_uuid_is_not_acknowledged() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    launchOne();
    events.tell(update("p.0.1", TaskState.RUNNING, ""));
    events.tell(update("p.0.1", TaskState.FAILED, "u2"));

    assertThat(expectCall(MasterCall.Acknowledge.class).receipt().uuid()).isEqualTo("u2");
  }

  @Test
  void nothing_is_acknowledged_while_the_store_does_not_work_and_all_is_afterwards() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    launchOne();
    store.broken(true);
    events.tell(update("p.0.1", TaskState.FAILED, "u1"));
    events.tell(update("p.0.1", TaskState.FAILED, "u1"));
    scheduler.tell(new SchedulerActor.Explain("p", answers.getRef()));
    answers.expectMessageClass(Explained.class);
    store.broken(false);
    timePasses(Duration.ofMillis(250));
    events.tell(update("p.0.1", TaskState.FAILED, "u2"));

    assertThat(expectCall(MasterCall.Acknowledge.class).receipt().uuid()).isEqualTo("u2");
    assertThat(store.knows("p.0.1")).isFalse();
  }

  @Test
  void a_worker_that_failed_is_replaced_when_its_back_off_ends_and_not_before() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    launchOne();
    scheduler.tell(new SchedulerActor.Subscribe(facts.getRef()));
    events.tell(update("p.0.1", TaskState.FAILED, "u1"));
    assertThat(expectFact(PoolFact.WorkerEnded.class).cause().kind()).isEqualTo(Cause.Kind.USER);
    events.tell(new MasterEvent.Offered(List.of(Specs.offer("O2", "S1", 800, 4000))));
    assertThat(expectCall(MasterCall.Decline.class).offerIds()).containsExactly("O2");
    scheduler.tell(new SchedulerActor.Explain("p", answers.getRef()));
    assertThat(answers.expectMessageClass(Explained.class).lines())
        .anyMatch(line -> line.contains("waits another 1 s after 1 failure"));
    timePasses(Duration.ofSeconds(1));
    expectCall(MasterCall.Revive.class);

    assertThat(launchOne().taskId()).isEqualTo("p.0.2");
  }

  @Test
  void a_worker_of_an_earlier_spec_that_fails_does_not_make_its_changed_pool_wait() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    MasterCall.Launch old = launchOne();
    scheduler.tell(
        new SchedulerActor.ApplyPool(
            Specs.pool("p", new PoolSize.Fixed(1), "mended"), answers.getRef()));
    answers.expectMessage(new Done());
    scheduler.tell(new SchedulerActor.Subscribe(facts.getRef()));
    events.tell(update(old.taskId(), TaskState.FAILED, ""));
    expectFact(PoolFact.WorkerEnded.class);

    scheduler.tell(new SchedulerActor.Explain("p", answers.getRef()));
    SchedulerActor.Explained explained = answers.expectMessageClass(SchedulerActor.Explained.class);
    assertThat(explained.pool().rollout()).isEqualTo(new SchedulerActor.Rollout(0, 0, ""));
    assertThat(launchOne().plan().id()).isNotEqualTo(old.plan().id());
  }

  @Test
  void a_pool_that_is_applied_again_while_its_executor_ends_gets_another_one_at_once() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    MasterCall.Launch first = launchOne();
    scheduler.tell(new SchedulerActor.DeletePool("p", answers.getRef()));
    answers.expectMessage(new Done());
    events.tell(update(first.taskId(), TaskState.KILLED, "u1"));
    MasterCall.Shutdown end = expectCall(MasterCall.Shutdown.class);
    assertThat(end.executorId()).isEqualTo(first.executor().executorId());
    apply("p", new PoolSize.Fixed(1));
    events.tell(
        new MasterEvent.Offered(List.of(Specs.offer("O2", "S1", 800, 4000, end.executorId()))));

    MasterCall.Launch second = expectCall(MasterCall.Accept.class).launches().get(0);
    assertThat(second.executor().executorId()).isNotEqualTo(end.executorId());
    assertThat(second.executor().resources()).isNotEmpty();
  }

  @Test
  void what_an_executor_that_ends_did_not_take_goes_to_another_one_without_waiting() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    MasterCall.Launch first = launchOne();
    String executorId = first.executor().executorId();
    events.tell(
        new MasterEvent.Updated(
            new TaskUpdate(
                first.taskId(),
                "S1",
                TaskState.DROPPED,
                "REASON_EXECUTOR_TERMINATED",
                "Executor terminating",
                Optional.empty(),
                Optional.empty())));
    events.tell(new MasterEvent.Offered(List.of(Specs.offer("O2", "S1", 800, 4000, executorId))));

    MasterCall.Launch second = expectCall(MasterCall.Accept.class).launches().get(0);
    assertThat(second.executor().executorId()).isNotEqualTo(executorId);
  }

  @Test
  void an_unknown_running_task_is_killed() {
    subscribe();
    events.tell(update("who.0.9", TaskState.RUNNING, "u1"));

    assertThat(expectCall(MasterCall.Kill.class).taskId()).isEqualTo("who.0.9");
    expectCall(MasterCall.Acknowledge.class);
  }

  @Test
  void after_a_restart_workers_of_the_store_are_adopted_and_asked_for() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    launchOne();
    events.tell(update("p.0.1", TaskState.RUNNING, "u1"));
    expectCall(MasterCall.Acknowledge.class);
    kit.stop(scheduler);

    spawn();
    events.tell(new MasterEvent.Connected());
    assertThat(expectCall(MasterCall.Subscribe.class).suppressed()).isTrue();
    events.tell(new MasterEvent.Subscribed("F", "master:5050"));
    assertThat(expectCall(MasterCall.Reconcile.class).tasks())
        .containsExactly(new MasterCall.TaskOnAgent("p.0.1", "S1"));
    assertThat(expectCall(MasterCall.Reconcile.class).tasks()).isEmpty();
    MasterCall.Message told = expectCall(MasterCall.Message.class);
    assertThat(told.agentId()).isEqualTo("S1");
    assertThat(told.executorId()).startsWith("p-");
  }

  @Test
  void executors_are_told_the_seeds_until_their_supervisor_is_up() {
    after_a_restart_workers_of_the_store_are_adopted_and_asked_for();
    String executorId = store.load().executors().get(0).executorId();
    timePasses(Duration.ofSeconds(2));
    expectCall(MasterCall.Message.class);
    scheduler.tell(
        new SchedulerActor.SupervisorUp(
            executorId + "@S1", "p", "S1", executorId, "akka://troupe@127.0.0.1:1"));
    scheduler.tell(new SchedulerActor.Explain("p", answers.getRef()));
    answers.expectMessageClass(Explained.class);
    drain();
    timePasses(Duration.ofSeconds(4));

    for (MasterCall call : drain()) {
      assertThat(call).isNotInstanceOf(MasterCall.Message.class);
    }
  }

  private List<MasterCall> drain() {
    scheduler.tell(new SchedulerActor.Explain("nobody", answers.getRef()));
    answers.expectMessageClass(Refused.class);
    List<MasterCall> calls = new java.util.ArrayList<>();
    master.getRef().tell(new MasterCall.Leave());
    MasterCall call = master.receiveMessage();
    while (!(call instanceof MasterCall.Leave)) {
      calls.add(call);
      call = master.receiveMessage();
    }
    return calls;
  }

  @Test
  void a_lost_executor_is_told_and_its_node_leaves_the_cluster_at_once() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    String executorId = launchOne().executor().executorId();
    scheduler.tell(new SchedulerActor.Subscribe(facts.getRef()));
    scheduler.tell(
        new SchedulerActor.SupervisorUp(
            executorId + "@S1", "p", "S1", executorId, "akka://troupe@127.0.0.1:1"));
    events.tell(new MasterEvent.ExecutorExited("S1", executorId, 9));

    assertThat(expectFact(PoolFact.ExecutorLost.class).cause().message())
        .contains("ended by signal 9");
    downed.expectMessage("akka://troupe@127.0.0.1:1");
  }

  private Cause causeOfExit(String executorId) {
    scheduler.tell(new SchedulerActor.Subscribe(facts.getRef()));
    events.tell(new MasterEvent.ExecutorExited("S1", executorId, 0));
    return expectFact(PoolFact.ExecutorLost.class).cause();
  }

  @Test
  void an_executor_that_leaves_when_it_has_no_workers_is_no_fault_of_anybody() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    MasterCall.Launch launch = launchOne();
    scheduler.tell(new SchedulerActor.ScalePool("p", new PoolSize.Fixed(0), answers.getRef()));
    answers.expectMessage(new Done());
    events.tell(update(launch.taskId(), TaskState.KILLED, "u1"));

    assertThat(causeOfExit(launch.executor().executorId()))
        .isEqualTo(Cause.of(Cause.Kind.DRAINED, "the executor has left, as it had no workers"));
  }

  @Test
  void an_executor_that_leaves_its_workers_alone_is_a_fault() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));

    assertThat(causeOfExit(launchOne().executor().executorId()))
        .isEqualTo(Cause.of(Cause.Kind.INTERNAL, "the executor exited with code 0"));
  }

  @Test
  void a_lost_agent_is_told_and_its_workers_are_replaced_without_waiting() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    launchOne();
    scheduler.tell(new SchedulerActor.Subscribe(facts.getRef()));
    events.tell(new MasterEvent.AgentRemoved("S1"));
    assertThat(expectFact(PoolFact.WorkerEnded.class).cause().kind())
        .isEqualTo(Cause.Kind.AGENT_LOST);
    expectFact(PoolFact.AgentLost.class);
    events.tell(new MasterEvent.Offered(List.of(Specs.offer("O2", "S2", 800, 4000))));

    assertThat(expectCall(MasterCall.Accept.class).agentId()).isEqualTo("S2");
  }

  @Test
  void scaling_down_kills_and_a_kill_that_goes_unheard_is_repeated() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    launchOne();
    scheduler.tell(new SchedulerActor.ScalePool("p", new PoolSize.Fixed(0), answers.getRef()));
    answers.expectMessage(new Done());
    assertThat(expectCall(MasterCall.Kill.class).taskId()).isEqualTo("p.0.1");
    timePasses(Duration.ofSeconds(10));

    assertThat(expectCall(MasterCall.Kill.class).taskId()).isEqualTo("p.0.1");
  }

  @Test
  void what_the_store_refuses_is_refused() {
    subscribe();
    store.broken(true);
    scheduler.tell(
        new SchedulerActor.ApplyPool(Specs.pool("p", new PoolSize.Fixed(1)), answers.getRef()));

    assertThat(answers.expectMessageClass(Refused.class).reason())
        .isEqualTo(Reason.STORE_UNAVAILABLE);
  }

  @Test
  void pools_that_are_not_there_are_refused_by_name() {
    scheduler.tell(new SchedulerActor.DeletePool("p", answers.getRef()));
    assertThat(answers.expectMessageClass(Refused.class).message()).contains("'p'");
    scheduler.tell(new SchedulerActor.ScalePool("p", new PoolSize.Fixed(1), answers.getRef()));
    answers.expectMessageClass(Refused.class);
    scheduler.tell(new SchedulerActor.DrainPool("p", answers.getRef()));
    assertThat(answers.expectMessageClass(Refused.class).reason()).isEqualTo(Reason.POOL_NOT_FOUND);
  }

  @Test
  void a_deposed_scheduler_steps_down_and_does_not_come_back() {
    subscribe();
    scheduler.tell(new SchedulerActor.Subscribe(facts.getRef()));
    expectFact(PoolFact.FrameworkChanged.class);
    events.tell(new MasterEvent.Failed("Framework failed over"));
    expectCall(MasterCall.Leave.class);
    assertThat(expectFact(PoolFact.FrameworkChanged.class).state())
        .isEqualTo(FrameworkState.FAILED_OVER);
    events.tell(new MasterEvent.Connected());

    assertThat(drain()).isEmpty();
  }

  @Test
  void a_removed_framework_stops_instead_of_starting_another_one() {
    subscribe();
    events.tell(new MasterEvent.Failed("Framework has been removed"));
    expectCall(MasterCall.Leave.class);
    events.tell(new MasterEvent.Connected());

    assertThat(drain()).isEmpty();
    assertThat(store.load().frameworkId()).contains("F");
  }

  @Test
  void a_teardown_forgets_everything_and_the_next_pool_starts_a_new_framework() {
    subscribe();
    apply("p", new PoolSize.Fixed(1));
    launchOne();
    scheduler.tell(new SchedulerActor.Teardown(answers.getRef()));
    answers.expectMessage(new Done());
    expectCall(MasterCall.Teardown.class);
    assertThat(store.load().pools()).isEmpty();
    assertThat(store.load().workers()).isEmpty();
    assertThat(store.load().frameworkId()).isEmpty();
    apply("q", new PoolSize.Fixed(1));
    expectCall(MasterCall.Reconnect.class);
    events.tell(new MasterEvent.Connected());

    assertThat(expectCall(MasterCall.Subscribe.class).frameworkId()).isEmpty();
  }

  @Test
  void a_teardown_without_a_master_is_refused() {
    scheduler.tell(new SchedulerActor.Teardown(answers.getRef()));

    assertThat(answers.expectMessageClass(Refused.class).reason()).isEqualTo(Reason.NOT_SUBSCRIBED);
  }

  @Test
  void a_range_follows_its_load() {
    subscribe();
    apply("p", new PoolSize.Range(1, 3));
    launchOne();
    scheduler.tell(new SchedulerActor.PoolLoad("p", 7, 1));
    timePasses(Duration.ofSeconds(1));
    expectCall(MasterCall.Revive.class);
    events.tell(new MasterEvent.Offered(List.of(Specs.offer("O2", "S2", 8000, 8000))));

    assertThat(expectCall(MasterCall.Accept.class).launches()).hasSize(2);
  }

  @Test
  void who_comes_late_hears_the_current_state_first() {
    subscribe();
    apply("p", new PoolSize.Fixed(2));
    scheduler.tell(new SchedulerActor.Subscribe(facts.getRef()));

    assertThat(facts.receiveMessage())
        .isEqualTo(
            new PoolFact.FrameworkChanged(
                Optional.of("F"), "master:5050", FrameworkState.SUBSCRIBED));
    assertThat(facts.expectMessageClass(PoolFact.PoolApplied.class).spec().name()).isEqualTo("p");
    assertThat(facts.expectMessageClass(PoolFact.PoolMeasured.class).wanted()).isEqualTo(2);
  }
}
