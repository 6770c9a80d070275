package io.troupe.executor.supervision;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.troupe.model.ContentType;
import io.troupe.protocol.Parts;
import io.troupe.protocol.SchedulerToSupervisor.SecretsAt;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.WorkerStatus.ProcessStatus;
import io.troupe.protocol.WorkerStatus.Progress;
import io.troupe.protocol.codec.Frame;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** Server processes that do just what a test says. */
final class FakeServers implements ServerLauncher {
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private final BlockingQueue<FakeServer> started = new LinkedBlockingQueue<>();
  private long nextPid = 100;

  /** What it was told last of secrets. */
  volatile @Nullable SecretsAt secretsAt;

  @Override
  public void secretsAt(SecretsAt place) {
    secretsAt = place;
  }

  @Override
  public synchronized ServerProcess start(
      String worker, TaskData.Worker spec, Consumer<ServerEvent> events) {
    FakeServer server = new FakeServer(nextPid++, events);
    started.add(server);
    return server;
  }

  /** The next one that was started. */
  FakeServer next() {
    return poll(started, "a start");
  }

  /** The next one that was started, with the step taken again and again until it is. */
  FakeServer nextWhen(Runnable step) {
    for (int i = 0; i < 5000; i++) {
      try {
        FakeServer server = started.poll(20, TimeUnit.MILLISECONDS);
        if (server != null) {
          return server;
        }
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      step.run();
    }
    throw new AssertionError("no start in 5000 steps");
  }

  /** Whether none was started that {@link #next} has not shown. */
  boolean none() {
    return started.isEmpty();
  }

  private static <T> T poll(BlockingQueue<T> from, String what) {
    try {
      T found = from.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
      if (found == null) {
        throw new AssertionError("no " + what + " within " + LIMIT);
      }
      return found;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** One of them. */
  static final class FakeServer implements ServerProcess {
    final long pid;
    private final Consumer<ServerEvent> events;
    private final BlockingQueue<String> told = new LinkedBlockingQueue<>();
    private final BlockingQueue<Frame> jobs = new LinkedBlockingQueue<>();
    volatile long beats;
    volatile long beatsOf;
    volatile long rss = 1;
    private volatile Optional<Long> begun = Optional.empty();

    FakeServer(long pid, Consumer<ServerEvent> events) {
      this.pid = pid;
      this.events = events;
    }

    FakeServer ready() {
      events.accept(new ServerEvent.Started(pid));
      events.accept(new ServerEvent.Answered());
      return this;
    }

    void prepared() {
      events.accept(new ServerEvent.Prepared());
    }

    void exit(int code, String... output) {
      events.accept(new ServerEvent.Ended(code, null, "", true, List.of(output)));
    }

    void dieBy(int signal, String... stacks) {
      events.accept(
          new ServerEvent.Ended(
              null, signal, "", true, List.of(), ServerEvent.Memory.UNKNOWN, List.of(stacks)));
    }

    void neverStarted(String trouble, boolean curable) {
      events.accept(new ServerEvent.Ended(null, null, trouble, curable, List.of()));
    }

    void hangUp(String why) {
      events.accept(new ServerEvent.HungUp(why));
    }

    void began(long id) {
      begun = Optional.of(id);
    }

    /** Answers so many of the jobs that it was sent with null. */
    void answer(int count) {
      List<Frame> frames = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        frames.add(
            new Frame(
                Frame.Type.RESULT, ContentType.JSON, expectJob().id(), "", "null".getBytes(UTF_8)));
      }
      events.accept(new ServerEvent.Received(frames));
    }

    /** Answers the next job with a result that is in this file. */
    void answerFromFile(int count, String file) {
      for (int i = 0; i < count; i++) {
        events.accept(
            new ServerEvent.Received(
                List.of(
                    new Frame(
                        Frame.Type.RESULT,
                        ContentType.BYTES_BLOB,
                        expectJob().id(),
                        "",
                        file.getBytes(UTF_8)))));
      }
    }

    void fail(String kind, String body) {
      failWithId(expectJob().id(), kind, body);
    }

    void failWithId(long id, String kind, String body) {
      events.accept(
          new ServerEvent.Received(
              List.of(
                  new Frame(Frame.Type.ERROR, ContentType.JSON, id, kind, body.getBytes(UTF_8)))));
    }

    void answerWithId(long... ids) {
      frames(Frame.Type.RESULT, ids);
    }

    /** Sends empty frames of this type, together. */
    void frames(Frame.Type type, long... ids) {
      events.accept(
          new ServerEvent.Received(
              LongStream.of(ids)
                  .mapToObj(id -> new Frame(type, ContentType.JSON, id, "", new byte[0]))
                  .toList()));
    }

    Frame expectJob() {
      return poll(jobs, "job");
    }

    /** The next of: interrupt ID, nudge ID, recall ID to LAST, stacks, terminate, kill. */
    String told() {
      return poll(told, "order");
    }

    /** The next order, with the step taken again and again until it comes. */
    String toldWhen(Runnable step) {
      for (int i = 0; i < 200; i++) {
        step.run();
        try {
          String order = told.poll(50, TimeUnit.MILLISECONDS);
          if (order != null) {
            return order;
          }
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
      }
      throw new AssertionError("no order in 200 steps");
    }

    boolean toldNothing() {
      return told.isEmpty();
    }

    @Override
    public void name(long first, List<String> names) {
      // only logs need them
    }

    @Override
    public void send(List<Frame> frames) {
      jobs.addAll(frames);
    }

    @Override
    public Optional<Long> begun() {
      return begun;
    }

    @Override
    public void interrupt(long id) {
      told.add("interrupt " + id);
    }

    @Override
    public void nudge(long id) {
      told.add("nudge " + id);
    }

    @Override
    public void recall(long id, long last) {
      told.add("recall " + id + " to " + last);
    }

    @Override
    public void recordStacks() {
      told.add("stacks");
    }

    @Override
    public void terminate() {
      told.add("terminate");
    }

    @Override
    public void kill() {
      told.add("kill");
    }

    @Override
    public Optional<Progress> progress(String job) {
      return Optional.of(new Progress(0.5, "half of " + job));
    }

    @Override
    public Optional<Progress> preparation() {
      return Optional.of(new Progress(null, "installing"));
    }

    @Override
    public long beats(long id) {
      return beatsOf == 0 || beatsOf == id ? beats : 0;
    }

    @Override
    public void readParts(long id, long place, Consumer<Parts> answer) {
      answer.accept(new Parts(place + 2, ("" + id + "\n").getBytes(UTF_8)));
    }

    @Override
    public boolean mayHandOver(String path) {
      return path.startsWith("/tmp/");
    }

    @Override
    public List<String> lastOutput() {
      return List.of("line");
    }

    @Override
    public Optional<ProcessStatus> sample() {
      return Optional.of(new ProcessStatus(pid, rss, 0, 1, "serve"));
    }
  }
}
