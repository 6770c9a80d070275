package io.troupe.local.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Message;
import io.troupe.local.agent.AgentSettings;
import io.troupe.local.agent.ExecutorCallValidation;
import io.troupe.local.agent.FakeContainers;
import io.troupe.local.agent.LocalAgent;
import io.troupe.local.allocator.ResourceText;
import io.troupe.local.master.Answer;
import io.troupe.local.master.CallValidation;
import io.troupe.local.master.EventSink;
import io.troupe.local.master.Master;
import io.troupe.local.master.MasterSettings;
import io.troupe.local.master.VirtualTime;
import io.troupe.mesos.MesosJson;
import io.troupe.mesos.WireFormat;
import io.troupe.mesos.WireFormat.UnreadableBodyException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeSet;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * Makes the calls of a recording, at the recorded times of a virtual clock, to a master and an
 * agent of ours, and holds what they say against what a real Mesos said. Executors are played by
 * the recording too, so no process is started.
 *
 * <p>Compared are the answers to calls, and each stream's events in their order, except where that
 * is a matter of chance: offers are one sequence, everything else another, heartbeats none. Left
 * out are times, pids and container ids.
 */
final class Replay {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final double SLOW_ROUND_MS = 1004.5;

  /** Timers of ours that tick at another moment than the recorded ones may make us this late. */
  private static final int PATIENCE_MS = 1200;

  private static final Answer ANSWERED_OVER_HTTP = new Answer(0, "");
  private static final Pattern AGENT_ID = Pattern.compile("([0-9a-f-]{36})-S0");

  private final String name;
  private final JsonNode recording;
  private final VirtualTime time;
  private final Instant start;
  private final Deque<Runnable> work = new ArrayDeque<>();
  private final Master master;
  private final LocalAgent agent;
  private final FakeContainers containers;
  private final Map<String, Stream> streams = new LinkedHashMap<>();
  private final Map<String, String> ours = new HashMap<>();
  private final Map<String, Deque<Answer>> answers = new HashMap<>();
  private boolean agentRunsBefore;

  /** A stream of ours, as far as it was not compared yet. */
  private static final class Stream implements EventSink {
    private final String streamId = UUID.randomUUID().toString();
    private final Deque<JsonNode> offers = new ArrayDeque<>();
    private final Deque<JsonNode> others = new ArrayDeque<>();
    private boolean complete;

    @Override
    public void send(Message event) {
      JsonNode node;
      try {
        node = JSON.readTree(MesosJson.write(event));
      } catch (IOException e) {
        throw new AssertionError(e);
      }
      String type = node.get("type").asText();
      if (type.equals("OFFERS")) {
        offers.add(node);
      } else if (!type.equals("HEARTBEAT")) {
        others.add(node);
      }
    }

    @Override
    public void complete() {
      complete = true;
    }
  }

  private Replay(String name, Path workDir) throws IOException {
    this.name = name;
    this.recording = read(name);
    this.start = Instant.ofEpochMilli((long) (recording.get("t0_epoch").asDouble() * 1000));
    this.time = new VirtualTime(start);
    this.master = new Master(masterSettings(), time, time.alarms("master"), new Random(1));
    this.containers = new FakeContainers(work::add);
    this.agent =
        new LocalAgent(
            agentSettings(workDir),
            time,
            time.alarms("agent"),
            containers,
            message -> work.add(() -> master.receive(message)),
            message -> work.add(() -> agentHears(message)));
  }

  private void agentHears(io.troupe.local.master.ToAgent message) {
    agent.receive(message);
  }

  private static JsonNode read(String name) throws IOException {
    try (InputStream in = Replay.class.getResourceAsStream("/transcripts/" + name + ".json")) {
      assertThat(in).as("recording %s", name).isNotNull();
      return JSON.readTree(in);
    }
  }

  private String argument(String list, String flag, String otherwise) {
    for (JsonNode argument : recording.get(list)) {
      if (argument.asText().startsWith("--" + flag + "=")) {
        return argument.asText().substring(flag.length() + 3);
      }
    }
    return otherwise;
  }

