package io.troupe.executor;

import static io.troupe.executor.process.Processes.eventually;
import static io.troupe.executor.process.Processes.lives;
import static io.troupe.executor.process.Processes.pidIn;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGKILL for one ancestor after the other, fifty in all, while workers hold children,
 * grandchildren, and daemons that have left session and parents: none of these survives.
 */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class AncestorsTest {
  private static final int WORKERS = 4;
  private static final int ROUNDS = 10;
  private static final List<String> KIN = List.of("server", "child", "grandchild", "daemon");

  private static final String FAMILY =
      """
      import os, time
      def note(kin):
          name = "%s-%s" % (kin, os.environ["TROUPE_WORKER"])
          if os.path.exists(name): time.sleep(600)
          with open(name + ".tmp", "w") as out: out.write("%d\\n" % os.getpid())
          os.rename(name + ".tmp", name)
      def family():
          note("server")
          if os.fork() == 0:
              note("child")
              if os.fork() == 0: note("grandchild")
              time.sleep(600); os._exit(0)
          if os.fork() == 0:
              os.setsid()
              if os.fork() == 0:
                  note("daemon"); time.sleep(600)
              os._exit(0)
      """;

  private static final String STARTED = FAMILY + "family()\ntime.sleep(600)\n";
  private static final String FORKED = FAMILY + "def setup(): family()\n";

  @TempDir Path sandbox;
  private long longestMillis;

  private List<Long> family(int worker) {
    return KIN.stream().map(kin -> pidIn(sandbox.resolve("files/" + kin + "-w" + worker))).toList();
  }

  private void killAndSee(long ancestor, List<Long> family) {
    long start = System.nanoTime();
    ProcessHandle.of(ancestor).orElseThrow().destroyForcibly();
    eventually("all are gone: " + family, () -> family.stream().noneMatch(pid -> lives(pid)));
    longestMillis = Math.max(longestMillis, (System.nanoTime() - start) / 1_000_000);
  }

  private RealExecutor executor(AgentProcess agent) throws Exception {
    return RealExecutor.start(
        sandbox,
        agent.environment(sandbox),
        "-Dtroupe.executor.agent.wire=json",
        "-Dtroupe.executor.supervisor.idle-timeout=60s");
  }

  /** The processes of which the environment names the sandbox. */
  private List<Long> marked() throws Exception {
    List<Long> found = new ArrayList<>();
    try (Stream<ProcessHandle> all = ProcessHandle.allProcesses()) {
      for (ProcessHandle process : all.toList()) {
        try {
          String environment = Files.readString(Path.of("/proc/" + process.pid() + "/environ"));
          if (environment.contains("TROUPE_EXECUTOR_MARK=")
              && environment.contains(sandbox.toString())
              && lives(process.pid())) {
            found.add(process.pid());
          }
        } catch (java.io.IOException | RuntimeException e) {
          // it ended meanwhile
        }
      }
    }
    return found;
  }

  @Test
  void no_kin_survives_its_worker_its_executor_or_its_agent(TestReporter reporter)
      throws Exception {
    Path folder = sandbox;
    List<RealExecutor> executors = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      sandbox = folder.resolve("round-" + round);
      RealExecutor.write(sandbox, "family.py", STARTED);
      try (AgentProcess agent = AgentProcess.start(WORKERS, "python3 -B family.py")) {
        RealExecutor executor = executor(agent);
        for (int worker = 0; worker < WORKERS; worker++) {
          List<Long> family = family(worker);
          assertThat(family).allMatch(pid -> lives(pid));
          killAndSee(family.get(0), family);
        }
        eventually("they are started again", () -> count() >= WORKERS);
        killAndSee(round % 2 == 0 ? agent.process.pid() : executor.process.pid(), marked());
        // Workers may just have been starting: some of these live for a moment, others come yet.
        eventually("nobody with the mark is left", () -> count() == 0);
        executors.add(executor);
      }
    }
    // For some seconds those without their agent hope that it hears how their workers ended.
    for (RealExecutor executor : executors) {
      executor.exitCode();
    }
    reporter.publishEntry("longest", longestMillis + " ms");
  }

  @Test
  void no_kin_of_forked_workers_survives_their_server_or_their_executor() throws Exception {
    RealExecutor.write(sandbox, "family.py", FORKED);
    try (AgentProcess agent =
        AgentProcess.startForking(WORKERS, "python3 -B -m troupe.worker family")) {
      RealExecutor executor = executor(agent);
      List<Long> kin = new ArrayList<>();
      for (int worker = 0; worker < WORKERS; worker++) {
        kin.addAll(family(worker));
      }
      assertThat(kin).allMatch(pid -> lives(pid));
      long server = ProcessHandle.of(kin.get(0)).orElseThrow().parent().orElseThrow().pid();
      killAndSee(server, kin);
      eventually("they are forked again", () -> count() > WORKERS);
      killAndSee(executor.process.pid(), marked());
      eventually("nobody with the mark is left", () -> count() == 0);
      executor.exitCode();
    }
  }

  private int count() {
    try {
      return marked().size();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void what_survives_an_executor_and_its_guard_goes_when_the_next_executor_starts()
      throws Exception {
    RealExecutor.write(sandbox, "family.py", STARTED);
    try (AgentProcess agent = AgentProcess.start(1, "python3 -B family.py")) {
      RealExecutor executor = executor(agent);
      List<Long> family = family(0);
      executor
          .process
          .descendants()
          .filter(child -> child.info().commandLine().orElse("").contains("guard.py"))
          .forEach(ProcessHandle::destroyForcibly);
      executor.close();
      assertThat(lives(family.get(3))).as("the daemon has no guard").isTrue();
      RealExecutor next = executor(agent);
      eventually("all are gone", () -> family.stream().noneMatch(pid -> lives(pid)));
      next.close();
    }
  }
}
