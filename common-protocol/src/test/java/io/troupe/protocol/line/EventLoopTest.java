package io.troupe.protocol.line;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class EventLoopTest {
  private EventLoop loop;

  @BeforeEach
  void start() throws Exception {
    loop = EventLoop.start("loop");
  }

  @AfterEach
  void stop() throws Exception {
    loop.close();
  }

  @Test
  void tasks_from_many_threads_all_run_and_those_of_one_thread_in_their_order() throws Exception {
    int threads = 4;
    int each = 20_000;
    List<List<Integer>> seen = new ArrayList<>();
    CountDownLatch done = new CountDownLatch(threads * each);
    for (int i = 0; i < threads; i++) {
      List<Integer> mine = new ArrayList<>();
      seen.add(mine);
      new Thread(
              () -> {
                for (int n = 0; n < each; n++) {
                  int number = n;
                  loop.execute(
                      () -> {
                        mine.add(number);
                        done.countDown();
                      });
                }
              })
          .start();
    }
    assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    for (List<Integer> mine : seen) {
      assertThat(mine).hasSize(each).isSorted();
    }
  }

  @Test
  void a_socket_is_served_on_the_same_thread_while_tasks_keep_the_loop_busy() throws Exception {
    CompletableFuture<Thread> ofTasks = new CompletableFuture<>();
    CompletableFuture<Thread> ofSocket = new CompletableFuture<>();
    Runnable[] again = new Runnable[1];
    again[0] =
        () -> {
          ofTasks.complete(Thread.currentThread());
          if (!ofSocket.isDone()) {
            loop.execute(again[0]);
          }
        };
    loop.execute(again[0]);
    Pipe pipe = Pipe.open();
    pipe.source().configureBlocking(false);
    Consumer<SelectionKey> reader =
        key -> {
          key.cancel();
          ofSocket.complete(Thread.currentThread());
        };
    loop.execute(() -> register(pipe, reader));
    pipe.sink().write(ByteBuffer.wrap(new byte[1]));
    assertThat(ofSocket.get(30, TimeUnit.SECONDS)).isSameAs(ofTasks.get(30, TimeUnit.SECONDS));
  }

  @Test
  void a_task_that_fails_takes_nothing_with_it() throws Exception {
    loop.execute(
        () -> {
          throw new IllegalStateException("a bug");
        });
    CompletableFuture<Void> next = new CompletableFuture<>();
    loop.execute(() -> next.complete(null));
    next.get(30, TimeUnit.SECONDS);
  }

  @Test
  void what_comes_while_it_rests_is_dealt_with_after_that_in_its_order() throws Exception {
    Duration time = Duration.ofMillis(200);
    CompletableFuture<Thread> thread = new CompletableFuture<>();
    CompletableFuture<Long> rests = new CompletableFuture<>();
    loop.execute(
        () -> {
          loop.rest(time);
          rests.complete(System.nanoTime());
          thread.complete(Thread.currentThread());
        });
    while (thread.get().getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    List<String> seen = new ArrayList<>();
    CompletableFuture<Long> over = new CompletableFuture<>();
    loop.execute(() -> seen.add("first"));
    loop.execute(
        () -> {
          seen.add("second");
          over.complete(System.nanoTime());
        });
    assertThat(over.get(30, TimeUnit.SECONDS) - rests.get())
        .isGreaterThanOrEqualTo(time.toNanos() - TimeUnit.MILLISECONDS.toNanos(1));
    assertThat(seen).containsExactly("first", "second");
  }

  @Test
  void does_not_rest_while_there_are_tasks() throws Exception {
    CompletableFuture<Void> second = new CompletableFuture<>();
    loop.execute(
        () -> {
          loop.rest(Duration.ofDays(1));
          loop.execute(
              () -> {
                loop.rest(Duration.ZERO);
                second.complete(null);
              });
        });
    second.get(30, TimeUnit.SECONDS);
  }

  private void register(Pipe pipe, Consumer<SelectionKey> reader) {
    try {
      pipe.source().register(loop.selector(), SelectionKey.OP_READ, reader);
    } catch (java.nio.channels.ClosedChannelException e) {
      throw new IllegalStateException(e);
    }
  }
}
