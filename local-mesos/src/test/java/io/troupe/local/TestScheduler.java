package io.troupe.local;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.troupe.mesos.RecordIo;
import io.troupe.mesos.WireFormat;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.apache.mesos.v1.Protos.AgentID;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.Offer;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.Protos.Value;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;

/**
 * A scheduler for tests over real HTTP; acknowledges what it is asked to. Every wait has an end.
 */
final class TestScheduler implements AutoCloseable {

  private static final Duration PATIENCE = Duration.ofSeconds(40);

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final URI uri;
  private final WireFormat format;
  private final LinkedBlockingQueue<Event> events = new LinkedBlockingQueue<>();
  private final List<Event> passedOver = new ArrayList<>();
  private final InputStream stream;
  private final String streamId;
  private final FrameworkID frameworkId;

  TestScheduler(String master, WireFormat format, FrameworkInfo info) throws Exception {
    this.uri = URI.create(master + "/api/v1/scheduler");
    this.format = format;
    Call.Builder call =
        Call.newBuilder()
            .setType(Call.Type.SUBSCRIBE)
            .setSubscribe(Call.Subscribe.newBuilder().setFrameworkInfo(info));
    if (info.hasId()) {
      call.setFrameworkId(info.getId());
    }
    HttpResponse<InputStream> response =
        http.send(request(call.build()).build(), BodyHandlers.ofInputStream());
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).contains(format.mediaType());
    stream = response.body();
    streamId = response.headers().firstValue("Mesos-Stream-Id").orElseThrow();
    Thread reader = new Thread(this::read, "events");
    reader.setDaemon(true);
    reader.start();
    frameworkId = await(Event.Type.SUBSCRIBED).getSubscribed().getFrameworkId();
  }

  private HttpRequest.Builder request(Call call) {
    return HttpRequest.newBuilder(uri)
        .header("Content-Type", format.mediaType())
        .header("Accept", format.mediaType())
        .timeout(PATIENCE)
        .POST(BodyPublishers.ofByteArray(format.write(call)));
  }

  private void read() {
    RecordIo.Decoder decoder = new RecordIo.Decoder(1 << 28);
    byte[] chunk = new byte[8192];
    try {
      for (int length = stream.read(chunk); length >= 0; length = stream.read(chunk)) {
        for (byte[] record : decoder.feed(ByteBuffer.wrap(chunk, 0, length))) {
          Event.Builder event = Event.newBuilder();
          format.read(record, event);
          events.add(event.build());
        }
      }
    } catch (IOException | WireFormat.UnreadableBodyException e) {
      events.add(Event.newBuilder().setType(Event.Type.UNKNOWN).build());
    }
  }

  FrameworkID frameworkId() {
    return frameworkId;
  }

  /** Sends the call for this framework; the status that it is answered. */
  int call(Call.Builder call) throws Exception {
    HttpRequest request =
        request(call.setFrameworkId(frameworkId).build())
            .header("Mesos-Stream-Id", streamId)
            .build();
    return http.send(request, BodyHandlers.discarding()).statusCode();
  }

  Event await(Event.Type type) throws InterruptedException {
    return await(type.toString(), event -> event.getType() == type);
  }

  /** The first event that fits, among those not awaited before. */
  Event await(String what, Predicate<Event> fits) throws InterruptedException {
    Optional<Event> earlier = passedOver.stream().filter(fits).findFirst();
    if (earlier.isPresent()) {
      passedOver.remove(earlier.get());
      return earlier.get();
    }
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      Event event = events.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      assertThat(event).as("%s should come; passed over: %s", what, passedOver).isNotNull();
      if (fits.test(event)) {
        return event;
      }
      passedOver.add(event);
    }
  }

  /** The update, which is acknowledged if it must be. */
  TaskStatus awaitUpdate(String taskId, TaskState state) throws Exception {
    TaskStatus status =
        await(
                taskId + " " + state,
                event ->
                    event.getType() == Event.Type.UPDATE
                        && event.getUpdate().getStatus().getTaskId().getValue().equals(taskId)
                        && event.getUpdate().getStatus().getState() == state)
            .getUpdate()
            .getStatus();
    if (status.hasUuid()) {
      int answer =
          call(
              Call.newBuilder()
                  .setType(Call.Type.ACKNOWLEDGE)
                  .setAcknowledge(
                      Call.Acknowledge.newBuilder()
                          .setAgentId(status.getAgentId())
                          .setTaskId(status.getTaskId())
                          .setUuid(status.getUuid())));
      assertThat(answer).isEqualTo(202);
    }
    return status;
  }

  Offer awaitOffer() throws InterruptedException {
    return await(Event.Type.OFFERS).getOffers().getOffers(0);
  }

  /** Launches the task on the offer; the rest of the offer is free again at once. */
  void launch(Offer offer, TaskInfo.Builder task) throws Exception {
    Offer.Operation launch =
        Offer.Operation.newBuilder()
            .setType(Offer.Operation.Type.LAUNCH)
            .setLaunch(
                Offer.Operation.Launch.newBuilder()
                    .addTaskInfos(task.setAgentId(offer.getAgentId())))
            .build();
    Call.Builder accept =
        Call.newBuilder()
            .setType(Call.Type.ACCEPT)
            .setAccept(
                Call.Accept.newBuilder()
                    .addOfferIds(offer.getId())
                    .addOperations(launch)
                    .setFilters(
                        org.apache.mesos.v1.Protos.Filters.newBuilder().setRefuseSeconds(0)));
    assertThat(call(accept)).isEqualTo(202);
  }

  static TaskInfo.Builder task(String id) {
    return TaskInfo.newBuilder()
        .setName(id)
        .setTaskId(TaskID.newBuilder().setValue(id))
        .addResources(scalar("cpus", 0.1))
        .addResources(scalar("mem", 32));
  }

  static TaskInfo.Builder command(String id, String command) {
    return task(id).setCommand(CommandInfo.newBuilder().setValue(command));
  }

  static ExecutorInfo executor(String id, String command) {
    return ExecutorInfo.newBuilder()
        .setExecutorId(ExecutorID.newBuilder().setValue(id))
        .setType(ExecutorInfo.Type.CUSTOM)
        .setCommand(CommandInfo.newBuilder().setValue(command))
        .addResources(scalar("cpus", 0.1))
        .addResources(scalar("mem", 32))
        .build();
  }

  private static Resource scalar(String name, double value) {
    return Resource.newBuilder()
        .setName(name)
        .setType(Value.Type.SCALAR)
        .setScalar(Value.Scalar.newBuilder().setValue(value))
        .build();
  }

  void kill(String taskId) throws Exception {
    assertThat(
            call(
                Call.newBuilder()
                    .setType(Call.Type.KILL)
                    .setKill(
                        Call.Kill.newBuilder().setTaskId(TaskID.newBuilder().setValue(taskId)))))
        .isEqualTo(202);
  }

  void message(AgentID agent, String executorId, String data) throws Exception {
    assertThat(
            call(
                Call.newBuilder()
                    .setType(Call.Type.MESSAGE)
                    .setMessage(
                        Call.Message.newBuilder()
                            .setAgentId(agent)
                            .setExecutorId(ExecutorID.newBuilder().setValue(executorId))
                            .setData(ByteString.copyFromUtf8(data)))))
        .isEqualTo(202);
  }

  void teardown() throws Exception {
    assertThat(call(Call.newBuilder().setType(Call.Type.TEARDOWN))).isEqualTo(202);
  }

  /** Breaks the connection without a word. */
  @Override
  public void close() throws IOException {
    stream.close();
  }
}
