package io.troupe.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.TestProbe;
import io.troupe.model.Cause;
import io.troupe.model.Raised;
import io.troupe.model.WorkerState;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WireMessageTest {

  private ActorTestKit kit;

  @BeforeAll
  void startSystem() {
    kit = ActorTestKit.create();
  }

  @AfterAll
  void stopSystem() {
    kit.shutdownTestKit();
  }

  private Stream<WireMessage> messages() {
    TestProbe<SchedulerToSupervisor> supervisor = kit.createTestProbe(SchedulerToSupervisor.class);
    AttemptRef ref = new AttemptRef("j1", 2);
    WorkerStatus worker =
        new WorkerStatus(
            "demo.1.1",
            "demo.1.1",
            WorkerState.BUSY,
            1,
            "j1",
            new WorkerStatus.Progress(0.5, "half"),
            7,
            new Cause(
                Cause.Kind.OOM,
                "out of memory",
                null,
                9,
                List.of("last words"),
                new Raised("MemoryError", "builtins", "", "[]")),
            new WorkerStatus.ProcessStatus(
                42, 1 << 20, 12.5, 1_700_000_000_000L, "python3 -m troupe.worker demo"),
            List.of("printed"),
            List.of(new WorkerStatus.Running("j1", new WorkerStatus.Progress(0.5, "half"))));
    return Stream.of(
        new SupervisorToScheduler.Register(
            "e@a",
            1,
            5,
            "demo",
            "f",
            "a",
            "e",
            "host",
            "akka://troupe@h:1",
            List.of(ref),
            List.of(worker),
            supervisor.getRef()),
        new SupervisorToScheduler.Report("e@a", 3, List.of(worker)),
        new SchedulerToSupervisor.Welcome("127.0.0.1", 4711, "t0k3n"),
        new SchedulerToSupervisor.SecretsAt("http://127.0.0.1:7070/v1/secrets/demo", "t0k3n"),
        new SchedulerToSupervisor.ReadParts(ref, 17, kit.createTestProbe(Parts.class).getRef()),
        new SchedulerToSupervisor.Refused("another version"));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void a_message_comes_out_as_it_went_in(WireMessage message) {
    assertThat(kit.serializationTestKit().verifySerialization(message, true)).isEqualTo(message);
  }

  @Test
  void what_a_job_has_yielded_comes_out_as_it_went_in() {
    Parts sent = new Parts(19, new byte[] {'1', '\n'});

    var read = kit.serializationTestKit().verifySerialization(sent, false);

    assertThat(read).usingRecursiveComparison().isEqualTo(sent);
  }
}