  private Duration seconds(String list, String flag, long otherwise) {
    String text = argument(list, flag, otherwise + "secs");
    assertThat(text).as(flag).endsWith("secs");
    return Duration.ofSeconds(Long.parseLong(text.substring(0, text.length() - 4)));
  }

  private MasterSettings masterSettings() {
    return new MasterSettings(
        "127.0.0.1",
        "localhost",
        Integer.parseInt(argument("master_argv", "port", "5050")),
        Duration.ofSeconds(1),
        Duration.ofSeconds(15),
        seconds("master_argv", "agent_ping_timeout", 15),
        Integer.parseInt(argument("master_argv", "max_agent_ping_timeouts", "5")));
  }

  private AgentSettings agentSettings(Path workDir) {
    return new AgentSettings(
        "127.0.0.1",
        "localhost",
        Integer.parseInt(argument("agent_argv", "port", "5051")),
        workDir,
        ResourceText.resources(argument("agent_argv", "resources", "")),
        ResourceText.attributes(argument("agent_argv", "attributes", "")),
        Map.of(),
        seconds("agent_argv", "executor_registration_timeout", 60),
        Duration.ofSeconds(2),
        Duration.ofMinutes(15),
        seconds("agent_argv", "executor_shutdown_grace_period", 5),
        Duration.ofSeconds(10),
        Duration.ofMinutes(10),
        Duration.ofMinutes(30),
        true);
  }

  /** Plays the recording and compares. */
  static void play(String name, Path workDir) throws IOException {
    new Replay(name, workDir).play();
  }

  private void play() throws IOException {
    bindMasterId();
    List<JsonNode> entries =
        StreamSupport.stream(recording.get("entries").spliterator(), false).toList();
    Deque<Double> rounds = new ArrayDeque<>(roundsOfOffers(entries));
    for (JsonNode entry : entries) {
      double at = entry.get("t_ms").asDouble();
      while (!rounds.isEmpty() && rounds.peek() <= at) {
        advanceTo(rounds.remove());
        master.allocate();
        settle();
      }
      advanceTo(at);
      step(entry);
      settle();
    }
    streams.forEach(
        (actor, stream) ->
            assertThat(stream.others)
                .as("%s: events that the real Mesos did not send to %s", name, actor)
                .allMatch(this::toleratedAtTheEnd));
  }

  /** What the recorder did not stay to see. */
  private boolean toleratedAtTheEnd(JsonNode event) {
    String type = event.get("type").asText();
    // When a framework comes back in another role, ours offers at once, a real one in a second.
    if (name.startsWith("40") && type.equals("RESCIND")) {
      return true;
    }
    return List.of("SHUTDOWN", "UPDATE", "FAILURE", "ACKNOWLEDGED").contains(type);
  }

  private void advanceTo(double ms) {
    Instant target = start.plusNanos((long) (ms * 1e6));
    // Alarms may set work to do, which must be done at their time.
    while (time.instant().isBefore(target)) {
      Instant next = time.instant().plusMillis(1);
      time.advanceTo(next.isBefore(target) ? next : target);
      settle();
    }
  }

  private void settle() {
    while (!work.isEmpty()) {
      work.remove().run();
    }
  }

  private void bindMasterId() {
    Matcher matcher = AGENT_ID.matcher(recording.toString());
    if (matcher.find()) {
      ours.put(matcher.group(1), master.id());
    }
  }

  /**
   * When the real master made its rounds, so that ours makes them then: at the offers that nothing
   * but the passing of time explains, and as often before them as its interval says.
   */
  private static List<Double> roundsOfOffers(List<JsonNode> entries) {
    TreeSet<Double> rounds = new TreeSet<>();
    double cause = 0;
    double last = 1300;
    for (JsonNode entry : entries) {
      double at = entry.get("t_ms").asDouble();
      String direction = entry.get("direction").asText();
      String type = entry.path("body").path("type").asText();
      boolean prompting =
          (direction.equals("request") && (type.equals("SUBSCRIBE") || type.equals("REVIVE")))
              || (direction.equals("note") && entry.path("text").asText().equals("started agent"));
      if (prompting) {
        cause = at;
      }
      boolean offers = direction.equals("event") && type.equals("OFFERS");
      if (offers && at - cause > 30) {
        for (double round = at; round > last + 100; round -= SLOW_ROUND_MS) {
          rounds.add(round - 0.2);
        }
        last = at;
      }
    }
    return new ArrayList<>(rounds);
  }

