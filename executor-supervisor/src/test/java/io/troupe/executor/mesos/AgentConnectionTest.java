package io.troupe.executor.mesos;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.executor.supervision.Executor;
import io.troupe.executor.supervision.TaskReports.State;
import io.troupe.mesos.WireFormat;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.executor.Protos.Call;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The dialogue with an agent, over real HTTP. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class AgentConnectionTest {
  private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
  private FakeAgent agent;
  private AgentConnection connection;

  private final AgentListener listener =
      new AgentListener() {
        @Override
        public void subscribed(Executor executor) {
          heard.add("subscribed " + executor.supervisor() + " on " + executor.host());
        }

        @Override
        public void launch(String task, byte[] data) {
          heard.add("launch " + task + " " + new String(data, StandardCharsets.UTF_8));
        }

        @Override
        public void kill(String task, Optional<Duration> grace) {
          heard.add("kill " + task + " " + grace.map(Duration::toMillis).orElse(-1L));
        }

        @Override
        public void message(byte[] data) {
          heard.add("message " + new String(data, StandardCharsets.UTF_8));
        }

        @Override
        public void shutdown(String why) {
          heard.add("shutdown: " + why);
        }
      };

  @AfterEach
  void stop() {
    if (connection != null) {
      connection.close();
    }
    if (agent != null) {
      agent.close();
    }
  }

  private void connect(WireFormat wire, Map<String, String> changes) throws IOException {
    agent = FakeAgent.start(wire);
    Map<String, String> variables = new HashMap<>(agent.environment("/tmp"));
    variables.putAll(changes);
    open(wire, variables);
  }

  private void open(WireFormat wire, Map<String, String> variables) {
    connection =
        AgentConnection.open(
            MesosEnvironment.from(variables),
            new AgentSettings(wire, Duration.ofSeconds(60), Duration.ofSeconds(10)),
            listener);
  }

  private void hears(String expected) throws InterruptedException {
    assertThat(heard.poll(60, TimeUnit.SECONDS)).isEqualTo(expected);
  }

  private void hearsSubscribed() throws InterruptedException {
    hears("subscribed executor-1@" + FakeAgent.AGENT_ID + " on host-1");
  }

  @ParameterizedTest
  @EnumSource(WireFormat.class)
  void what_the_agent_says_is_heard_in_order(WireFormat wire) throws Exception {
    connect(wire, Map.of());
    hearsSubscribed();
    assertThat(agent.expect(Call.Type.SUBSCRIBE).hasSubscribe()).isTrue();
    agent.launch("t1", "data".getBytes(StandardCharsets.UTF_8));
    agent.kill("t1", Duration.ofMillis(1500));
    agent.message("hello".getBytes(StandardCharsets.UTF_8));
    agent.shutdown();
    hears("launch t1 data");
    hears("kill t1 1500");
    hears("message hello");
    hears("shutdown: the agent says so");
  }

  @Test
  void updates_arrive_in_order_with_what_mesos_asks_for() throws Exception {
    connect(WireFormat.PROTOBUF, Map.of());
    hearsSubscribed();
    connection.report("t1", State.STARTING, "a");
    connection.report("t1", State.RUNNING, "b");
    connection.report("t1", State.FAILED, "c");
    Set<Object> uuids = new HashSet<>();
    for (TaskState state :
        new TaskState[] {TaskState.TASK_STARTING, TaskState.TASK_RUNNING, TaskState.TASK_FAILED}) {
      TaskStatus status = agent.expectUpdate();
      assertThat(status.getState()).isEqualTo(state);
      assertThat(status.getSource()).isEqualTo(TaskStatus.Source.SOURCE_EXECUTOR);
      assertThat(status.getUuid().size()).isEqualTo(16);
      assertThat(status.hasAgentId()).isFalse();
      uuids.add(status.getUuid());
    }
    assertThat(uuids).hasSize(3);
    assertThat(connection.awaitAcknowledged(Duration.ofSeconds(60))).isTrue();
  }

  @Test
  void what_was_not_acknowledged_is_repeated_with_the_next_subscription() throws Exception {
    connect(WireFormat.PROTOBUF, Map.of());
    hearsSubscribed();
    agent.expect(Call.Type.SUBSCRIBE);
    agent.launch("t1", new byte[0]);
    hears("launch t1 ");
    agent.launch("t2", new byte[0]);
    hears("launch t2 ");
    connection.report("t1", State.STARTING, "");
    agent.expectUpdate();
    assertThat(connection.awaitAcknowledged(Duration.ofSeconds(60))).isTrue();
    agent.acknowledging(false);
    connection.report("t1", State.RUNNING, "");
    TaskStatus running = agent.expectUpdate();
    agent.closeStream();

    hearsSubscribed();
    Call.Subscribe again = agent.expect(Call.Type.SUBSCRIBE).getSubscribe();
    assertThat(again.getUnacknowledgedTasksList())
        .extracting(task -> task.getTaskId().getValue())
        .containsExactly("t2");
    assertThat(again.getUnacknowledgedUpdatesList())
        .extracting(update -> update.getStatus().getUuid())
        .containsExactly(running.getUuid());
    assertThat(connection.awaitAcknowledged(Duration.ZERO)).isFalse();
    agent.acknowledge(running);
    assertThat(connection.awaitAcknowledged(Duration.ofSeconds(60))).isTrue();
  }

  @Test
  void an_update_that_is_refused_for_now_is_sent_again() throws Exception {
    connect(WireFormat.PROTOBUF, Map.of());
    hearsSubscribed();
    agent.answering(503);
    connection.report("t1", State.RUNNING, "");
    connection.report("t1", State.FAILED, "");
    agent.answering(202);
    assertThat(agent.expectUpdate().getState()).isEqualTo(TaskState.TASK_RUNNING);
    assertThat(agent.expectUpdate().getState()).isEqualTo(TaskState.TASK_FAILED);
  }

  @Test
  void an_agent_that_is_not_there_yet_is_tried_until_it_is() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    open(
        WireFormat.PROTOBUF,
        Map.of(
            "MESOS_FRAMEWORK_ID", "f",
            "MESOS_EXECUTOR_ID", "executor-1",
            "MESOS_AGENT_ENDPOINT", "127.0.0.1:" + port));
    agent = FakeAgent.start(WireFormat.PROTOBUF, port);
    hearsSubscribed();
  }

  @Test
  void without_checkpointing_the_loss_of_the_agent_ends_the_executor() throws Exception {
    connect(WireFormat.PROTOBUF, Map.of("MESOS_CHECKPOINT", "0"));
    hearsSubscribed();
    agent.closeStream();
    hears("shutdown: the agent is gone and the framework does not checkpoint");
  }

  @Test
  void with_checkpointing_it_ends_when_the_recovery_timeout_is_over() throws Exception {
    connect(WireFormat.PROTOBUF, Map.of("MESOS_RECOVERY_TIMEOUT", "300ms"));
    hearsSubscribed();
    agent.close();
    assertThat(heard.poll(60, TimeUnit.SECONDS))
        .startsWith("shutdown: the agent cannot be reached: ");
  }
}
