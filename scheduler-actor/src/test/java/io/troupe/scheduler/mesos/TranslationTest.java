package io.troupe.scheduler.mesos;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.mesos.WireFormat;
import io.troupe.model.Cause;
import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.JobPolicy;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSecret;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Requirements;
import io.troupe.model.Resources;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.scheduler.offers.Amount;
import io.troupe.scheduler.offers.Matching;
import io.troupe.scheduler.offers.Need;
import io.troupe.scheduler.offers.Offer;
import io.troupe.scheduler.offers.Placement;
import io.troupe.scheduler.pool.ExecutorPlan;
import io.troupe.scheduler.pool.ExecutorRecord;
import io.troupe.scheduler.pool.ExecutorSettings;
import io.troupe.scheduler.pool.MasterCall;
import io.troupe.scheduler.pool.MasterEvent;
import io.troupe.scheduler.pool.TaskState;
import java.io.InputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.mesos.v1.Protos;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.scheduler.Mesos;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Mesos' words and ours. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class TranslationTest {

  private static List<MasterEvent> recorded(String transcript) throws Exception {
    ObjectMapper json = new ObjectMapper();
    List<MasterEvent> events = new ArrayList<>();
    try (InputStream in =
        TranslationTest.class.getResourceAsStream("/transcripts/" + transcript + ".json")) {
      for (JsonNode entry : json.readTree(in).get("entries")) {
        if (entry.path("direction").asText().equals("event")
            && entry.path("path").asText().equals("/api/v1/scheduler")) {
          Event.Builder event = Event.newBuilder();
          WireFormat.JSON.read(json.writeValueAsBytes(entry.get("body")), event);
          Events.translate(event.build()).ifPresent(events::add);
        }
      }
    }
    return events;
  }

  private static <T extends MasterEvent> List<T> only(List<MasterEvent> events, Class<T> type) {
    return events.stream().filter(type::isInstance).map(type::cast).toList();
  }

  @Test
  void a_recorded_launch_is_heard_from_its_subscription_to_its_end() throws Exception {
    List<MasterEvent> events = recorded("20-launch-ok");

    assertThat(events.get(0)).isInstanceOf(MasterEvent.Subscribed.class);
    Offer offer = only(events, MasterEvent.Offered.class).get(0).offers().get(0);
    assertThat(offer.total()).isEqualTo(new Amount(4000, 2_048_000, 101));
    assertThat(only(events, MasterEvent.Updated.class))
        .extracting(updated -> updated.update().state())
        .startsWith(TaskState.RUNNING, TaskState.FINISHED);
    assertThat(only(events, MasterEvent.Updated.class))
        .allMatch(updated -> updated.update().receipt().isPresent());
  }

  @Test
  void recorded_failures_of_executors_are_heard_with_their_status() throws Exception {
    assertThat(only(recorded("28-executor-failures"), MasterEvent.ExecutorExited.class))
        .isNotEmpty()
        .allMatch(exited -> !exited.agentId().isEmpty() && !exited.executorId().isEmpty());
  }

  @Test
  void answers_to_reconciliation_are_not_to_be_acknowledged() throws Exception {
    assertThat(only(recorded("24-reconcile"), MasterEvent.Updated.class))
        .filteredOn(updated -> updated.update().reason().equals("REASON_RECONCILIATION"))
        .isNotEmpty()
        .allMatch(updated -> updated.update().receipt().isEmpty());
  }

  @Test
  void a_deposed_framework_hears_it_in_the_words_of_the_master() throws Exception {
    assertThat(only(recorded("40-framework-failover"), MasterEvent.Failed.class))
        .contains(new MasterEvent.Failed("Framework failed over"));
  }

  @ParameterizedTest
  @EnumSource(Protos.TaskState.class)
  void every_state_of_mesos_is_one_of_ours(Protos.TaskState state) {
    assertThat("TASK_" + Events.state(state)).isEqualTo(state.name());
  }

  @Test
  void a_cause_is_read_from_an_executors_message_and_nothing_from_others() {
    assertThat(Events.cause("OOM: took 3 GiB\nlast line\n\nvery last"))
        .contains(
            new Cause(Cause.Kind.OOM, "took 3 GiB", null, null, List.of("last line", "very last")));
    assertThat(Events.cause("USER: exited")).map(Cause::message).contains("exited");
    assertThat(Events.cause("Executor terminated")).isEmpty();
    assertThat(Events.cause("NOTHING: of ours")).isEmpty();
    assertThat(Events.cause("")).isEmpty();
  }

  private static final PoolSpec POOL =
      new PoolSpec(
          "p",
          "run",
          WorkerProtocol.FRAMES,
          List.of(new PoolFile("a.py", "0".repeat(64))),
          new Resources(0.5, 128, 1),
          new PoolSize.Fixed(1),
          new JobPolicy(Duration.ofSeconds(1), 1, JobPolicy.Durability.MEMORY),
          Map.of());
  private static final ExecutorPlan PLAN =
      ExecutorPlan.of(
          POOL,
          new ExecutorSettings(
              "exec it", "", new Amount(100, 256_000, 0), Duration.ofSeconds(7), Optional.empty()));

  private static Resource scalar(String name, double value, String... reservedFor) {
    Resource.Builder resource =
        Resource.newBuilder()
            .setName(name)
            .setType(Protos.Value.Type.SCALAR)
            .setScalar(Protos.Value.Scalar.newBuilder().setValue(value))
            .setAllocationInfo(Resource.AllocationInfo.newBuilder().setRole("ours"));
    for (String role : reservedFor) {
      resource.addReservations(
          Resource.ReservationInfo.newBuilder()
              .setType(Resource.ReservationInfo.Type.STATIC)
              .setRole(role));
    }
    return resource.build();
  }

  private static Protos.Offer offer() {
    return Protos.Offer.newBuilder()
        .setId(Protos.OfferID.newBuilder().setValue("O"))
        .setFrameworkId(Protos.FrameworkID.newBuilder().setValue("F"))
        .setAgentId(Protos.AgentID.newBuilder().setValue("S"))
        .setHostname("h")
        .addResources(scalar("cpus", 0.3, "ours"))
        .addResources(scalar("cpus", 1))
        .addResources(scalar("mem", 1024))
        .addResources(scalar("disk", 99))
        .addResources(
            scalar("ports", 1).toBuilder()
                .setType(Protos.Value.Type.RANGES)
                .clearScalar()
                .setRanges(
                    Protos.Value.Ranges.newBuilder()
                        .addRange(Protos.Value.Range.newBuilder().setBegin(7).setEnd(9))))
        .build();
  }

  @Test
  void a_task_quotes_the_resources_as_offered_with_role_and_reservation() {
    MasterEvent event =
        Events.translate(
                Event.newBuilder()
                    .setType(Event.Type.OFFERS)
                    .setOffers(Event.Offers.newBuilder().addOffers(offer()))
                    .build())
            .orElseThrow();
    Offer offer = ((MasterEvent.Offered) event).offers().get(0);
    Need need =
        new Need("p", Map.of(), Amount.of(POOL.resources()), PLAN.amount(), 1, Map.of(), Set.of());
    Placement placement = Matching.of(List.of(need), List.of(offer)).placements().get(0);
    ExecutorRecord executor =
        new ExecutorRecord("S", PLAN.id(), "p", placement.executor(), "http://h:7070");

    Call call =
        Calls.accept(
            "F",
            new MasterCall.Accept(
                "O",
                "S",
                List.of(
                    new MasterCall.Launch(
                        "p.0.1", placement.worker(), new byte[] {1}, PLAN, executor)),
                Duration.ofSeconds(3)));

    Protos.TaskInfo task = call.getAccept().getOperations(0).getLaunch().getTaskInfos(0);
    assertThat(task.getExecutor().getResourcesList())
        .containsExactly(scalar("cpus", 0.1, "ours"), scalar("mem", 256));
    assertThat(task.getResourcesList())
        .startsWith(scalar("cpus", 0.2, "ours"), scalar("cpus", 0.3), scalar("mem", 128));
    assertThat(task.getResources(3).getRanges().getRange(0).getBegin()).isEqualTo(7);
    assertThat(call.getAccept().getFilters().getRefuseSeconds()).isEqualTo(3.0);
    assertThat(task.getExecutor().getCommand().getUris(0).getValue())
        .isEqualTo("http://h:7070/v1/files/" + "0".repeat(64));
    assertThat(task.getExecutor().getCommand().getUris(0).getOutputFile()).isEqualTo("files/a.py");
    assertThat(task.getExecutor().getCommand().getUris(0).getExtract()).isFalse();
  }

  @Test
  void an_executor_is_the_same_whatever_becomes_of_size_and_job_policy_and_another_with_content() {
    ExecutorSettings settings =
        new ExecutorSettings(
            "exec it", "", new Amount(100, 256_000, 0), Duration.ofSeconds(7), Optional.empty());
    PoolSpec larger = POOL.withSize(new PoolSize.Fixed(9));
    PoolSpec other =
        new PoolSpec(
            "p",
            "run2",
            POOL.protocol(),
            POOL.files(),
            POOL.resources(),
            POOL.size(),
            POOL.job(),
            POOL.env());

    assertThat(ExecutorPlan.of(larger, settings)).isEqualTo(PLAN);
    assertThat(ExecutorPlan.of(other, settings).id()).isNotEqualTo(PLAN.id());
    assertThat(PLAN.id()).matches("p-[0-9a-f]{12}");
  }

  @Test
  void another_image_and_another_version_of_a_secret_are_another_executor() {
    ExecutorSettings settings =
        new ExecutorSettings(
            "exec it", "", new Amount(100, 256_000, 0), Duration.ofSeconds(7), Optional.empty());
    List<PoolSpec> all = new ArrayList<>(List.of(POOL));
    for (String image : List.of("python:3.11", "python:3.12")) {
      all.add(
          new PoolSpec(
              "p",
              "run",
              POOL.protocol(),
              POOL.files(),
              POOL.resources(),
              POOL.size(),
              POOL.job(),
              POOL.env(),
              PoolSpec.DEFAULT_START_TIMEOUT,
              Upkeep.NONE,
              HttpChecks.NONE,
              Requirements.NONE,
              new Container(image, "", "host", List.of(), Duration.ofMinutes(1)),
              List.of(),
              Serving.ONE_AT_A_TIME));
    }
    all.add(POOL.withSecrets(List.of(new PoolSecret("KEY", "/key", "v1"))));
    all.add(POOL.withSecrets(List.of(new PoolSecret("KEY", "/key", "v2"))));
    assertThat(all.stream().map(spec -> ExecutorPlan.of(spec, settings).id()))
        .doesNotHaveDuplicates()
        .startsWith(PLAN.id());
  }

  @Test
  void an_executor_finds_the_requirements_file_in_its_sandbox() {
    PoolSpec spec =
        new PoolSpec(
            "p",
            "run",
            POOL.protocol(),
            List.of(),
            POOL.resources(),
            POOL.size(),
            POOL.job(),
            Map.of(),
            PoolSpec.DEFAULT_START_TIMEOUT,
            Upkeep.NONE,
            HttpChecks.NONE,
            new Requirements("1".repeat(64), "python3", "", Duration.ofMinutes(1)),
            Container.NONE,
            List.of(),
            Serving.ONE_AT_A_TIME);
    ExecutorPlan plan =
        ExecutorPlan.of(
            spec,
            new ExecutorSettings(
                "exec it",
                "",
                new Amount(100, 256_000, 0),
                Duration.ofSeconds(7),
                Optional.empty()));
    assertThat(plan.files())
        .containsExactly(new ExecutorPlan.Fetched("1".repeat(64), "requirements.txt"));
    assertThat(plan.id()).isNotEqualTo(PLAN.id());
  }

  @Test
  void the_framework_says_what_it_can_and_how_long_it_may_be_away() {
    MesosSettings settings =
        MesosSettings.from(com.typesafe.config.ConfigFactory.defaultReference().resolve());
    Protos.FrameworkInfo info = Calls.framework(settings, Optional.of("F"));

    assertThat(info.getCapabilitiesList())
        .extracting(Protos.FrameworkInfo.Capability::getType)
        .containsExactlyInAnyOrder(
            Protos.FrameworkInfo.Capability.Type.PARTITION_AWARE,
            Protos.FrameworkInfo.Capability.Type.MULTI_ROLE,
            Protos.FrameworkInfo.Capability.Type.RESERVATION_REFINEMENT,
            Protos.FrameworkInfo.Capability.Type.TASK_KILLING_STATE);
    assertThat(info.getFailoverTimeout()).isEqualTo(7 * 24 * 3600.0);
    assertThat(info.getCheckpoint()).isTrue();
    assertThat(info.getAllFields().keySet())
        .as("a role beside roles is refused by masters")
        .noneMatch(field -> field.getName().equals("role"));
    assertThat(info.getRolesList()).containsExactly("*");
    Call subscribe = Calls.subscribe(settings, new MasterCall.Subscribe(Optional.of("F"), true));
    assertThat(subscribe.getFrameworkId()).isEqualTo(info.getId());
    assertThat(subscribe.getSubscribe().getSuppressedRolesList()).containsExactly("*");
  }

  @Test
  void leaving_closes_the_library_and_reconnecting_makes_another() {
    List<String> done = new ArrayList<>();
    MesosSettings settings =
        MesosSettings.from(com.typesafe.config.ConfigFactory.defaultReference().resolve());
    try (MesosMaster master =
        new MesosMaster(
            settings,
            scheduler -> {
              done.add("made");
              return new ClosingMesos(done);
            },
            event -> {})) {
      master.start();
      master.call(new MasterCall.Revive());
      master.call(new MasterCall.Leave());
      master.call(new MasterCall.Revive());
      master.call(new MasterCall.Reconnect());
      master.call(new MasterCall.Reconnect());
    }

    assertThat(done)
        .containsExactly("made", "sent REVIVE", "closed", "made", "reconnected", "closed");
  }

  private record ClosingMesos(List<String> done) implements Mesos, AutoCloseable {
    @Override
    public void send(Call call) {
      done.add("sent " + call.getType());
    }

    @Override
    public void reconnect() {
      done.add("reconnected");
    }

    @Override
    public void close() {
      done.add("closed");
    }
  }
}
