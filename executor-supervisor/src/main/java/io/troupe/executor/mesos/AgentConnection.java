package io.troupe.executor.mesos;

import com.google.protobuf.ByteString;
import io.troupe.executor.http.PlainHttp;
import io.troupe.executor.supervision.Executor;
import io.troupe.executor.supervision.TaskReports;
import io.troupe.mesos.RecordIo;
import io.troupe.mesos.WireFormat;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.KillPolicy;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.executor.Protos.Call;
import org.apache.mesos.v1.executor.Protos.Event;
import org.jspecify.annotations.Nullable;

/**
 * The v1 executor API of one agent. One thread keeps the subscription and reads its events, another
 * sends the updates one after the other, so that they arrive in order. An update is kept until the
 * agent acknowledges it, and repeated with each new subscription.
 */
public final class AgentConnection implements TaskReports, AutoCloseable {
  private static final int MAX_RECORD_BYTES = 64 << 20;
  private static final int READ_BYTES = 64 << 10;
  private static final int OK = 200;
  private static final int ACCEPTED = 202;
  private static final long FIRST_RETRY_MILLIS = 1000;

  private final MesosEnvironment environment;
  private final AgentSettings settings;
  private final AgentListener listener;
  private final Unacknowledged unacknowledged = new Unacknowledged();
  private final BlockingQueue<Call.Update> toSend = new LinkedBlockingQueue<>();
  private final FrameworkID frameworkId;
  private final ExecutorID executorId;
  private volatile @Nullable HttpClient http;
  private volatile boolean connected;
  private volatile boolean killingIsKnown;
  private volatile boolean closed;

  private AgentConnection(
      MesosEnvironment environment, AgentSettings settings, AgentListener listener) {
    this.environment = environment;
    this.settings = settings;
    this.listener = listener;
    this.frameworkId = FrameworkID.newBuilder().setValue(environment.frameworkId()).build();
    this.executorId = ExecutorID.newBuilder().setValue(environment.executorId()).build();
  }

  /** Subscribes, in the background, and stays subscribed. */
  public static AgentConnection open(
      MesosEnvironment environment, AgentSettings settings, AgentListener listener) {
    AgentConnection connection = new AgentConnection(environment, settings, listener);
    connection.start(connection::staySubscribed, "troupe-agent-events");
    connection.start(connection::sendUpdates, "troupe-agent-updates");
    return connection;
  }

  private void start(Runnable work, String name) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() {
    closed = true;
  }

  // ---- updates

  @Override
  public void report(String task, State state, String message) {
    if (state == State.KILLING && !killingIsKnown) {
      return;
    }
    Call.Update update =
        Call.Update.newBuilder()
            .setStatus(
                TaskStatus.newBuilder()
                    .setTaskId(TaskID.newBuilder().setValue(task))
                    .setState(mesos(state))
                    .setSource(TaskStatus.Source.SOURCE_EXECUTOR)
                    .setExecutorId(executorId)
                    .setUuid(newUuid())
                    .setTimestamp(System.currentTimeMillis() / 1e3)
                    .setMessage(message))
            .build();
    unacknowledged.sent(update);
    toSend.add(update);
  }

  private static TaskState mesos(State state) {
    return switch (state) {
      case STARTING -> TaskState.TASK_STARTING;
      case RUNNING -> TaskState.TASK_RUNNING;
      case KILLING -> TaskState.TASK_KILLING;
      case KILLED -> TaskState.TASK_KILLED;
      case FAILED -> TaskState.TASK_FAILED;
    };
  }

  private static ByteString newUuid() {
    UUID uuid = UUID.randomUUID();
    return ByteString.copyFrom(
        ByteBuffer.allocate(16)
            .putLong(uuid.getMostSignificantBits())
            .putLong(uuid.getLeastSignificantBits())
            .flip());
  }

  /**
   * Waits until the agent has acknowledged every update.
   *
   * @return false when that took longer than the limit
   */
  public boolean awaitAcknowledged(Duration limit) throws InterruptedException {
    return unacknowledged.await(limit.toMillis());
  }

