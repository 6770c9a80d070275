package io.troupe.executor;

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

  private final ActorSystem<Void> system;
  private final long epoch;
  private final BlockingQueue<SupervisorToScheduler> heard = new LinkedBlockingQueue<>();
  private final BlockingQueue<SupervisorToQueue> pulled = new LinkedBlockingQueue<>();
  private volatile ActorRef<SchedulerToSupervisor> supervisor;
  private long settledUpTo;
  private final Map<String, Given> unsettled = new ConcurrentHashMap<>();

  private FakeScheduler(long epoch) {
    this.epoch = epoch;
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

  static FakeScheduler start(long epoch) {
    return new FakeScheduler(epoch);
  }

  private Behavior<Void> guardian() {
    return Behaviors.setup(
        context -> {
          Cluster cluster = Cluster.get(context.getSystem());
          cluster.manager().tell(Join.create(cluster.selfMember().address()));
          ActorRef<SupervisorToQueue> queue = context.spawn(queue(), "queue");
          context.spawn(
              Behaviors.setup(
                  supervisors -> {
                    supervisors.spawn(registrar(queue), "registrar");
                    return Behaviors.empty();
                  }),
              "supervisors");
          return Behaviors.empty();
        });
  }

  private Behavior<SupervisorToScheduler> registrar(ActorRef<SupervisorToQueue> queue) {
    return Behaviors.receiveMessage(
        message -> {
          heard.add(message);
          if (message instanceof SupervisorToScheduler.Register register) {
            supervisor = register.replyTo();
            register
                .replyTo()
                .tell(new SchedulerToSupervisor.Registered(queue, Duration.ofSeconds(10), ""));
          }
          return Behaviors.same();
        });
  }

  private Behavior<SupervisorToQueue> queue() {
    return Behaviors.receiveMessage(
        message -> {
          pulled.add(message);
          if (message instanceof SupervisorToQueue.Settle settle) {
            settledUpTo = Math.max(settledUpTo, settle.sequence());
            settle.outcomes().forEach(outcome -> unsettled.remove(outcome.job()));
            supervisor.tell(new SchedulerToSupervisor.Assign(List.of(), settledUpTo));
          }
          if (message instanceof SupervisorToQueue.Renew renew) {
            unsettled.values().forEach(given -> given.renewed(renew.held()));
          }
          return Behaviors.same();
        });
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
        supervisor.tell(new SchedulerToSupervisor.Assign(List.of(assignment), settledUpTo));
      }
    }
  }

  void assign(Assignment... assignments) {
    for (Assignment assignment : assignments) {
      unsettled.put(assignment.job(), new Given(assignment));
    }
    supervisor.tell(new SchedulerToSupervisor.Assign(List.of(assignments), 0));
  }

  void cancel(AttemptRef... attempts) {
    supervisor.tell(new SchedulerToSupervisor.Cancel(List.of(attempts)));
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
  public void close() {
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().join();
  }
}
