package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorRefResolver;
import akka.cluster.MemberStatus;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import akka.cluster.typed.Leave;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.troupe.protocol.ClusterConfig;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.protocol.SupervisorToQueue;
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.WireMessage;
import io.troupe.protocol.line.EventLoop;
import io.troupe.protocol.line.JobLine;
import io.troupe.protocol.line.JobLineServer;
import io.troupe.scheduler.pool.SchedulerActor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

/** Two nodes of a cluster that is still too small for its nodes to become full members. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SupervisorsTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private EventLoop loop;
  private JobLineServer lines;
  private TestProbe<SchedulerToSupervisor> supervisor;
  private ActorTestKit here;
  private ActorTestKit there;
  private TestProbe<JobQueues.Command> queues;
  private ActorRef<SupervisorToScheduler> registrar;

  private static ActorTestKit node(String role) {
    Config config =
        ConfigFactory.parseString(
            """
            akka.cluster.roles = [%s]
            akka.cluster.role.supervisor.min-nr-of-members = 2
            akka.cluster.allow-weakly-up-members = off
            akka.remote.artery.canonical { hostname = "127.0.0.1", port = 0 }
            akka.loglevel = WARNING
            """
                .formatted(role));
    return ActorTestKit.create(ClusterConfig.SYSTEM, ClusterConfig.with(config));
  }

  @BeforeEach
  void start() throws IOException {
    loop = EventLoop.start("lines");
    lines = JobLineServer.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), loop);
    here = node(ClusterConfig.SCHEDULER_ROLE);
    there = node("supervisor");
    queues = here.createTestProbe(JobQueues.Command.class);
    supervisor = there.createTestProbe(SchedulerToSupervisor.class);
    here.spawn(
        Supervisors.create(
            here.<SchedulerActor.Command>createTestProbe().getRef(),
            queues.getRef(),
            here.<SupervisorFact>createTestProbe().getRef(),
            pool -> new SchedulerToSupervisor.SecretsAt("", ""),
            "127.0.0.1",
            lines),
        "supervisors");
    Cluster first = Cluster.get(here.system());
    first.manager().tell(Join.create(first.selfMember().address()));
    Cluster.get(there.system()).manager().tell(Join.create(first.selfMember().address()));
    registrar =
        ActorRefResolver.get(there.system())
            .resolveActorRef(first.selfMember().address() + "/user/supervisors/registrar");
  }

  @AfterEach
  void stop() throws IOException {
    there.shutdownTestKit();
    here.shutdownTestKit();
    lines.close();
    loop.close();
  }

  /** What the scheduler says to a supervisor that registers. */
  private SchedulerToSupervisor.Welcome register() {
    registrar.tell(
        new SupervisorToScheduler.Register(
            "e1@a1",
            WireMessage.VERSION,
            1,
            "demo",
            "f",
            "a1",
            "e1",
            "host",
            Cluster.get(there.system()).selfMember().address().toString(),
            List.of(),
            List.of(),
            supervisor.getRef()));
    supervisor.expectMessageClass(SchedulerToSupervisor.SecretsAt.class, PATIENCE);
    return supervisor.expectMessageClass(SchedulerToSupervisor.Welcome.class, PATIENCE);
  }

  private JobLine open(SchedulerToSupervisor.Welcome welcome, CompletableFuture<String> ended)
      throws IOException {
    return JobLine.connect(
        loop,
        new InetSocketAddress(welcome.host(), welcome.port()),
        welcome.token(),
        new JobLine.Listener() {
          @Override
          public void received(ByteBuffer message) {
            // no queue speaks here
          }

          @Override
          public void ended(String why) {
            ended.complete(why);
          }
        });
  }

  private void expectJoined() {
    assertThat(
            queues
                .expectMessageClass(JobQueues.SupervisorJoined.class, PATIENCE)
                .registration()
                .pool())
        .isEqualTo("demo");
  }

  private void expectAway() {
    assertThat(queues.expectMessageClass(JobQueues.SupervisorAway.class, PATIENCE))
        .isEqualTo(new JobQueues.SupervisorAway("demo", "e1@a1"));
  }

  @Test
  void a_supervisor_whose_node_never_becomes_a_full_member_is_taken_in_and_goes_with_its_node()
      throws Exception {
    CompletableFuture<String> ended = new CompletableFuture<>();
    open(register(), ended);
    expectJoined();
    Cluster itsNode = Cluster.get(there.system());
    assertThat(itsNode.selfMember().status()).isEqualTo(MemberStatus.joining());

    itsNode.manager().tell(Leave.create(itsNode.selfMember().address()));
    expectAway();
    assertThat(ended.get(30, TimeUnit.SECONDS)).isEmpty();
  }

  @Test
  void a_supervisor_is_its_queues_for_as_long_as_its_line_is_open() throws Exception {
    SchedulerToSupervisor.Welcome welcome = register();
    JobLine line = open(welcome, new CompletableFuture<>());
    expectJoined();
    line.close();
    expectAway();
    assertThat(register()).isEqualTo(welcome);
    open(welcome, new CompletableFuture<>());
    expectJoined();
  }

  @Test
  void the_newest_line_of_a_supervisor_is_its_only_one() throws Exception {
    SchedulerToSupervisor.Welcome welcome = register();
    CompletableFuture<String> first = new CompletableFuture<>();
    open(welcome, first);
    expectJoined();
    open(welcome, new CompletableFuture<>());
    expectAway();
    expectJoined();
    assertThat(first.get(30, TimeUnit.SECONDS)).isEmpty();
    queues.expectNoMessage();
  }

  @Test
  void one_that_registers_again_over_an_open_line_has_not_heard_of_its_queue_and_joins_again()
      throws Exception {
    open(register(), new CompletableFuture<>());
    expectJoined();
    register();
    expectJoined();
  }

  @Test
  void a_token_is_good_for_the_supervisor_that_was_told_it_last() throws Exception {
    SchedulerToSupervisor.Welcome old = register();
    supervisor = there.createTestProbe(SchedulerToSupervisor.class);
    SchedulerToSupervisor.Welcome welcome = register();
    assertThat(welcome.token()).isNotEqualTo(old.token());
    CompletableFuture<String> refused = new CompletableFuture<>();
    open(old, refused);
    assertThat(refused.get(30, TimeUnit.SECONDS)).isEmpty();
    open(welcome, new CompletableFuture<>());
    expectJoined();
  }

  @Test
  void a_line_ends_when_there_is_no_queue_for_it() throws Exception {
    CompletableFuture<String> ended = new CompletableFuture<>();
    open(register(), ended);
    queues
        .expectMessageClass(JobQueues.SupervisorJoined.class, PATIENCE)
        .registration()
        .replyTo()
        .tell(new SchedulerToSupervisor.Refused("There is no pool demo here"));
    supervisor.expectMessageClass(SchedulerToSupervisor.Refused.class, PATIENCE);
    assertThat(ended.get(30, TimeUnit.SECONDS)).isEmpty();
  }

  @Test
  void a_line_ends_with_its_queue() throws Exception {
    CompletableFuture<String> ended = new CompletableFuture<>();
    open(register(), ended);
    ActorRef<SchedulerToSupervisor> speaker =
        queues
            .expectMessageClass(JobQueues.SupervisorJoined.class, PATIENCE)
            .registration()
            .replyTo();
    TestProbe<SupervisorToQueue> queue = here.createTestProbe(SupervisorToQueue.class);
    speaker.tell(new SchedulerToSupervisor.Registered(queue.getRef(), Duration.ofSeconds(10), ""));
    queue.stop();
    assertThat(ended.get(30, TimeUnit.SECONDS)).isEmpty();
    expectAway();
  }
}