  private void step(JsonNode entry) throws IOException {
    String actor = entry.get("actor").asText();
    String direction = entry.get("direction").asText();
    if (direction.equals("request") && matterOfHttp(entry)) {
      answers
          .computeIfAbsent(conn(actor, entry), key -> new ArrayDeque<>())
          .add(ANSWERED_OVER_HTTP);
    } else if (direction.equals("note")) {
      note(entry.path("text").asText());
    } else if (actor.startsWith("sched")) {
      scheduler(actor, direction, entry);
    } else if (actor.startsWith("executor:")) {
      executor(actor, actor.substring("executor:".length()), direction, entry);
    } else if (actor.equals("operator") && direction.equals("response")) {
      operator(entry);
    } else if (actor.equals("operator") && entry.path("path").asText().endsWith("/executor")) {
      executorCall("operator", entry);
    }
  }

  /** Whether the request is refused before anybody reads it as a call. */
  private static boolean matterOfHttp(JsonNode entry) {
    String contentType = "";
    String accept = "application/json";
    for (JsonNode header : entry.get("headers")) {
      if (header.get(0).asText().equalsIgnoreCase("Content-Type")) {
        contentType = header.get(1).asText();
      } else if (header.get(0).asText().equalsIgnoreCase("Accept")) {
        accept = header.get(1).asText();
      }
    }
    boolean calling = entry.path("path").asText().contains("/api/v1/");
    boolean protobuf = contentType.equals("application/x-protobuf") && entry.get("body") != null;
    return calling
        && (!entry.get("method").asText().equals("POST")
            || !(contentType.equals("application/json") || protobuf)
            || accept.equals("text/html"));
  }

  private void note(String text) {
    if (text.equals("started agent")) {
      if (agentRunsBefore) {
        agent.recover();
      } else {
        agent.start(id -> {});
      }
      agentRunsBefore = true;
    } else if (text.startsWith("sent signal 9 to pid")) {
      agent.crash();
    }
  }

  // ---- the scheduler's side

  private void scheduler(String actor, String direction, JsonNode entry) throws IOException {
    switch (direction) {
      case "request" -> schedulerCall(actor, entry);
      case "response" -> compareAnswer(actor, entry);
      case "event" -> compareEvent(actor, entry);
      case "stream_end" -> streamEnd(actor, entry);
      default -> {}
    }
  }

  private void schedulerCall(String actor, JsonNode entry) throws IOException {
    org.apache.mesos.v1.scheduler.Protos.Call.Builder call =
        org.apache.mesos.v1.scheduler.Protos.Call.newBuilder();
    Answer answer;
    try {
      WireFormat.JSON.read(translated(entry.get("body")), call);
      Optional<String> error = CallValidation.error(call.build());
      answer =
          error.isPresent()
              ? Answer.badRequest(Texts.SCHEDULER_CALL_INVALID + error.get())
              : act(actor, entry, call.build());
    } catch (UnreadableBodyException e) {
      answer = Answer.badRequest(e.getMessage());
    }
    answers.computeIfAbsent(conn(actor, entry), key -> new ArrayDeque<>()).add(answer);
  }

  private Answer act(String actor, JsonNode entry, org.apache.mesos.v1.scheduler.Protos.Call call) {
    if (call.getType() == org.apache.mesos.v1.scheduler.Protos.Call.Type.SUBSCRIBE) {
      Stream stream = new Stream();
      Stream old = streams.put(actor, stream);
      assertThat(old == null || old.complete).as("%s subscribes once", actor).isTrue();
      master.subscribe(call, stream.streamId, stream);
      return Answer.OK;
    }
    return master.call(call, streamIdFor(actor, entry));
  }

