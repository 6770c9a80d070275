package io.troupe.executor.mesos;

import com.google.protobuf.ByteString;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.troupe.mesos.RecordIo;
import io.troupe.mesos.WireFormat;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.v1.Protos.AgentID;
import org.apache.mesos.v1.Protos.AgentInfo;
import org.apache.mesos.v1.Protos.DurationInfo;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.KillPolicy;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.executor.Protos.Call;
import org.apache.mesos.v1.executor.Protos.Event;
import org.jspecify.annotations.Nullable;

/**
 * The executor API of an agent, over real HTTP: answers as a real one does, and does by itself no
 * more than acknowledge updates, when told to.
 */
public final class FakeAgent implements AutoCloseable {
  public static final String AGENT_ID = "agent-1";

  /** An executor that is still there so long after SHUTDOWN is killed. */
  public static final Duration SHUTDOWN_GRACE = Duration.ofSeconds(10);

  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final WireFormat wire;
  private final HttpServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final BlockingQueue<Call> calls = new LinkedBlockingQueue<>();
  private final BlockingQueue<TaskStatus> updates = new LinkedBlockingQueue<>();
  private volatile boolean acknowledging = true;
  private volatile int answer = 202;
  private @Nullable HttpExchange stream;

  private FakeAgent(WireFormat wire, HttpServer server) {
    this.wire = wire;
    this.server = server;
  }

  public static FakeAgent start(WireFormat wire) throws IOException {
    return start(wire, 0);
  }

