package io.troupe.scheduler.watch;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.typed.ActorRef;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.model.Cause;
import io.troupe.model.WorkerState;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToScheduler.Register;
import io.troupe.protocol.WorkerStatus;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TreeTest {
  private ActorTestKit kit;
  private ActorRef<SchedulerToSupervisor> inbox;

  @BeforeAll
  void start() {
    kit = ActorTestKit.create();
    inbox = kit.createTestProbe(SchedulerToSupervisor.class).getRef();
  }

  @AfterAll
  void stop() {
    kit.shutdownTestKit();
  }

  private static String address(int node) {
    return "akka://troupe@10.0.0." + node + ":1";
  }

  private Register register(int node, int at, WorkerStatus... workers) {
    return new Register(
        "e" + node + "@a" + node,
        1,
        1,
        "demo",
        "f",
        "a" + node,
        "e" + node,
        "host-" + node,
        address(at),
        List.of(),
        List.of(workers),
        inbox);
  }

  private static WorkerStatus worker(String id, WorkerState state) {
    return new WorkerStatus(
        id,
        id,
        state,
        2,
        state == WorkerState.BUSY ? "j1" : null,
        state == WorkerState.BUSY ? new WorkerStatus.Progress(0.4, "reading") : null,
        5,
        state == WorkerState.FAILED
            ? new Cause(Cause.Kind.OOM, "out of memory", null, 9, List.of("last words"))
            : null,
        new WorkerStatus.ProcessStatus(42, 4096, 12.345, 1_700_000_000_000L, "python3 -m x"),
        List.of("printed by " + id),
        List.of(
            new WorkerStatus.Running(
                state == WorkerState.BUSY ? "j1" : null,
                state == WorkerState.BUSY ? new WorkerStatus.Progress(0.4, "reading") : null)));
  }

  @Test
  void a_supervisor_shows_its_workers_and_their_processes() {
    Tree tree = new Tree("troupe");
    tree.member(new Tree.Member(address(1), "supervisor", "Up", "10.0.0.1"));
    tree.joined(register(1, 1, worker("demo.0.1", WorkerState.BUSY)));
    JsonNode node = tree.snapshot().get("nodes").get(0);
    assertThat(node.get("role").asText()).isEqualTo("supervisor");
    assertThat(node.get("status").asText()).isEqualTo("Up");
    assertThat(node.get("host").asText()).isEqualTo("host-1");
    assertThat(node.get("pool").asText()).isEqualTo("demo");
    JsonNode worker = node.get("workers").get(0);
    assertThat(worker.get("state").asText()).isEqualTo("BUSY");
    assertThat(worker.get("job").asText()).isEqualTo("j1");
    assertThat(worker.at("/progress/fraction").asDouble()).isEqualTo(0.4);
    assertThat(worker.at("/progress/message").asText()).isEqualTo("reading");
    assertThat(tree.progress("j1")).contains(new WorkerStatus.Progress(0.4, "reading"));
    assertThat(tree.progress("j2")).isEmpty();
    assertThat(worker.get("restarts").asInt()).isEqualTo(2);
    assertThat(worker.has("cause")).isFalse();
    assertThat(worker.at("/process/pid").asLong()).isEqualTo(42);
    assertThat(worker.at("/process/cpuPercent").asDouble()).isEqualTo(12.3);
    assertThat(worker.at("/process/startedAt").asText()).isEqualTo("2023-11-14T22:13:20Z");
  }

  @Test
  void a_worker_that_failed_says_why() {
    Tree tree = new Tree("troupe");
    tree.joined(register(1, 1, worker("demo.0.1", WorkerState.FAILED)));
    JsonNode cause = tree.snapshot().at("/nodes/0/workers/0/cause");
    assertThat(cause.get("kind").asText()).isEqualTo("OOM");
    assertThat(cause.get("signal").asInt()).isEqualTo(9);
    assertThat(cause.get("lastOutput").get(0).asText()).isEqualTo("last words");
  }

  @Test
  void the_last_words_of_a_worker_are_kept_when_it_is_gone_and_when_its_process_is() {
    LastWords words = new LastWords();
    words.saw(register(1, 1), List.of(worker("demo.0.1", WorkerState.BUSY)), 1_700_000_000_000L);
    ObjectNode kept = words.of("demo.0.1").orElseThrow();
    assertThat(kept.get("lastOutput")).hasSize(1);
    assertThat(kept.get("agentId").asText()).isEqualTo("a1");
    assertThat(kept.get("seenAt").asText()).isEqualTo("2023-11-14T22:13:20Z");
    WorkerStatus silent =
        new WorkerStatus(
            "demo.0.1",
            "t",
            WorkerState.BACKING_OFF,
            1,
            null,
            null,
            0,
            null,
            null,
            List.of(),
            List.of());
    words.saw(register(1, 1), List.of(silent), 1_700_000_001_000L);
    assertThat(words.of("demo.0.1").orElseThrow().at("/lastOutput/0").asText())
        .isEqualTo("printed by demo.0.1");
    assertThat(words.of("demo.9.9")).isEmpty();
  }

  @Test
  void the_supervisors_of_a_lost_agent_are_not_shown() {
    Tree tree = new Tree("troupe");
    tree.joined(register(1, 1));
    tree.joined(register(2, 2));
    tree.agentLost("a1");
    assertThat(tree.supervisors())
        .extracting(each -> each.registration().agentId())
        .containsExactly("a2");
    assertThat(tree.snapshot().get("nodes")).hasSize(1);
  }

  @Test
  void a_report_of_a_supervisor_that_has_left_changes_nothing() {
    Tree tree = new Tree("troupe");
    tree.joined(register(1, 1));
    tree.left("e1@a1");
    tree.delta();
    tree.reported("e1@a1", List.of(worker("demo.0.1", WorkerState.READY)));
    assertThat(tree.hasChanged()).isFalse();
  }

  @Test
  void what_is_told_again_is_no_change() {
    Tree tree = new Tree("troupe");
    tree.member(new Tree.Member(address(1), "supervisor", "Up", "h"));
    tree.joined(register(1, 1, worker("demo.0.1", WorkerState.READY)));
    tree.delta();
    tree.member(new Tree.Member(address(1), "supervisor", "Up", "h"));
    tree.reported("e1@a1", List.of(worker("demo.0.1", WorkerState.READY)));
    assertThat(tree.hasChanged()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
  void a_snapshot_and_the_deltas_after_it_make_the_tree(int seed) {
    Random random = new Random(seed);
    Tree tree = new Tree("troupe");
    tree.scheduler(address(0), part("SUBSCRIBED"));
    Map<String, JsonNode> follower = new HashMap<>();
    tree.delta();
    tree.snapshot().get("nodes").forEach(node -> follower.put(node.get("address").asText(), node));
    long seq = tree.seq();
    for (int step = 0; step < 500; step++) {
      change(tree, random);
      if (tree.hasChanged() && random.nextInt(3) == 0) {
        ObjectNode delta = tree.delta();
        assertThat(delta.get("seq").asLong()).isEqualTo(++seq);
        delta.get("nodes").forEach(node -> follower.put(node.get("address").asText(), node));
        delta.get("removed").forEach(address -> follower.remove(address.asText()));
        Map<String, JsonNode> now = new HashMap<>();
        tree.snapshot().get("nodes").forEach(node -> now.put(node.get("address").asText(), node));
        assertThat(follower).isEqualTo(now);
      }
    }
  }

  private void change(Tree tree, Random random) {
    int node = 1 + random.nextInt(4);
    switch (random.nextInt(8)) {
      case 0 -> tree.member(new Tree.Member(address(node), "supervisor", "Up", "h"));
      case 1 -> tree.member(new Tree.Member(address(node), "supervisor", "Unreachable", "h"));
      case 2 -> tree.memberRemoved(address(node));
      case 3 -> tree.joined(register(node, 1 + random.nextInt(6)));
      case 4 -> tree.left("e" + node + "@a" + node);
      case 5 -> tree.agentLost("a" + node);
      case 6 -> tree.scheduler(address(0), part(random.nextBoolean() ? "SUBSCRIBED" : "REMOVED"));
      default ->
          tree.reported(
              "e" + node + "@a" + node,
              List.of(
                  worker("demo." + random.nextInt(3), WorkerState.READY),
                  worker("demo.9", WorkerState.BUSY)));
    }
  }

  private static Tree.SchedulerPart part(String state) {
    JsonNodeFactory nodes = JsonNodeFactory.instance;
    return new Tree.SchedulerPart(
        nodes.objectNode().put("state", state), nodes.arrayNode(), nodes.arrayNode());
  }
}
