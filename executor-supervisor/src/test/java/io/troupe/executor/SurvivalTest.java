package io.troupe.executor;

import static io.troupe.executor.process.Processes.eventually;
import static io.troupe.executor.process.Processes.lives;
import static io.troupe.executor.process.Processes.pidIn;
import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.executor.mesos.FakeAgent;
import io.troupe.mesos.WireFormat;
import io.troupe.model.WorkerProtocol;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.codec.TaskDataCodec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** No process of a worker survives its executor, whatever ends it, and whatever it has started. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SurvivalTest {
  /** A daemon that has left session and parents, and a child; both write down who they are. */
  private static final String FAMILY =
      """
      import os, time
      def note(file):
          with open(file + ".tmp", "w") as out: out.write("%d\\n" % os.getpid())
          os.rename(file + ".tmp", file)
      note("server")
      if os.fork() == 0:
          note("child"); time.sleep(600); os._exit(0)
      if os.fork() == 0:
          os.setsid()
          if os.fork() == 0:
              note("daemon"); time.sleep(600)
          os._exit(0)
      time.sleep(600)
      """;

  @TempDir Path sandbox;
  private FakeAgent agent;
  private RealExecutor executor;

  @BeforeEach
  void start() throws Exception {
    agent = FakeAgent.start(WireFormat.JSON);
    RealExecutor.write(sandbox, "family.py", FAMILY);
    executor =
        RealExecutor.start(
            sandbox,
            agent.environment(sandbox.toString()),
            "-Dtroupe.executor.agent.wire=json",
            "-Dtroupe.executor.supervisor.idle-timeout=5s"); // longer than the task takes to come
    agent.expect(org.apache.mesos.v1.executor.Protos.Call.Type.SUBSCRIBE);
    TaskData.Worker worker =
        new TaskData.Worker(
            "python3 -B family.py",
            WorkerProtocol.NONE,
            List.of(),
            Map.of(),
            List.of(),
            64,
            0.1,
            Duration.ofSeconds(60));
    // Nobody is there: supervision does not need a scheduler.
    ClusterInfo cluster = new ClusterInfo("troupe", 1, List.of("akka://troupe@127.0.0.1:16000"));
    agent.launch("family.0.1", TaskDataCodec.write(new TaskData(1, cluster, "family", worker)));
  }

  @AfterEach
  void stop() throws Exception {
    executor.close();
    agent.close();
  }

  private List<Long> family() {
    return List.of(
        pidIn(sandbox.resolve("files/server")),
        pidIn(sandbox.resolve("files/child")),
        pidIn(sandbox.resolve("files/daemon")));
  }

  private static void eventuallyGone(List<Long> pids) {
    for (long pid : pids) {
      eventually("process " + pid + " is gone", () -> !lives(pid));
    }
  }

  @Test
  void when_the_executor_gets_sigkill() throws Exception {
    List<Long> family = family();
    assertThat(family).allMatch(pid -> lives(pid));
    executor.process.destroyForcibly();
    eventuallyGone(family);
  }

  @Test
  void when_its_guard_is_killed_and_later_the_executor() throws Exception {
    List<Long> family = family();
    ProcessHandle first = guard().orElseThrow();
    first.destroyForcibly();
    eventually(
        "there is another guard",
        () -> guard().filter(other -> other.pid() != first.pid()).isPresent());
    executor.process.destroyForcibly();
    eventuallyGone(family);
  }

  private Optional<ProcessHandle> guard() {
    return executor
        .process
        .descendants()
        .filter(child -> child.info().commandLine().orElse("").contains("guard.py"))
        .findFirst();
  }

  @Test
  void when_the_executor_gets_sigterm() throws Exception {
    List<Long> family = family();
    executor.process.destroy();
    eventuallyGone(family);
  }

  @Test
  void when_the_task_is_killed_and_then_the_idle_executor_ends_by_itself() throws Exception {
    List<Long> family = family();
    agent.kill("family.0.1", Duration.ofSeconds(5));
    TaskStatus status;
    do {
      status = agent.expectUpdate();
    } while (status.getState() != TaskState.TASK_KILLED);
    eventuallyGone(family);
    assertThat(executor.exitCode()).isZero();
  }

  @Test
  void a_family_of_which_the_server_is_killed_is_swept_before_it_is_started_again()
      throws Exception {
    List<Long> family = family();
    for (String file : List.of("server", "child", "daemon")) {
      Files.delete(sandbox.resolve("files").resolve(file));
    }
    ProcessHandle.of(family.get(0)).orElseThrow().destroyForcibly();
    List<Long> next = family();
    eventuallyGone(family);
    assertThat(next).doesNotContainAnyElementsOf(family).allMatch(pid -> lives(pid));
    executor.close();
    eventuallyGone(next);
  }
}