  public static FakeAgent start(WireFormat wire, int port) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    FakeAgent agent = new FakeAgent(wire, server);
    server.createContext("/api/v1/executor", agent::handle);
    server.setExecutor(agent.threads);
    server.start();
    return agent;
  }

  public int port() {
    return server.getAddress().getPort();
  }

  /** What a real agent would put into the environment, for a framework that checkpoints. */
  public Map<String, String> environment(String sandbox) {
    Map<String, String> variables = new HashMap<>();
    variables.put("MESOS_FRAMEWORK_ID", "framework-1");
    variables.put("MESOS_EXECUTOR_ID", "executor-1");
    variables.put("MESOS_SLAVE_ID", AGENT_ID);
    variables.put("MESOS_AGENT_ENDPOINT", "127.0.0.1:" + port());
    variables.put("MESOS_SANDBOX", sandbox);
    variables.put("MESOS_CHECKPOINT", "1");
    variables.put("MESOS_RECOVERY_TIMEOUT", "15mins");
    variables.put("MESOS_SUBSCRIPTION_BACKOFF_MAX", "200ms");
    variables.put("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", SHUTDOWN_GRACE.toSeconds() + "secs");
    return variables;
  }

  /** Whether updates are acknowledged as they come; they are unless this says otherwise. */
  public void acknowledging(boolean yes) {
    acknowledging = yes;
  }

  /** The status code of the answers to all calls but SUBSCRIBE. */
  public void answering(int status) {
    answer = status;
  }

  private void handle(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
    Call.Builder builder = Call.newBuilder();
    try {
      wire.read(body, builder);
    } catch (WireFormat.UnreadableBodyException e) {
      exchange.sendResponseHeaders(400, 0);
      exchange.close();
      return;
    }
    Call call = builder.build();
    if (call.getType() == Call.Type.SUBSCRIBE) {
      subscribe(exchange);
      calls.add(call);
      return;
    }
    int status = answer;
    exchange.sendResponseHeaders(status, -1);
    exchange.close();
    if (status == 202) {
      calls.add(call);
      if (call.getType() == Call.Type.UPDATE) {
        updates.add(call.getUpdate().getStatus());
        if (acknowledging) {
          acknowledge(call.getUpdate().getStatus());
        }
      }
    }
  }

  private synchronized void subscribe(HttpExchange exchange) throws IOException {
    closeStream();
    exchange.getResponseHeaders().set("Content-Type", wire.mediaType());
    exchange.sendResponseHeaders(200, 0);
    stream = exchange;
    ExecutorInfo executor =
        ExecutorInfo.newBuilder()
            .setExecutorId(ExecutorID.newBuilder().setValue("executor-1"))
            .build();
    send(
        Event.newBuilder()
            .setType(Event.Type.SUBSCRIBED)
            .setSubscribed(
                Event.Subscribed.newBuilder()
                    .setExecutorInfo(executor)
                    .setFrameworkInfo(
                        FrameworkInfo.newBuilder()
                            .setUser("me")
                            .setName("troupe")
                            .setId(FrameworkID.newBuilder().setValue("framework-1"))
                            .addCapabilities(
                                FrameworkInfo.Capability.newBuilder()
                                    .setType(FrameworkInfo.Capability.Type.TASK_KILLING_STATE)))
                    .setAgentInfo(
                        AgentInfo.newBuilder()
                            .setHostname("host-1")
                            .setId(AgentID.newBuilder().setValue(AGENT_ID))))
            .build());
  }

  /** Sends an event on the stream of the last subscriber. */
  public synchronized void send(Event event) throws IOException {
    if (stream == null) {
      throw new IllegalStateException("nobody has subscribed");
    }
    OutputStream out = stream.getResponseBody();
    out.write(RecordIo.encode(wire.write(event)));
    out.flush();
  }

  public void launch(String task, byte[] data) throws IOException {
    send(
        Event.newBuilder()
            .setType(Event.Type.LAUNCH)
            .setLaunch(
                Event.Launch.newBuilder()
                    .setTask(
                        TaskInfo.newBuilder()
                            .setName(task)
                            .setTaskId(id(task))
                            .setAgentId(AgentID.newBuilder().setValue(AGENT_ID))
                            .setData(ByteString.copyFrom(data))))
            .build());
  }

  public void kill(String task, Duration grace) throws IOException {
    send(
        Event.newBuilder()
            .setType(Event.Type.KILL)
            .setKill(
                Event.Kill.newBuilder()
                    .setTaskId(id(task))
                    .setKillPolicy(
                        KillPolicy.newBuilder()
                            .setGracePeriod(
                                DurationInfo.newBuilder().setNanoseconds(grace.toNanos()))))
            .build());
  }

  public void message(byte[] data) throws IOException {
    send(
        Event.newBuilder()
            .setType(Event.Type.MESSAGE)
            .setMessage(Event.Message.newBuilder().setData(ByteString.copyFrom(data)))
            .build());
  }

  public void shutdown() throws IOException {
    send(Event.newBuilder().setType(Event.Type.SHUTDOWN).build());
  }

  public void acknowledge(TaskStatus status) throws IOException {
    send(
        Event.newBuilder()
            .setType(Event.Type.ACKNOWLEDGED)
            .setAcknowledged(
                Event.Acknowledged.newBuilder()
                    .setTaskId(status.getTaskId())
                    .setUuid(status.getUuid()))
            .build());
  }

  private static TaskID id(String task) {
    return TaskID.newBuilder().setValue(task).build();
  }

  /** The next call of the type; other calls before it are dropped. */
  public Call expect(Call.Type type) throws InterruptedException {
    while (true) {
      Call call = calls.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
      if (call == null) {
        throw new AssertionError("no " + type + " within " + LIMIT);
      }
      if (call.getType() == type) {
        return call;
      }
    }
  }

  /** The next update. */
  public TaskStatus expectUpdate() throws InterruptedException {
    TaskStatus status = updates.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
    if (status == null) {
      throw new AssertionError("no update within " + LIMIT);
    }
    return status;
  }

  /** Breaks the stream, as a crash of the agent would. */
  public synchronized void closeStream() {
    if (stream != null) {
      stream.close();
      stream = null;
    }
  }

  @Override
  public void close() {
    closeStream();
    server.stop(0);
    threads.shutdownNow();
  }
}