  private void sendUpdates() {
    try {
      while (!closed) {
        Call.Update update = toSend.take();
        while (unacknowledged.isWaiting(update.getStatus().getUuid()) && !delivered(update)) {
          TimeUnit.MILLISECONDS.sleep(100); // refused for now, or no connection
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** False when it must be tried again; a new subscription may have repeated it meanwhile. */
  private boolean delivered(Call.Update update) throws InterruptedException {
    HttpClient client = http;
    if (!connected || client == null) {
      return false;
    }
    Call call = call(Call.Type.UPDATE).setUpdate(update).build();
    try {
      HttpResponse<String> response =
          client.send(
              request(call).timeout(settings.callTimeout()).build(),
              HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() == ACCEPTED) {
        return true;
      }
      log("The agent answered an update with " + response.statusCode() + " " + response.body());
      return response.statusCode() / 100 == 4; // the same bytes would be refused again
    } catch (IOException e) {
      return false;
    }
  }

  // ---- the subscription

  private void staySubscribed() {
    long giveUpAt = System.nanoTime() + settings.subscribeTimeout().toNanos();
    boolean everConnected = false;
    HttpClient client = PlainHttp.client(settings.callTimeout());
    http = client;
    try {
      while (!closed) {
        String why = subscribe(client);
        if (closed) {
          return;
        }
        if (connected) {
          connected = false;
          everConnected = true;
          giveUpAt = System.nanoTime() + environment.recoveryTimeout().toNanos();
          if (!environment.checkpoint()) {
            listener.shutdown("the agent is gone and the framework does not checkpoint");
            return;
          }
        }
        if (System.nanoTime() > giveUpAt) {
          listener.shutdown("the agent cannot be reached: " + why);
          return;
        }
        TimeUnit.MILLISECONDS.sleep(pauseMillis(everConnected));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log("Unexpected: " + e);
      listener.shutdown("the connection to the agent failed: " + e);
    }
  }

  private long pauseMillis(boolean everConnected) {
    long most = everConnected ? environment.backoffMax().toMillis() : FIRST_RETRY_MILLIS;
    return ThreadLocalRandom.current().nextLong(Math.max(1, most));
  }

  /** Subscribes and handles events until the stream ends; why it ended. */
  private String subscribe(HttpClient client) throws InterruptedException {
    Call call = call(Call.Type.SUBSCRIBE).setSubscribe(unacknowledged.subscribe()).build();
    try {
      HttpResponse<InputStream> response =
          client.send(
              request(call).header("Accept", settings.wire().mediaType()).build(),
              HttpResponse.BodyHandlers.ofInputStream());
      try (InputStream body = response.body()) {
        if (response.statusCode() != OK) {
          String text = new String(body.readNBytes(READ_BYTES), StandardCharsets.UTF_8);
          log("The agent answered the subscription with " + response.statusCode() + " " + text);
          return response.statusCode() + " " + text;
        }
        return readEvents(body);
      }
    } catch (IOException | RecordIo.MalformedStreamException e) {
      return e.getClass().getSimpleName() + ": " + e.getMessage();
    }
  }

  private String readEvents(InputStream body) throws IOException {
    RecordIo.Decoder decoder = new RecordIo.Decoder(MAX_RECORD_BYTES);
    byte[] chunk = new byte[READ_BYTES];
    for (int count = body.read(chunk); count >= 0; count = body.read(chunk)) {
      for (byte[] record : decoder.feed(ByteBuffer.wrap(chunk, 0, count))) {
        onRecord(record);
      }
    }
    return "the agent closed the stream";
  }

  private void onRecord(byte[] record) {
    Event.Builder event = Event.newBuilder();
    try {
      settings.wire().read(record, event);
    } catch (WireFormat.UnreadableBodyException e) {
      log("An event of the agent cannot be read: " + e.getMessage());
      return;
    }
    onEvent(event.build());
  }

  private void onEvent(Event event) {
    switch (event.getType()) {
      case SUBSCRIBED -> onSubscribed(event.getSubscribed());
      case LAUNCH -> {
        unacknowledged.launched(event.getLaunch().getTask());
        listener.launch(
            event.getLaunch().getTask().getTaskId().getValue(),
            event.getLaunch().getTask().getData().toByteArray());
      }
      case LAUNCH_GROUP ->
          event
              .getLaunchGroup()
              .getTaskGroup()
              .getTasksList()
              .forEach(
                  task -> {
                    unacknowledged.launched(task);
                    report(
                        task.getTaskId().getValue(), State.FAILED, "task groups are not supported");
                  });
      case KILL ->
          listener.kill(
              event.getKill().getTaskId().getValue(),
              event.getKill().hasKillPolicy()
                  ? grace(event.getKill().getKillPolicy())
                  : Optional.empty());
      case ACKNOWLEDGED ->
          unacknowledged.acknowledged(
              event.getAcknowledged().getTaskId(), event.getAcknowledged().getUuid());
      case MESSAGE -> listener.message(event.getMessage().getData().toByteArray());
      case SHUTDOWN -> listener.shutdown("the agent says so");
      case ERROR -> listener.shutdown("the agent reports " + event.getError().getMessage());
      case HEARTBEAT, UNKNOWN -> {}
    }
  }

  private static Optional<Duration> grace(KillPolicy policy) {
    return policy.hasGracePeriod()
        ? Optional.of(Duration.ofNanos(policy.getGracePeriod().getNanoseconds()))
        : Optional.empty();
  }

  private void onSubscribed(Event.Subscribed subscribed) {
    killingIsKnown =
        subscribed.getFrameworkInfo().getCapabilitiesList().stream()
            .anyMatch(
                capability ->
                    capability.getType()
                        == org.apache.mesos.v1.Protos.FrameworkInfo.Capability.Type
                            .TASK_KILLING_STATE);
    connected = true;
    listener.subscribed(
        new Executor(
            environment.frameworkId(),
            environment.executorId(),
            subscribed.getAgentInfo().getId().getValue(),
            subscribed.getAgentInfo().getHostname()));
  }

  // ---- calls

  private Call.Builder call(Call.Type type) {
    return Call.newBuilder().setType(type).setFrameworkId(frameworkId).setExecutorId(executorId);
  }

  private HttpRequest.Builder request(Call call) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(environment.agent())
            .header("Content-Type", settings.wire().mediaType())
            .POST(HttpRequest.BodyPublishers.ofByteArray(settings.wire().write(call)));
    environment.token().ifPresent(token -> request.header("Authorization", "Bearer " + token));
    return request;
  }

  /** The logging library is not loaded for the first subscription's sake. */
  private static void log(String line) {
    org.slf4j.LoggerFactory.getLogger(AgentConnection.class).warn(line);
  }
}
