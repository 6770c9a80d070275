package io.troupe.executor;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.executor.mesos.FakeAgent;
import io.troupe.mesos.WireFormat;
import io.troupe.model.WorkerProtocol;
import io.troupe.model.WorkerState;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.codec.TaskDataCodec;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.executor.Protos.Call;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole executor as a process of its own, between an agent, a scheduler and real Python. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class ExecutorTest {
  private static final Duration GRACE = Duration.ofSeconds(5);

  @TempDir Path sandbox;
  private FakeAgent agent;
  private FakeScheduler scheduler;
  private RealExecutor executor;

  @BeforeEach
  void start() throws Exception {
    agent = FakeAgent.start(WireFormat.PROTOBUF);
    scheduler = FakeScheduler.start(1);
    RealExecutor.write(
        sandbox,
        "mine.py",
        """
        import os, time, signal
        def pid(_): return os.getpid()
        def twice(x): return 2 * x
        def crash(_): os.kill(os.getpid(), signal.SIGKILL)
        def sleep(s): time.sleep(s)
        """);
    executor = RealExecutor.start(sandbox, agent.environment(sandbox.toString()));
    agent.expect(Call.Type.SUBSCRIBE);
  }

  @AfterEach
  void stop() throws Exception {
    executor.close();
    scheduler.close();
    agent.close();
  }

  private void launch(String task) throws Exception {
    TaskData.Worker worker =
        new TaskData.Worker(
            "python3 -m troupe.worker mine",
            WorkerProtocol.FRAMES,
            List.of(),
            Map.of(),
            List.of(),
            64,
            0.1,
            Duration.ofSeconds(60));
    agent.launch(task, TaskDataCodec.write(new TaskData(1, scheduler.info(), "mine", worker)));
  }

  private String expectState(TaskState state) throws InterruptedException {
    var status = agent.expectUpdate();
    assertThat(status.getState()).as(status.getMessage()).isEqualTo(state);
    return status.getMessage();
  }

  private String result(String job) throws InterruptedException {
    Outcome outcome = scheduler.expectOutcome(job);
    assertThat(outcome.kind()).as("%s", outcome.cause()).isEqualTo(Outcome.Kind.SUCCEEDED);
    return new String(outcome.body(), StandardCharsets.UTF_8);
  }

  @Test
  void a_launched_task_becomes_a_worker_that_runs_jobs_until_it_is_killed() throws Exception {
    launch("mine.0.1");
    expectState(TaskState.TASK_STARTING);
    expectState(TaskState.TASK_RUNNING);
    SupervisorToScheduler.Register register = scheduler.expectRegister();
    assertThat(register.supervisor()).isEqualTo("executor-1@" + FakeAgent.AGENT_ID);
    assertThat(register.pool()).isEqualTo("mine");
    scheduler.expectCapacity(1);

    scheduler.assign(FakeScheduler.job("j1", "twice", "21"));
    assertThat(result("j1")).isEqualTo("42");
    SupervisorToScheduler.Report report =
        scheduler.expectReport(r -> r.workers().size() == 1 && r.workers().get(0).jobs() == 1);
    assertThat(report.workers().get(0).state()).isEqualTo(WorkerState.READY);
    assertThat(report.workers().get(0).process().pid()).isPositive();

    agent.kill("mine.0.1", GRACE);
    expectState(TaskState.TASK_KILLING);
    expectState(TaskState.TASK_KILLED);
  }

  @Test
  void processes_and_jobs_outlive_the_scheduler_and_its_cluster() throws Exception {
    launch("mine.0.1");
    scheduler.expectRegister();
    scheduler.expectCapacity(1);
    scheduler.assign(FakeScheduler.job("j1", "pid", "null"));
    String pid = result("j1");
    scheduler.assign(FakeScheduler.job("long", "sleep", "3"));
    scheduler.expectReport(r -> r.workers().get(0).state() == WorkerState.BUSY);
    scheduler.close();

    scheduler = FakeScheduler.start(2);
    agent.message(TaskDataCodec.write(scheduler.info()));
    SupervisorToScheduler.Register register = scheduler.expectRegister();
    assertThat(register.held()).extracting(ref -> ref.job()).contains("long");
    assertThat(register.epoch()).isEqualTo(2);
    assertThat(result("long")).isEqualTo("null");
    scheduler.assign(FakeScheduler.job("j2", "pid", "null"));
    assertThat(result("j2")).isEqualTo(pid);
  }

  @Test
  void a_supervisor_whose_job_line_breaks_opens_another_and_what_it_holds_goes_on()
      throws Exception {
    launch("mine.0.1");
    scheduler.expectRegister();
    scheduler.expectCapacity(1);
    scheduler.assign(FakeScheduler.job("long", "sleep", "2"));
    scheduler.expectReport(r -> r.workers().get(0).state() == WorkerState.BUSY);
    scheduler.cutLine();
    SupervisorToScheduler.Register register = scheduler.expectRegister();
    assertThat(register.held()).extracting(ref -> ref.job()).contains("long");
    assertThat(result("long")).isEqualTo("null");
    scheduler.assign(FakeScheduler.job("j2", "twice", "1"));
    assertThat(result("j2")).isEqualTo("2");
  }

  @Test
  void a_crash_costs_the_running_job_and_the_process_is_started_again() throws Exception {
    launch("mine.0.1");
    scheduler.expectRegister();
    scheduler.expectCapacity(1);
    scheduler.assign(FakeScheduler.job("j1", "crash", "null"));
    Outcome lost = scheduler.expectOutcome("j1");
    assertThat(lost.kind()).isEqualTo(Outcome.Kind.LOST);
    assertThat(lost.cause().signal()).isEqualTo(9);
    scheduler.expectCapacity(1);
    scheduler.assign(FakeScheduler.job("j2", "twice", "1"));
    assertThat(result("j2")).isEqualTo("2");
  }

  @Test
  void it_ends_with_its_workers_within_the_agents_grace_when_the_agent_says_so() throws Exception {
    launch("mine.0.1");
    expectState(TaskState.TASK_STARTING);
    expectState(TaskState.TASK_RUNNING);
    agent.shutdown();
    expectState(TaskState.TASK_KILLING);
    expectState(TaskState.TASK_KILLED);
    assertThat(executor.exitCodeWithin(FakeAgent.SHUTDOWN_GRACE)).isZero();
  }

  @Test
  void it_ends_within_the_agents_grace_although_a_dead_schedulers_cluster_cannot_be_left()
      throws Exception {
    launch("mine.0.1");
    scheduler.expectRegister();
    scheduler.expectCapacity(1);
    scheduler.close();

    scheduler = FakeScheduler.start(2);
    agent.message(TaskDataCodec.write(scheduler.info()));
    scheduler.expectRegister();
    agent.shutdown();
    assertThat(executor.exitCodeWithin(FakeAgent.SHUTDOWN_GRACE)).isZero();
  }
}
