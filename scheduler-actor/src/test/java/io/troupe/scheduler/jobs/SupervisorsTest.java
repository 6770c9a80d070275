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
import io.troupe.protocol.SupervisorToScheduler;
import io.troupe.protocol.WireMessage;
import io.troupe.scheduler.pool.SchedulerActor;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

/** Two nodes of a cluster that is still too small for its nodes to become full members. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SupervisorsTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

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
  void start() {
    here = node(ClusterConfig.SCHEDULER_ROLE);
    there = node("supervisor");
    queues = here.createTestProbe(JobQueues.Command.class);
    here.spawn(
        Supervisors.create(
            here.<SchedulerActor.Command>createTestProbe().getRef(),
            queues.getRef(),
            here.<SupervisorFact>createTestProbe().getRef(),
            pool -> new SchedulerToSupervisor.SecretsAt("", "")),
        "supervisors");
    Cluster first = Cluster.get(here.system());
    first.manager().tell(Join.create(first.selfMember().address()));
    Cluster.get(there.system()).manager().tell(Join.create(first.selfMember().address()));
    registrar =
        ActorRefResolver.get(there.system())
            .resolveActorRef(first.selfMember().address() + "/user/supervisors/registrar");
  }

  @AfterEach
  void stop() {
    there.shutdownTestKit();
    here.shutdownTestKit();
  }

  @Test
  void a_supervisor_whose_node_never_becomes_a_full_member_is_taken_in_and_goes_with_its_node() {
    Cluster itsNode = Cluster.get(there.system());
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
            itsNode.selfMember().address().toString(),
            List.of(),
            List.of(),
            there.<SchedulerToSupervisor>createTestProbe().getRef()));
    assertThat(
            queues
                .expectMessageClass(JobQueues.SupervisorJoined.class, PATIENCE)
                .registration()
                .pool())
        .isEqualTo("demo");
    assertThat(itsNode.selfMember().status()).isEqualTo(MemberStatus.joining());

    itsNode.manager().tell(Leave.create(itsNode.selfMember().address()));
    assertThat(queues.expectMessageClass(JobQueues.SupervisorAway.class, PATIENCE))
        .isEqualTo(new JobQueues.SupervisorAway("demo", "e1@a1"));
  }
}
