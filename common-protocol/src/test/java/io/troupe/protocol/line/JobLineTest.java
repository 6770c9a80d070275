package io.troupe.protocol.line;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.codec.JobLineCodec;
import io.troupe.protocol.codec.LengthPrefix;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(60)
class JobLineTest {
  private static final String TOKEN = "t0k3n";

  private EventLoop here;
  private EventLoop there;
  private JobLineServer server;

  /** An end that remembers what it hears. */
  private static final class End implements JobLine.Listener {
    final BlockingQueue<byte[]> messages = new LinkedBlockingQueue<>();
    final CompletableFuture<String> ended = new CompletableFuture<>();

    @Override
    public void received(ByteBuffer message) {
      messages.add(bytes(message));
    }

    @Override
    public void ended(String why) {
      ended.complete(why);
    }

    SupervisorToQueue next() throws InterruptedException {
      byte[] message = messages.poll(30, TimeUnit.SECONDS);
      return JobLineCodec.readForQueue(ByteBuffer.wrap(message));
    }

    String end() throws Exception {
      return ended.get(30, TimeUnit.SECONDS);
    }
  }

  @BeforeEach
  void listen() throws IOException {
    here = EventLoop.start("here");
    there = EventLoop.start("there");
    server = JobLineServer.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), there);
  }

  @AfterEach
  void end() throws IOException {
    server.close();
    here.close();
    there.close();
  }

  private InetSocketAddress address() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port());
  }

  /** The server's end of the next line with this token. */
  private CompletableFuture<JobLine> expect(String token, End listener) {
    CompletableFuture<JobLine> opened = new CompletableFuture<>();
    server.expect(
        token,
        line -> {
          opened.complete(line);
          return listener;
        });
    return opened;
  }

  private static byte[] bytes(ByteBuffer message) {
    byte[] bytes = new byte[message.remaining()];
    message.get(bytes);
    return bytes;
  }

  private static ByteBuffer pull(int capacity) {
    return JobLineCodec.write(new SupervisorToQueue.Pull("e@a", capacity));
  }

  @Test
  void messages_arrive_on_both_ends_in_the_order_in_which_they_were_sent() throws Exception {
    End far = new End();
    End near = new End();
    CompletableFuture<JobLine> opened = expect(TOKEN, far);
    JobLine line = JobLine.connect(here, address(), TOKEN, near);
    JobLine other = opened.get(30, TimeUnit.SECONDS);
    other.send(pull(-1));
    assertThat(near.next().capacity()).isEqualTo(-1);
    for (int i = 0; i < 10_000; i++) {
      line.send(pull(i));
      other.send(pull(i));
    }
    for (int i = 0; i < 10_000; i++) {
      assertThat(far.next().capacity()).isEqualTo(i);
      assertThat(near.next().capacity()).isEqualTo(i);
    }
  }

  @Test
  void a_message_of_eight_mebibytes_passes_and_the_next_one_after_it() throws Exception {
    End far = new End();
    End near = new End();
    CompletableFuture<JobLine> opened = expect(TOKEN, far);
    JobLine.connect(here, address(), TOKEN, near);
    JobLine other = opened.get(30, TimeUnit.SECONDS);
    ByteBuffer large = JobLineCodec.write(new SupervisorToQueue.Pull("x".repeat(8 << 20), 1));
    other.send(large);
    other.send(pull(2));
    assertThat(near.next().supervisor()).hasSize(8 << 20);
    assertThat(near.next().capacity()).isEqualTo(2);
  }

  @Test
  void a_message_that_no_line_takes_is_lost_alone() throws Exception {
    End far = new End();
    End near = new End();
    CompletableFuture<JobLine> opened = expect(TOKEN, far);
    JobLine.connect(here, address(), TOKEN, near);
    JobLine other = opened.get(30, TimeUnit.SECONDS);
    other.send(JobLineCodec.write(new SupervisorToQueue.Pull("x".repeat(9 << 20), 1)));
    other.send(pull(2));
    assertThat(near.next().capacity()).isEqualTo(2);
  }

  @Test
  void a_token_opens_a_line_again_and_again_until_it_is_forgotten() throws Exception {
    End first = new End();
    CompletableFuture<JobLine> opened = expect(TOKEN, first);
    JobLine line = JobLine.connect(here, address(), TOKEN, new End());
    opened.get(30, TimeUnit.SECONDS);
    End second = new End();
    opened = expect(TOKEN, second);
    JobLine.connect(here, address(), TOKEN, new End());
    opened.get(30, TimeUnit.SECONDS);
    line.close();
    assertThat(first.end()).isEmpty();
    server.forget(TOKEN);
    End refused = new End();
    JobLine.connect(here, address(), TOKEN, refused);
    assertThat(refused.end()).isEmpty();
  }

  @Test
  void who_shows_a_token_that_nobody_expects_is_cut_off() throws Exception {
    End near = new End();
    JobLine.connect(here, address(), "another", near);
    assertThat(near.end()).isEmpty();
  }

  @Test
  void who_begins_with_something_else_is_cut_off_without_memory_for_what_it_announces()
      throws Exception {
    for (byte[] bytes :
        List.of(
            "GET / HTTP/1.1\r\n\r\n".getBytes(UTF_8),
            ByteBuffer.allocate(LengthPrefix.BYTES).putInt(8 << 20).array(),
            ByteBuffer.allocate(LengthPrefix.BYTES).putInt(-1).array(),
            bytes(pull(1)))) {
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
        socket.setSoTimeout(30_000);
        socket.getOutputStream().write(bytes);
        assertThat(socket.getInputStream().read()).isEqualTo(-1);
      } catch (java.net.SocketException e) {
        assertThat(e).hasMessageContaining("reset"); // it had not read all
      }
    }
  }

  @Test
  void of_many_who_say_nothing_the_first_is_cut_off_and_a_supervisor_still_gets_in()
      throws Exception {
    List<Socket> silent = new ArrayList<>();
    try {
      for (int i = 0; i < 300; i++) {
        silent.add(new Socket(InetAddress.getLoopbackAddress(), server.port()));
      }
      silent.get(0).setSoTimeout(30_000);
      assertThat(silent.get(0).getInputStream().read()).isEqualTo(-1);
      CompletableFuture<JobLine> opened = expect(TOKEN, new End());
      JobLine.connect(here, address(), TOKEN, new End());
      opened.get(30, TimeUnit.SECONDS);
    } finally {
      for (Socket socket : silent) {
        socket.close();
      }
    }
  }

  @Test
  void both_ends_hear_the_end_of_a_line_after_what_was_sent_before_it() throws Exception {
    End far = new End();
    End near = new End();
    CompletableFuture<JobLine> opened = expect(TOKEN, far);
    JobLine line = JobLine.connect(here, address(), TOKEN, near);
    opened.get(30, TimeUnit.SECONDS).send(pull(0));
    near.next();
    line.send(pull(1));
    line.close();
    line.close();
    assertThat(near.end()).isEqualTo("closed here");
    assertThat(far.end()).isEmpty();
    assertThat(far.next().capacity()).isEqualTo(1);
    line.send(pull(2)); // goes nowhere
  }

  @Test
  void a_line_to_where_nobody_listens_ends_with_the_reason() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    End near = new End();
    JobLine.connect(
        here, new InetSocketAddress(InetAddress.getLoopbackAddress(), port), TOKEN, near);
    assertThat(near.end()).contains("cannot connect");
    End nowhere = new End();
    JobLine.connect(here, InetSocketAddress.createUnresolved("no.such.host", 1), TOKEN, nowhere);
    assertThat(nowhere.end()).contains("cannot connect");
  }

  @Test
  void a_line_can_be_closed_while_it_connects() throws Exception {
    server.expect(TOKEN, opened -> new End());
    End near = new End();
    JobLine line = JobLine.connect(here, address(), TOKEN, near);
    line.close();
    assertThat(near.end()).isEqualTo("closed here");
  }

  @Test
  void an_end_that_reads_nothing_is_cut_off_before_memory_runs_out() throws Exception {
    End far = new End();
    CompletableFuture<JobLine> opened = expect(TOKEN, far);
    try (Socket deaf = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      deaf.getOutputStream().write(bytes(JobLineCodec.hello(TOKEN)));
      JobLine line = opened.get(30, TimeUnit.SECONDS);
      String mebibyte = "x".repeat(1 << 20);
      ByteBuffer message = JobLineCodec.write(new SupervisorToQueue.Pull(mebibyte, 1));
      IntStream.range(0, 100).forEach(i -> line.send(message.duplicate()));
      far.end();
    }
  }
}
