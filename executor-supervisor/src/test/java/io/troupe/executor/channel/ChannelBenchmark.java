package io.troupe.executor.channel;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.troupe.model.ContentType;
import io.troupe.protocol.codec.Frame;
import io.troupe.protocol.line.EventLoop;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * Measures the way from Java to Python and back: calls a second with a full pipe, for one worker
 * and two, and the time of one call at a time. {@code java … ChannelBenchmark [calls]}.
 */
public final class ChannelBenchmark {
  private static final int DEPTH = 256;
  private static final int SINGLE_CALLS = 20_000;
  private static final byte[] NULL = "null".getBytes(UTF_8);

  private ChannelBenchmark() {}

  /** Runs it. */
  public static void main(String[] arguments) throws Exception {
    int calls = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 1_000_000;
    Path folder = Files.createTempDirectory("troupe-bench");
    Files.writeString(folder.resolve("m.py"), "def noop(x): pass\n");
    try (EventLoop loop = EventLoop.start("loop");
        ChannelServer server = ChannelServer.open(folder.resolve("s"), 16 << 20, loop)) {
      List<Peer> peers = List.of(new Peer(server, folder, "a"), new Peer(server, folder, "b"));
      for (Peer peer : peers) {
        peer.ready.await();
      }
      for (int round = 0; round < 3; round++) {
        System.out.printf("one worker:  %,.0f calls/s%n", pipelined(peers.subList(0, 1), calls));
        System.out.printf("two workers: %,.0f calls/s%n", pipelined(peers, calls));
        single(peers.get(0));
      }
      for (Peer peer : peers) {
        peer.process.destroyForcibly().waitFor();
      }
    }
  }

  private static double pipelined(List<Peer> peers, int calls) throws InterruptedException {
    long start = System.nanoTime();
    List<Thread> threads = new ArrayList<>();
    for (Peer peer : peers) {
      Thread thread = new Thread(() -> peer.run(calls));
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join();
    }
    return 1e9 * calls * peers.size() / (System.nanoTime() - start);
  }

  private static void single(Peer peer) throws InterruptedException {
    long[] nanos = new long[SINGLE_CALLS];
    for (int i = 0; i < SINGLE_CALLS; i++) {
      long start = System.nanoTime();
      peer.channel.send(peer.frames(1));
      peer.take();
      nanos[i] = System.nanoTime() - start;
    }
    Arrays.sort(nanos);
    System.out.printf(
        "one at a time: p50 %.3f ms, p99 %.3f ms%n",
        nanos[SINGLE_CALLS / 2] / 1e6, nanos[SINGLE_CALLS * 99 / 100] / 1e6);
  }

  private static final class Peer implements ChannelListener {
    final CountDownLatch ready = new CountDownLatch(1);
    final Process process;
    private final BlockingQueue<Integer> answers = new LinkedBlockingQueue<>();
    private long id;
    Channel channel;

    Peer(ChannelServer server, Path folder, String token) throws Exception {
      server.expect(token, this);
      ProcessBuilder builder =
          new ProcessBuilder("python3", "-m", "troupe.worker", "m").directory(folder.toFile());
      builder
          .environment()
          .putAll(
              Map.of(
                  "PYTHONPATH", Path.of("src/main/python").toAbsolutePath().toString(),
                  "TROUPE_SOCKET", folder.resolve("s").toString(),
                  "TROUPE_TOKEN", token));
      process = builder.inheritIO().start();
    }

    List<Frame> frames(int count) {
      List<Frame> frames = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        frames.add(new Frame(Frame.Type.JOB, ContentType.JSON, ++id, "noop", NULL));
      }
      return frames;
    }

    int take() throws InterruptedException {
      return answers.take();
    }

    void run(int calls) {
      try {
        int sent = DEPTH;
        channel.send(frames(DEPTH));
        for (int done = 0; done < calls; ) {
          int answered = take();
          done += answered;
          int more = Math.min(answered, calls - sent);
          if (more > 0) {
            sent += more;
            channel.send(frames(more));
          }
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public void connected(Channel connected, Hello hello) {
      channel = connected;
      ready.countDown();
    }

    @Override
    public void received(List<Frame> frames) {
      answers.add(frames.size());
    }

    @Override
    public void ended(String why) {}
  }
}