  /** The stream id that the caller sends: right, wrong, or none, as recorded. */
  private Optional<String> streamIdFor(String actor, JsonNode entry) {
    for (JsonNode header : entry.get("headers")) {
      if (header.get(0).asText().equalsIgnoreCase("Mesos-Stream-Id")) {
        String recorded = header.get(1).asText();
        return Optional.of(
            ours.getOrDefault(
                recorded,
                recorded.matches("[0-9a-f-]{36}") && !recorded.startsWith("00000000")
                    ? streams.get(actor).streamId
                    : recorded));
      }
    }
    return Optional.empty();
  }

  private static String conn(String actor, JsonNode entry) {
    return actor + "#" + entry.path("conn").asText();
  }

  private void compareAnswer(String actor, JsonNode entry) {
    Deque<Answer> waiting = answers.get(conn(actor, entry));
    assertThat(waiting).as("%s: call on %s", name, conn(actor, entry)).isNotEmpty();
    Answer answer = waiting.remove();
    if (answer.equals(ANSWERED_OVER_HTTP)) {
      return;
    }
    if (entry.get("status").asInt() == 200 && entry.path("streaming").asBoolean()) {
      for (JsonNode header : entry.get("headers")) {
        if (header.get(0).asText().equals("Mesos-Stream-Id")) {
          ours.put(header.get(1).asText(), streams.get(actor).streamId);
        }
      }
    }
    assertThat(answer.status() + " " + answer.text())
        .as("%s: answer at %s ms", name, entry.get("t_ms"))
        .isEqualTo(
            entry.get("status").asInt() + " " + translatedText(entry.path("body").asText("")));
  }

  private void streamEnd(String actor, JsonNode entry) {
    Stream stream = streams.get(actor);
    if (entry.path("how").asText().startsWith("EOF") && !actor.startsWith("executor:")) {
      master.streamClosed(stream);
    } else if (!entry.path("how").asText().startsWith("EOF")) {
      settle();
      boolean late = stream.complete || actor.startsWith("executor:");
      assertThat(late).as("%s: the stream of %s has ended", name, actor).isTrue();
    } else {
      agent.streamClosed(stream);
    }
  }

  // ---- the executor's side

  private void executor(String actor, String executorId, String direction, JsonNode entry)
      throws IOException {
    switch (direction) {
      case "request" -> executorCall(actor, entry);
      case "response" -> compareAnswer(actor, entry);
      case "event" -> {
        compareEvent(actor, entry);
        if (entry.path("type").asText().equals("SHUTDOWN") && !name.startsWith("60")) {
          containers.of(executorId).exit(0);
        }
      }
      case "stream_end" -> streamEnd(actor, entry);
      default -> {}
    }
  }

  private void executorCall(String actor, JsonNode entry) throws IOException {
    org.apache.mesos.v1.executor.Protos.Call.Builder call =
        org.apache.mesos.v1.executor.Protos.Call.newBuilder();
    Answer answer;
    try {
      WireFormat.JSON.read(translated(entry.get("body")), call);
      Optional<String> error = ExecutorCallValidation.error(call.build());
      if (error.isPresent()) {
        answer = Answer.badRequest(Texts.EXECUTOR_CALL_INVALID + error.get());
      } else {
        answer = actForExecutor(actor, call.build());
      }
    } catch (UnreadableBodyException e) {
      answer = Answer.badRequest(e.getMessage());
    }
    answers.computeIfAbsent(conn(actor, entry), key -> new ArrayDeque<>()).add(answer);
  }

  private Answer actForExecutor(String actor, org.apache.mesos.v1.executor.Protos.Call call) {
    return switch (call.getType()) {
      case HEARTBEAT -> Answer.ACCEPTED;
      case SUBSCRIBE -> {
        Stream stream = new Stream();
        Optional<Answer> refusal = agent.subscribe(call, stream);
        if (refusal.isEmpty()) {
          streams.put(actor, stream);
        }
        yield refusal.orElse(Answer.OK);
      }
      case UPDATE, MESSAGE, UNKNOWN -> agent.call(call);
    };
  }

