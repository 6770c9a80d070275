package io.troupe.local.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import java.time.Duration;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class UpdateStreamTest {

  private final UpdateStream stream =
      new UpdateStream(Duration.ofSeconds(10), Duration.ofMinutes(10));

  private static TaskStatus status(String uuid, TaskState state) {
    return TaskStatus.newBuilder()
        .setTaskId(TaskID.newBuilder().setValue("t"))
        .setState(state)
        .setUuid(ByteString.copyFromUtf8(uuid))
        .build();
  }

  private static final TaskStatus RUNNING = status("1", TaskState.TASK_RUNNING);
  private static final TaskStatus FINISHED = status("2", TaskState.TASK_FINISHED);

  @Test
  void the_pause_before_an_update_is_sent_again_doubles_up_to_ten_minutes() {
    stream.add(RUNNING);
    for (long seconds : new long[] {10, 20, 40, 80, 160, 320, 600, 600}) {
      assertThat(stream.nextPause()).isEqualTo(Duration.ofSeconds(seconds));
    }
    stream.resume();
    assertThat(stream.nextPause()).isEqualTo(Duration.ofSeconds(10));
  }

  @Test
  void the_second_update_waits_for_the_acknowledgement_of_the_first() {
    stream.add(RUNNING);
    stream.add(FINISHED);
    assertThat(stream.head()).contains(RUNNING);
    assertThat(stream.isHead(FINISHED.getUuid())).isFalse();
    stream.acknowledge();
    assertThat(stream.head()).contains(FINISHED);
    assertThat(stream.finished()).isFalse();
    stream.acknowledge();
    assertThat(stream.finished()).isTrue();
  }

  @Test
  void an_update_is_taken_once_and_none_after_the_last() {
    assertThat(stream.add(RUNNING)).isTrue();
    assertThat(stream.add(RUNNING)).isFalse();
    assertThat(stream.add(FINISHED)).isTrue();
    assertThat(stream.add(status("3", TaskState.TASK_RUNNING))).isFalse();
  }
}
