package io.troupe.scheduler.mesos;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.troupe.mesos.RecordIo;
import io.troupe.mesos.WireFormat;
import io.troupe.model.JobPolicy;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Resources;
import io.troupe.model.WorkerProtocol;
import io.troupe.scheduler.offers.Amount;
import io.troupe.scheduler.pool.ExecutorContainer;
import io.troupe.scheduler.pool.ExecutorPlan;
import io.troupe.scheduler.pool.ExecutorRecord;
import io.troupe.scheduler.pool.ExecutorSettings;
import io.troupe.scheduler.pool.MasterCall;
import java.io.InputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.scheduler.Mesos;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.apache.mesos.v1.scheduler.Scheduler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The dialogue with a master, over real HTTP. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class HttpMesosTest {

  /** Subscribes whenever it may, and keeps what it hears. */
  private static final class Listening implements Scheduler {
    final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();

    @Override
    public void connected(Mesos mesos) {
      heard.add("connected");
      mesos.send(SUBSCRIBE);
    }

    @Override
    public void disconnected(Mesos mesos) {
      heard.add("disconnected");
    }

    @Override
    public void received(Mesos mesos, Event event) {
      heard.add(event);
    }

    Object next() throws InterruptedException {
      Object next = heard.poll(30, TimeUnit.SECONDS);
      if (next == null) {
        throw new AssertionError("nothing heard within 30 s");
      }
      return next;
    }

    void expect(Object... expected) throws InterruptedException {
      for (Object one : expected) {
        assertThat(next()).isEqualTo(one);
      }
    }
  }

  private static final Call SUBSCRIBE =
      Call.newBuilder()
          .setType(Call.Type.SUBSCRIBE)
          .setSubscribe(
              Call.Subscribe.newBuilder()
                  .setFrameworkInfo(FrameworkInfo.newBuilder().setUser("me").setName("test")))
          .build();
  private static final Call REVIVE =
      Call.newBuilder()
          .setType(Call.Type.REVIVE)
          .setFrameworkId(FrameworkID.newBuilder().setValue("f"))
          .build();
  private static final Call SUPPRESS = REVIVE.toBuilder().setType(Call.Type.SUPPRESS).build();
  private static final Event HEARTBEAT = Event.newBuilder().setType(Event.Type.HEARTBEAT).build();

  private final List<FakeMaster> masters = new ArrayList<>();
  private final Listening scheduler = new Listening();
  private ActorTestKit kit;

  @BeforeEach
  void start() {
    kit = ActorTestKit.create();
  }

  @AfterEach
  void stop() {
    kit.shutdownTestKit();
    masters.forEach(FakeMaster::close);
  }

  private FakeMaster master() throws Exception {
    FakeMaster master = new FakeMaster();
    masters.add(master);
    return master;
  }

  private HttpMesos connect(String address, String... settings) {
    Config config =
        ConfigFactory.parseString(String.join("\n", settings))
            .withFallback(
                ConfigFactory.parseString(
                    "troupe.mesos { master = \""
                        + address
                        + "\", reconnect-backoff { first = 10ms, max = 50ms } }"))
            .withFallback(ConfigFactory.defaultReference())
            .resolve();
    return new HttpMesos(
        mesos -> kit.spawn(MasterConnection.create(mesos, scheduler, MesosSettings.from(config))));
  }

  private static Event subscribed(double heartbeatSeconds) {
    return Event.newBuilder()
        .setType(Event.Type.SUBSCRIBED)
        .setSubscribed(
            Event.Subscribed.newBuilder()
                .setFrameworkId(FrameworkID.newBuilder().setValue("f"))
                .setHeartbeatIntervalSeconds(heartbeatSeconds))
        .build();
  }

  @ParameterizedTest
  @EnumSource(WireFormat.class)
  void subscribes_on_one_connection_and_calls_on_another_quoting_the_stream(WireFormat format)
      throws Exception {
    FakeMaster master = master();
    HttpMesos mesos = connect(master.address(), "troupe.mesos.format = " + format.name());

    FakeMaster.Request subscribe = master.nextRequest();
    FakeMaster.Stream stream = master.nextStream();
    stream.emit(subscribed(15));
    scheduler.expect("connected", subscribed(15));
    mesos.send(REVIVE);
    mesos.send(SUPPRESS);
    FakeMaster.Request revive = master.nextRequest();
    FakeMaster.Request suppress = master.nextRequest();

    assertThat(subscribe.call().getSubscribe().getFrameworkInfo().getName()).isEqualTo("test");
    assertThat(subscribe.streamId()).isEmpty();
    assertThat(subscribe.headers())
        .containsEntry("Content-type", format.mediaType())
        .containsEntry("Accept", format.mediaType());
    assertThat(revive.call()).isEqualTo(REVIVE);
    assertThat(revive.streamId()).contains(stream.id());
    assertThat(suppress.call()).isEqualTo(SUPPRESS);
    assertThat(revive.peerPort()).isNotEqualTo(subscribe.peerPort());
    assertThat(suppress.peerPort()).isEqualTo(revive.peerPort());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "10-subscribe-json",
        "20-launch-ok",
        "23-kill",
        "28-executor-failures",
        "29-message"
      })
  void hears_every_event_of_a_recorded_master_however_its_bytes_are_cut(String transcript)
      throws Exception {
    List<Event> recorded = recorded(transcript);
    byte[] bytes = new byte[0];
    for (Event event : recorded) {
      byte[] record = RecordIo.encode(WireFormat.PROTOBUF.write(event));
      int at = bytes.length;
      bytes = Arrays.copyOf(bytes, at + record.length);
      System.arraycopy(record, 0, bytes, at, record.length);
    }
    FakeMaster master = master();
    connect(master.address());
    FakeMaster.Stream stream = master.nextStream();
    for (int at = 0; at < bytes.length; at += 97) {
      stream.write(Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + 97)));
    }

    scheduler.expect("connected");
    for (Event event : recorded) {
      assertThat(scheduler.next()).isEqualTo(event);
    }
  }

  private static List<Event> recorded(String transcript) throws Exception {
    ObjectMapper json = new ObjectMapper();
    List<Event> events = new ArrayList<>();
    try (InputStream in =
        HttpMesosTest.class.getResourceAsStream("/transcripts/" + transcript + ".json")) {
      for (JsonNode entry : json.readTree(in).get("entries")) {
        if (entry.path("direction").asText().equals("event")
            && entry.path("path").asText().equals("/api/v1/scheduler")) {
          Event.Builder event = Event.newBuilder();
          WireFormat.JSON.read(json.writeValueAsBytes(entry.get("body")), event);
          events.add(event.build());
        }
      }
    }
    assertThat(events).isNotEmpty();
    return events;
  }

  @Test
  void follows_a_redirect_without_a_scheme_to_the_leading_master() throws Exception {
    FakeMaster leader = master();
    FakeMaster other = master();
    other.answerSubscribe(
        307, "", Map.of("Location", "//" + leader.address() + "/master/api/v1/scheduler"));
    connect(other.address());

    leader.nextStream().emit(subscribed(15));

    scheduler.expect("connected", subscribed(15));
  }

  @Test
  void gives_a_circle_of_redirects_up_and_starts_anew() throws Exception {
    FakeMaster master = master();
    Map<String, String> toItself = Map.of("Location", "//" + master.address());
    for (int i = 0; i <= 5; i++) {
      master.answerSubscribe(307, "", toItself);
    }
    connect(master.address());

    scheduler.expect("connected", "disconnected", "connected");
    master.nextStream().emit(HEARTBEAT);
    scheduler.expect(HEARTBEAT);
  }

  @Test
  void tries_the_next_master_when_one_is_down() throws Exception {
    FakeMaster dead = master();
    dead.close();
    FakeMaster alive = master();
    connect(dead.address() + "," + alive.address());

    alive.nextStream().emit(HEARTBEAT);

    scheduler.expect("connected", "disconnected", "connected", HEARTBEAT);
  }

  @Test
  void tries_again_when_the_master_is_not_ready() throws Exception {
    FakeMaster master = master();
    master.answerSubscribe(503, "Master has not finished recovery", Map.of());
    connect(master.address());

    master.nextStream().emit(HEARTBEAT);

    scheduler.expect("connected", "disconnected", "connected", HEARTBEAT);
  }

  @ParameterizedTest
  @CsvSource({"400, Not authorized to be so", "401, no credentials", "403, forbidden"})
  void tells_a_refusal_in_the_words_of_the_master(int status, String words) throws Exception {
    FakeMaster master = master();
    master.answerSubscribe(status, words, Map.of());
    connect(master.address());

    scheduler.expect(
        "connected",
        Event.newBuilder()
            .setType(Event.Type.ERROR)
            .setError(Event.Error.newBuilder().setMessage(words))
            .build(),
        "disconnected");
  }

  @Test
  void authenticates_every_request_when_it_has_credentials() throws Exception {
    FakeMaster master = master();
    HttpMesos mesos =
        connect(master.address(), "troupe.mesos { principal = me, secret = \"s3:cret\" }");
    FakeMaster.Request subscribe = master.nextRequest();
    master.nextStream().emit(subscribed(15));
    scheduler.expect("connected", subscribed(15));
    mesos.send(REVIVE);

    assertThat(subscribe.headers()).containsEntry("Authorization", "Basic bWU6czM6Y3JldA==");
    assertThat(master.nextRequest().headers())
        .containsEntry("Authorization", "Basic bWU6czM6Y3JldA==");
  }

  @Test
  void subscribes_anew_when_the_stream_ends() throws Exception {
    FakeMaster master = master();
    connect(master.address());
    master.nextStream().end();
    scheduler.expect("connected", "disconnected", "connected");

    master.nextStream().emit(HEARTBEAT);

    scheduler.expect(HEARTBEAT);
  }

  @Test
  void gives_a_master_up_that_has_missed_five_heartbeats() throws Exception {
    FakeMaster master = master();
    connect(master.address());
    master.nextStream().emit(subscribed(0.02));
    scheduler.expect("connected", subscribed(0.02), "disconnected", "connected");

    master.nextStream().emit(HEARTBEAT);

    scheduler.expect(HEARTBEAT);
  }

  @Test
  void subscribes_anew_when_a_call_shows_that_the_subscription_is_not_the_current_one()
      throws Exception {
    FakeMaster master = master();
    HttpMesos mesos = connect(master.address());
    FakeMaster.Stream stale = master.nextStream();
    stale.emit(subscribed(15));
    scheduler.expect("connected", subscribed(15));
    master.answerCall(403, "Framework is not subscribed");
    mesos.send(REVIVE);
    scheduler.expect("disconnected", "connected");

    master.nextStream().emit(HEARTBEAT);

    scheduler.expect(HEARTBEAT);
  }

  @Test
  void goes_on_after_a_call_that_the_master_found_invalid() throws Exception {
    FakeMaster master = master();
    HttpMesos mesos = connect(master.address());
    FakeMaster.Stream stream = master.nextStream();
    stream.emit(subscribed(15));
    scheduler.expect("connected", subscribed(15));
    master.answerCall(400, "Failed to validate scheduler::Call: Expecting 'kill' to be present");
    mesos.send(REVIVE);
    mesos.send(SUPPRESS);
    master.nextRequest();
    master.nextRequest();
    assertThat(master.nextRequest().call()).isEqualTo(SUPPRESS);

    stream.emit(HEARTBEAT);

    scheduler.expect(HEARTBEAT);
  }

  @Test
  void an_event_that_cannot_be_read_does_not_end_the_stream() throws Exception {
    FakeMaster master = master();
    connect(master.address());
    FakeMaster.Stream stream = master.nextStream();
    stream.write(RecordIo.encode(new byte[] {(byte) 0xff, 1, 2}));
    stream.emit(HEARTBEAT);

    scheduler.expect("connected", HEARTBEAT);
  }

  @Test
  void bytes_that_are_no_records_end_the_stream() throws Exception {
    FakeMaster master = master();
    connect(master.address());
    master.nextStream().write("<html>".getBytes(java.nio.charset.StandardCharsets.US_ASCII));

    scheduler.expect("connected", "disconnected", "connected");
  }

  @Test
  void closes_without_a_word_so_that_the_framework_is_only_away() throws Exception {
    FakeMaster master = master();
    HttpMesos mesos = connect(master.address());
    master.nextRequest();
    FakeMaster.Stream stream = master.nextStream();
    stream.emit(subscribed(15));
    scheduler.expect("connected", subscribed(15));

    mesos.close();
    mesos.send(REVIVE);

    org.assertj.core.api.Assertions.assertThatThrownBy(
            () -> {
              for (int i = 0; i < 1_000_000; i++) {
                stream.emit(HEARTBEAT);
              }
            })
        .isInstanceOf(java.io.UncheckedIOException.class);
    assertThat(master.hasRequest()).isFalse();
  }

  private static ExecutorPlan contained(ExecutorContainer container) {
    return ExecutorPlan.of(
        new PoolSpec(
            "p",
            "run",
            WorkerProtocol.FRAMES,
            List.of(),
            new Resources(0.5, 128, 0),
            new PoolSize.Fixed(2),
            new JobPolicy(Duration.ofSeconds(1), 1, JobPolicy.Durability.MEMORY),
            Map.of()),
        new ExecutorSettings(
            "exec it",
            "",
            new Amount(100, 256_000, 0),
            Duration.ofSeconds(7),
            Optional.of(container)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          MESOS  | host   | "type":"MESOS","volumes":V,"mesos":{"image":{"type":"DOCKER","docker":{"name":"r:5000/t:1"},"cached":true}}
          MESOS  | cni    | "type":"MESOS","volumes":V,"mesos":{"image":{"type":"DOCKER","docker":{"name":"r:5000/t:1"},"cached":true}},"network_infos":[{"name":"cni"}]
          DOCKER | host   | "type":"DOCKER","volumes":V,"docker":{"image":"r:5000/t:1","network":"HOST","privileged":false,"force_pull_image":false}
          DOCKER | bridge | "type":"DOCKER","volumes":V,"docker":{"image":"r:5000/t:1","network":"BRIDGE","privileged":false,"force_pull_image":false}
          DOCKER | own    | "type":"DOCKER","volumes":V,"docker":{"image":"r:5000/t:1","network":"USER","privileged":false,"force_pull_image":false},"network_infos":[{"name":"own"}]
          """)
  void each_task_of_an_executor_names_its_container_in_the_same_words(
      ExecutorContainer.Type type, String network, String expected) throws Exception {
    FakeMaster master = master();
    HttpMesos mesos = connect(master.address());
    FakeMaster.Stream stream = master.nextStream();
    stream.emit(subscribed(15));
    scheduler.expect("connected", subscribed(15));
    ExecutorContainer container =
        new ExecutorContainer(
            type,
            "r:5000/t:1",
            network,
            List.of(
                new ExecutorContainer.Volume("/a", "/b", false),
                new ExecutorContainer.Volume("/c", "/d", true)),
            false);
    ExecutorPlan plan = contained(container);
    ExecutorRecord record =
        new ExecutorRecord("S", plan.id(), "p", List.of(), "http://127.0.0.1:7070");
    master.nextRequest(); // the subscription
    List<ExecutorInfo> sent = new ArrayList<>();
    for (String task : List.of("p.0.1", "p.1.2")) {
      mesos.send(
          Calls.accept(
              "f",
              new MasterCall.Accept(
                  "O",
                  "S",
                  List.of(new MasterCall.Launch(task, List.of(), new byte[0], plan, record)),
                  Duration.ofSeconds(1))));
      sent.add(
          master
              .nextRequest()
              .call()
              .getAccept()
              .getOperations(0)
              .getLaunch()
              .getTaskInfos(0)
              .getExecutor());
    }
    assertThat(sent.get(0)).isEqualTo(sent.get(1));
    String volumes =
        "[{\"mode\":\"RW\",\"container_path\":\"/b\",\"host_path\":\"/a\"},"
            + "{\"mode\":\"RO\",\"container_path\":\"/d\",\"host_path\":\"/c\"}]";
    ObjectMapper json = new ObjectMapper();
    assertThat(json.readTree(WireFormat.JSON.write(sent.get(0).getContainer())))
        .isEqualTo(json.readTree("{" + expected.strip().replace("V", volumes) + "}"));
    assertThat(contained(container).id()).isEqualTo(plan.id());
    assertThat(
            contained(
                    new ExecutorContainer(type, "r:5000/t:2", network, container.volumes(), false))
                .id())
        .isNotEqualTo(plan.id());
  }
}