  // ---- comparing

  private void compareEvent(String actor, JsonNode entry) {
    JsonNode recorded = asWritten(actor, entry.get("body"));
    String type = recorded.get("type").asText();
    if (type.equals("HEARTBEAT")) {
      return;
    }
    provoke(recorded);
    Stream stream = streams.get(actor);
    assertThat(stream).as("%s: %s has a stream", name, actor).isNotNull();
    Deque<JsonNode> actual = type.equals("OFFERS") ? stream.offers : stream.others;
    Optional<JsonNode> found = next(actual, recorded);
    for (int waited = 0; found.isEmpty() && waited < PATIENCE_MS; waited += 10) {
      time.advance(Duration.ofMillis(10));
      settle();
      found = next(actual, recorded);
    }
    assertThat(found)
        .as("%s: at %s ms %s gets %s", name, entry.get("t_ms"), actor, recorded)
        .isPresent();
    JsonNode event = found.get();
    actual.remove(event);
    bind(recorded, event);
    assertThat(normal(event))
        .as("%s: event at %s ms for %s", name, entry.get("t_ms"), actor)
        .isEqualTo(normal(translatedNode(recorded)));
  }

  /** The first of ours that is about the same thing; what is about different tasks may overtake. */
  private static Optional<JsonNode> next(Deque<JsonNode> actual, JsonNode recorded) {
    return actual.stream().filter(event -> about(event).equals(about(recorded))).findFirst();
  }

  private static String about(JsonNode event) {
    String type = event.get("type").asText();
    return type
        + event.path("update").path("status").path("task_id").path("value").asText()
        + event.path("acknowledged").path("task_id").path("value").asText();
  }

  /** The event as JSON of Mesos, also where it was recorded in protobuf. */
  private static JsonNode asWritten(String actor, JsonNode recorded) {
    Message.Builder event =
        actor.startsWith("executor:")
            ? org.apache.mesos.v1.executor.Protos.Event.newBuilder()
            : org.apache.mesos.v1.scheduler.Protos.Event.newBuilder();
    try {
      MesosJson.read(JSON.writeValueAsBytes(recorded), event);
      return JSON.readTree(MesosJson.write(event.build()));
    } catch (IOException | MesosJson.InvalidJsonException e) {
      throw new AssertionError("Recorded event " + recorded, e);
    }
  }

  /** What processes did in the recording happens to their stand-ins. */
  private void provoke(JsonNode recorded) {
    JsonNode failure = recorded.path("failure");
    String executorId = failure.path("executor_id").path("value").asText();
    if (!executorId.isEmpty() && containers.has(executorId)) {
      containers.of(executorId).exit(failure.get("status").asInt());
      settle();
    }
    JsonNode status = recorded.path("update").path("status");
    String message = status.path("message").asText();
    String taskId = status.path("task_id").path("value").asText();
    if (message.startsWith("Command ") && containers.has(taskId)) {
      containers.of(taskId).exit(exitCode(message));
      settle();
    }
  }

  private static int exitCode(String message) {
    if (message.endsWith("Killed")) {
      return 137;
    }
    return message.endsWith("Terminated")
        ? 143
        : Integer.parseInt(message.substring(message.lastIndexOf(' ') + 1));
  }

  /** Learns which of our ids stand for which recorded ones. */
  private void bind(JsonNode recorded, JsonNode actual) {
    JsonNode theirs = recorded.path("offers").path("offers");
    JsonNode own = actual.path("offers").path("offers");
    for (int i = 0; i < Math.min(theirs.size(), own.size()); i++) {
      ours.put(
          theirs.get(i).get("id").get("value").asText(),
          own.get(i).get("id").get("value").asText());
    }
    String theirUuid = recorded.path("update").path("status").path("uuid").asText();
    String ownUuid = actual.path("update").path("status").path("uuid").asText();
    if (!theirUuid.isEmpty() && !ownUuid.isEmpty()) {
      ours.put(theirUuid, ownUuid);
    }
  }

