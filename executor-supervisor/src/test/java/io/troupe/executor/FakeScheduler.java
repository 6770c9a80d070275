package io.troupe.executor;

import akka.actor.testkit.typed.javadsl.TestInbox;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import com.typesafe.config.ConfigFactory;
import io.troupe.model.ContentType;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.ClusterConfig;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.codec.JobLineCodec;
import io.troupe.protocol.line.EventLoop;
import io.troupe.protocol.line.JobLine;
import io.troupe.protocol.line.JobLineServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * A scheduler node in a cluster of its own: takes registrations, and gives out what it is told. It
 * ends as one that crashes: without leaving its cluster.
 */
final class FakeScheduler implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofSeconds(90);
  private static final String TOKEN = "t0k3n";
  private static final ActorRef<SupervisorToQueue> NOBODY =
      TestInbox.<SupervisorToQueue>create().getRef();

  private final ActorSystem<Void> system;
  private final long epoch;
  private final BlockingQueue<SupervisorToScheduler> heard = new LinkedBlockingQueue<>();
  private final BlockingQueue<SupervisorToQueue> pulled = new LinkedBlockingQueue<>();
  private final EventLoop loop;
  private final JobLineServer lines;
  private volatile JobLine line;
  private volatile long settledUpTo;
  private final Map<String, Given> unsettled = new ConcurrentHashMap<>();

  private FakeScheduler(long epoch) throws IOException {
    this.epoch = epoch;
    this.loop = EventLoop.start("fake-lines");
    this.lines =
        JobLineServer.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), loop);
    lines.expect(TOKEN, this::opened);
    this.system =
        ActorSystem.create(
            guardian(),
            ClusterConfig.SYSTEM,
            ClusterConfig.with(
                ConfigFactory.parseMap(
                    Map.of(
                        "akka.cluster.roles",
                        List.of(ClusterConfig.SCHEDULER_ROLE),
                        "akka.coordinated-shutdown.run-by-actor-system-terminate",
                        "off"))));
  }

  static FakeScheduler start(long epoch) throws IOException {
    return new FakeScheduler(epoch);
  }

  private Behavior<Void> guardian() {
    return Behaviors.setup(
        context -> {
          Cluster cluster = Cluster.get(context.getSystem());
          cluster.manager().tell(Join.create(cluster.selfMember().address()));
          context.spawn(
              Behaviors.setup(
                  supervisors -> {
                    supervisors.spawn(registrar(), "registrar");
                    return Behaviors.empty();
                  }),
              "supervisors");
          return Behaviors.empty();
        });
  }

  private Behavior<SupervisorToScheduler> registrar() {
    return Behaviors.receiveMessage(
        message -> {
          heard.add(message);
          if (message instanceof SupervisorToScheduler.Register register) {
            register
                .replyTo()
                .tell(new SchedulerToSupervisor.Welcome("127.0.0.1", lines.port(), TOKEN));
          }
          return Behaviors.same();
        });
  }

  private JobLine.Listener opened(JobLine opened) {
    line = opened;
    say(new SchedulerToSupervisor.Registered(NOBODY, Duration.ofSeconds(10), ""));
    return new JobLine.Listener() {
      @Override
      public void received(ByteBuffer message) {
        onMessage(JobLineCodec.readForQueue(message));
      }

      @Override
      public void ended(String why) {
        // the supervisor opens another one
      }
    };
  }

  private void say(SchedulerToSupervisor.OverLine message) {
    line.send(JobLineCodec.write(message));
  }

  private void onMessage(SupervisorToQueue message) {
    pulled.add(message);
    if (message instanceof SupervisorToQueue.Settle settle) {
      settledUpTo = Math.max(settledUpTo, settle.sequence());
      settle.outcomes().forEach(outcome -> unsettled.remove(outcome.job()));
      say(new SchedulerToSupervisor.Assign(List.of(), settledUpTo));
    }
    if (message instanceof SupervisorToQueue.Renew renew) {
      unsettled.values().forEach(given -> given.renewed(renew.held()));
    }
  }

  /** The connection that jobs take breaks. */
  void cutLine() {
    line.close();
  }

  ClusterInfo info() {
    return new ClusterInfo(
        ClusterConfig.SYSTEM,
        epoch,
        List.of(Cluster.get(system).selfMember().address().toString()));
  }

  /** An assignment whose lease nobody renews goes out again, as from the real queue. */
  private final class Given {
    private final Assignment assignment;
    private int missed;

    Given(Assignment assignment) {
      this.assignment = assignment;
    }

    void renewed(List<AttemptRef> held) {
      missed = held.contains(assignment.ref()) ? 0 : missed + 1;
      if (missed == 2) {
        missed = 0;
        say(new SchedulerToSupervisor.Assign(List.of(assignment), settledUpTo));
      }
    }
  }

  void assign(Assignment... assignments) {
    for (Assignment assignment : assignments) {
      unsettled.put(assignment.job(), new Given(assignment));
    }
    say(new SchedulerToSupervisor.Assign(List.of(assignments), 0));
  }

  void cancel(AttemptRef... attempts) {
    say(new SchedulerToSupervisor.Cancel(List.of(attempts)));
  }

  static Assignment job(String id, String function, String json) {
    return new Assignment(
        id, 1, function, ContentType.JSON, json.getBytes(StandardCharsets.UTF_8), 60_000, false);
  }

  SupervisorToScheduler.Register expectRegister() throws InterruptedException {
    return (SupervisorToScheduler.Register)
        next(heard, message -> message instanceof SupervisorToScheduler.Register);
  }

  SupervisorToScheduler.Report expectReport(Predicate<SupervisorToScheduler.Report> wanted)
      throws InterruptedException {
    return (SupervisorToScheduler.Report)
        next(
            heard,
            message ->
                message instanceof SupervisorToScheduler.Report report && wanted.test(report));
  }

  void expectCapacity(int atLeast) throws InterruptedException {
    next(pulled, message -> message.capacity() >= atLeast);
  }

  Outcome expectOutcome(String job) throws InterruptedException {
    SupervisorToQueue.Settle settle =
        (SupervisorToQueue.Settle)
            next(
                pulled,
                message ->
                    message instanceof SupervisorToQueue.Settle settled
                        && settled.outcomes().stream().anyMatch(o -> o.job().equals(job)));
    return settle.outcomes().stream().filter(o -> o.job().equals(job)).findFirst().orElseThrow();
  }

  private static <T> T next(BlockingQueue<T> from, Predicate<T> wanted)
      throws InterruptedException {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      T message = from.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      if (message == null) {
        throw new AssertionError("not heard within " + LIMIT);
      }
      if (wanted.test(message)) {
        return message;
      }
    }
  }

  @Override
  public void close() throws IOException {
    if (line != null) {
      line.close();
    }
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().join();
    lines.close();
    loop.close();
  }
}
