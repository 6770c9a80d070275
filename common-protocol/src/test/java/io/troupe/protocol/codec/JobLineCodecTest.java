package io.troupe.protocol.codec;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import akka.actor.testkit.typed.javadsl.TestInbox;
import akka.actor.typed.ActorRef;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.model.Raised;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class JobLineCodecTest {
  private static final ActorRef<SupervisorToQueue> QUEUE =
      TestInbox.<SupervisorToQueue>create().getRef();
  private static final AttemptRef REF = new AttemptRef("j1", 2);
  private static final Cause CAUSE =
      new Cause(
          Cause.Kind.OOM,
          "out of memory: ünïcode",
          null,
          9,
          List.of("last words"),
          new Raised("MemoryError", "builtins", "", "[]"));

  private static Stream<SchedulerToSupervisor.OverLine> toSupervisors() {
    return Stream.of(
        new SchedulerToSupervisor.Registered(
            QUEUE, Duration.ofSeconds(10), "http://127.0.0.1:7070/v1/blobs"),
        new SchedulerToSupervisor.Assign(
            List.of(
                new Assignment("j1", 1, "f", ContentType.BYTES, bytes(0, -1, 7), 60_000, true),
                new Assignment("j2", 3, "gä", ContentType.JSON, bytes(), Long.MAX_VALUE, false)),
            Long.MAX_VALUE - 1),
        new SchedulerToSupervisor.Assign(List.of(), 0),
        new SchedulerToSupervisor.Cancel(List.of(REF, new AttemptRef("", 1 << 30))));
  }

  private static Stream<SupervisorToQueue> toQueues() {
    return Stream.of(
        new SupervisorToQueue.Pull("e@a", 4),
        new SupervisorToQueue.Renew("e@a", List.of(REF), List.of(), 0),
        new SupervisorToQueue.Settle(
            "e@a",
            1,
            List.of(
                outcome(Outcome.Kind.SUCCEEDED, ContentType.JSON, null),
                outcome(Outcome.Kind.LOST, ContentType.BYTES_BLOB, CAUSE)),
            2));
  }

  private static Outcome outcome(Outcome.Kind kind, ContentType type, Cause cause) {
    return new Outcome("j1", 1, kind, type, bytes('1'), cause, "demo.1.1", 12);
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    IntStream.range(0, values.length).forEach(i -> bytes[i] = (byte) values[i]);
    return bytes;
  }

  @ParameterizedTest
  @MethodSource("toSupervisors")
  void a_message_to_a_supervisor_comes_out_as_it_went_in(SchedulerToSupervisor.OverLine sent) {
    assertThat(JobLineCodec.readForSupervisor(JobLineCodec.write(sent), QUEUE))
        .usingRecursiveComparison()
        .isEqualTo(sent);
  }

  @ParameterizedTest
  @MethodSource("toQueues")
  void a_message_to_a_queue_comes_out_as_it_went_in(SupervisorToQueue sent) {
    assertThat(JobLineCodec.readForQueue(JobLineCodec.write(sent)))
        .usingRecursiveComparison()
        .isEqualTo(sent);
  }

  @ParameterizedTest
  @EnumSource(Outcome.Kind.class)
  void every_kind_of_outcome_keeps_its_kind(Outcome.Kind kind) {
    for (ContentType type : ContentType.values()) {
      var sent = new SupervisorToQueue.Settle("e@a", 1, List.of(outcome(kind, type, null)), 0);
      assertThat(JobLineCodec.readForQueue(JobLineCodec.write(sent)))
          .usingRecursiveComparison()
          .isEqualTo(sent);
    }
  }

  @Test
  void a_batch_of_a_thousand_jobs_with_large_payloads_comes_out_as_it_went_in() {
    Random random = new Random(1);
    List<Assignment> jobs =
        IntStream.range(0, 1000)
            .mapToObj(
                i -> {
                  byte[] payload = new byte[random.nextInt(5000)];
                  random.nextBytes(payload);
                  return new Assignment("j" + i, i, "f", ContentType.BYTES, payload, i, false);
                })
            .toList();
    ByteBuffer written = JobLineCodec.write(new SchedulerToSupervisor.Assign(jobs, 7));
    var read =
        (SchedulerToSupervisor.Assign) JobLineCodec.readForSupervisor(written.duplicate(), QUEUE);
    assertThat(read.assignments()).hasSize(1000);
    assertThat(read.assignments().get(999).payload()).isEqualTo(jobs.get(999).payload());
    assertThat(JobLineCodec.write(read)).isEqualTo(written);
  }

  @Test
  void the_bytes_are_those_that_another_release_would_write() {
    assertThat(hex(JobLineCodec.write(new SupervisorToQueue.Pull("e@a", 4))))
        .isEqualTo("0000000c" + "05" + "00000003" + hex("e@a") + "00000004");
    assertThat(hex(JobLineCodec.hello("t0k3n")))
        .isEqualTo("0000000a" + "01" + "00000005" + hex("t0k3n"));
    var job = new Assignment("j1", 1, "f", ContentType.BYTES, bytes(7), 60_000, true);
    assertThat(hex(JobLineCodec.write(new SchedulerToSupervisor.Assign(List.of(job), 9))))
        .isEqualTo(
            "0000002b"
                + "03"
                + "00000001"
                + ("00000002" + hex("j1"))
                + "00000001"
                + ("00000001" + hex("f"))
                + "01"
                + "0000000107"
                + "000000000000ea60"
                + "01"
                + "0000000000000009");
  }

  @Test
  void the_bytes_of_outcomes_and_renewals_are_those_that_another_release_would_write() {
    var renew = new SupervisorToQueue.Renew("e@a", List.of(new AttemptRef("j1", 2)), List.of(), 3);
    assertThat(hex(JobLineCodec.write(renew)))
        .isEqualTo(
            "0000001e"
                + "07"
                + ("00000003" + hex("e@a"))
                + ("00000001" + "00000002" + hex("j1") + "00000002")
                + "00000000"
                + "00000003");
    var settle =
        new SupervisorToQueue.Settle(
            "e@a", 5, List.of(outcome(Outcome.Kind.NOT_STARTED, ContentType.JSON_BLOB, null)), 2);
    assertThat(hex(JobLineCodec.write(settle)))
        .isEqualTo(
            "00000041"
                + "06"
                + ("00000003" + hex("e@a"))
                + "0000000000000005"
                + "00000001"
                + ("00000002" + hex("j1"))
                + "00000001"
                + "03"
                + "02"
                + ("00000001" + "31")
                + "00000000"
                + ("00000008" + hex("demo.1.1"))
                + "000000000000000c"
                + "00000002");
    assertThat(hex(JobLineCodec.write(new SchedulerToSupervisor.Cancel(List.of(REF)))))
        .isEqualTo("0000000f" + "04" + "00000001" + ("00000002" + hex("j1")) + "00000002");
    var registered = new SchedulerToSupervisor.Registered(QUEUE, Duration.ofSeconds(10), "u");
    assertThat(hex(JobLineCodec.write(registered)))
        .isEqualTo("0000000e" + "02" + "0000000000002710" + ("00000001" + hex("u")));
  }

  private static String hex(ByteBuffer message) {
    byte[] bytes = new byte[message.remaining()];
    message.get(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  private static String hex(String text) {
    return HexFormat.of().formatHex(text.getBytes(UTF_8));
  }

  @Test
  void the_token_of_a_hello_is_read() {
    assertThat(JobLineCodec.readHello(JobLineCodec.hello("t0k3n"))).isEqualTo("t0k3n");
  }

  @Test
  void a_message_that_may_not_come_here_is_refused_with_its_type() {
    assertThatThrownBy(
            () -> JobLineCodec.readForQueue(JobLineCodec.write(toSupervisors().toList().get(1))))
        .hasMessage("a message of type 3 may not come here");
    assertThatThrownBy(
            () ->
                JobLineCodec.readForSupervisor(
                    JobLineCodec.write(new SupervisorToQueue.Pull("e@a", 4)), QUEUE))
        .hasMessage("a message of type 5 may not come here");
    assertThatThrownBy(
            () -> JobLineCodec.readHello(JobLineCodec.write(new SupervisorToQueue.Pull("e@a", 4))))
        .hasMessage("its first message is of type 5");
  }

  @ParameterizedTest
  @MethodSource("toQueues")
  void a_message_of_which_bytes_are_missing_or_too_many_is_refused(SupervisorToQueue sent) {
    byte[] whole = JobLineCodec.write(sent).array();
    int length = JobLineCodec.write(sent).remaining();
    for (int cut = 0; cut <= length + 1; cut++) {
      if (cut != length) {
        ByteBuffer wrong = ByteBuffer.wrap(Arrays.copyOf(whole, cut));
        assertThatThrownBy(() -> JobLineCodec.readForQueue(wrong))
            .isInstanceOf(JobLineCodec.MalformedMessageException.class);
      }
    }
  }

  @Test
  void sizes_that_cannot_be_are_refused_before_memory_is_taken_for_them() {
    ByteBuffer message =
        JobLineCodec.write(new SupervisorToQueue.Renew("", List.of(), List.of(), 1));
    for (int size : new int[] {Integer.MAX_VALUE, -1, 1 << 20}) {
      ByteBuffer wrong = message.duplicate().putInt(9, size);
      assertThatThrownBy(() -> JobLineCodec.readForQueue(wrong))
          .isInstanceOf(JobLineCodec.MalformedMessageException.class);
    }
  }
}