  private byte[] translated(@Nullable JsonNode body) throws IOException {
    if (body == null) {
      return new byte[0];
    }
    return body.isTextual()
        ? translatedText(body.asText()).getBytes(java.nio.charset.StandardCharsets.UTF_8)
        : JSON.writeValueAsBytes(translatedNode(body));
  }

  private JsonNode translatedNode(JsonNode node) {
    if (node.isTextual()) {
      return JSON.getNodeFactory().textNode(translatedText(node.asText()));
    }
    if (node.isObject()) {
      ObjectNode object = JSON.createObjectNode();
      node.fields()
          .forEachRemaining(field -> object.set(field.getKey(), translatedNode(field.getValue())));
      return object;
    }
    if (node.isArray()) {
      ArrayNode array = JSON.createArrayNode();
      node.forEach(element -> array.add(translatedNode(element)));
      return array;
    }
    return node;
  }

  private String translatedText(String text) {
    String whole = ours.get(text);
    if (whole != null) {
      return whole;
    }
    String translated = text;
    for (Map.Entry<String, String> known : ours.entrySet()) {
      if (known.getKey().length() == 36) {
        translated = translated.replace(known.getKey(), known.getValue());
      }
    }
    return translated;
  }

  /** Without what is different each time, and with lists in one order that have none. */
  static JsonNode normal(JsonNode node) {
    if (node.isObject()) {
      ObjectNode object = JSON.createObjectNode();
      node.fields()
          .forEachRemaining(
              field -> {
                if (!IGNORED.contains(field.getKey())) {
                  object.set(field.getKey(), normal(field.getValue()));
                }
              });
      return object;
    }
    if (node.isArray()) {
      List<JsonNode> elements = new ArrayList<>();
      node.forEach(
          element -> {
            if (!element.path("type").asText().equals("QUOTA_V2") && !isEmptyObject(element)) {
              elements.add(normal(element));
            }
          });
      elements.sort(Comparator.comparing(JsonNode::toString));
      ArrayNode array = JSON.createArrayNode();
      elements.forEach(array::add);
      return array;
    }
    if (node.isTextual()) {
      return JSON.getNodeFactory()
          .textNode(
              node.asText()
                  .replaceAll("container '[0-9a-f-]{36}'", "container 'C'")
                  .replaceAll("/\\S*/runs/[0-9a-f-]{36}", "/runs/C")
                  .replaceAll("^[0-9a-f]{8}-[0-9a-f-]{27}$", "C"));
    }
    return node.isIntegralNumber() ? JSON.getNodeFactory().numberNode(node.asDouble()) : node;
  }

  /** A capability that the Java library has no name for. */
  private static boolean isEmptyObject(JsonNode node) {
    return node.isObject() && node.isEmpty();
  }

  private static final List<String> IGNORED =
      List.of(
          "timestamp",
          "executor_pid",
          "unreachable_time",
          "start_time",
          "elected_time",
          "registered_time",
          "reregistered_time",
          "unregistered_time",
          "flags",
          "build_date",
          "build_time",
          "build_user",
          "cluster",
          "log_dir",
          "directory",
          "capabilities");

  // ---- what the operator sees

  private void operator(JsonNode entry) {
    String path = entry.get("path").asText();
    JsonNode recorded = entry.get("body");
    JsonNode actual =
        switch (path) {
          case "/frameworks" -> MasterJson.frameworks(master, Optional.empty());
          case "/slaves" -> MasterJson.slaves(master, Optional.empty(), true);
          case "/tasks" ->
              MasterJson.tasks(
                  master,
                  new MasterJson.TaskQuery(100, 0, false, Optional.empty(), Optional.empty()));
          case "/roles" -> MasterJson.roles(master);
          case "/state" ->
              recorded.has("leader") ? MasterJson.state(master) : AgentJson.state(agent);
          default -> null;
        };
    if (actual != null) {
      assertThat(normal(actual))
          .as("%s: %s at %s ms", name, path, entry.get("t_ms"))
          .isEqualTo(normal(translatedNode(recorded)));
    }
  }
}
