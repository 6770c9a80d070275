package io.troupe.executor;

import io.troupe.executor.mesos.FakeAgent;
import io.troupe.mesos.WireFormat;
import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.Requirements;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.protocol.ClusterInfo;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.codec.TaskDataCodec;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An agent in a process of its own, for tests that kill it; it launches one task after another. */
final class AgentProcess implements AutoCloseable {
  final Process process;
  private final int port;

  private AgentProcess(Process process, int port) {
    this.process = process;
    this.port = port;
  }

  /** Starts one that launches so many workers of this kind as soon as the executor is there. */
  static AgentProcess start(int workers, String command) throws IOException {
    return start(workers, command, "NONE");
  }

  /** The same for workers that speak frames and are forked from one of them. */
  static AgentProcess startForking(int workers, String command) throws IOException {
    return start(workers, command, "FRAMES");
  }

  private static AgentProcess start(int workers, String command, String protocol)
      throws IOException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                AgentProcess.class.getName(),
                Integer.toString(workers),
                command,
                protocol)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader told =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
    return new AgentProcess(process, Integer.parseInt(told.readLine()));
  }

  /** What it would put into the executor's environment, if the framework does not checkpoint. */
  Map<String, String> environment(Path sandbox) {
    Map<String, String> variables = new HashMap<>();
    variables.put("MESOS_FRAMEWORK_ID", "framework-1");
    variables.put("MESOS_EXECUTOR_ID", "executor-1");
    variables.put("MESOS_SLAVE_ID", "agent-1");
    variables.put("MESOS_AGENT_ENDPOINT", "127.0.0.1:" + port);
    variables.put("MESOS_SANDBOX", sandbox.toString());
    variables.put("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "3secs");
    return variables;
  }

  @Override
  public void close() {
    process.destroyForcibly().onExit().join();
  }

  /** Runs the agent until it is killed, or whoever started it is. */
  public static void main(String[] arguments) throws Exception {
    FakeAgent agent = FakeAgent.start(WireFormat.JSON);
    String endpoint = agent.environment("/").get("MESOS_AGENT_ENDPOINT");
    System.out.println(endpoint.substring(endpoint.indexOf(':') + 1));
    agent.expect(org.apache.mesos.v1.executor.Protos.Call.Type.SUBSCRIBE);
    ClusterInfo nobody = new ClusterInfo("troupe", 1, List.of("akka://troupe@127.0.0.1:16000"));
    WorkerProtocol protocol = WorkerProtocol.valueOf(arguments[2]);
    TaskData.Worker worker =
        new TaskData.Worker(
            arguments[1],
            protocol,
            List.of(),
            Map.of(),
            List.of(),
            64,
            0.1,
            java.time.Duration.ofSeconds(60),
            Upkeep.NONE,
            HttpChecks.NONE,
            Requirements.NONE,
            Container.NONE,
            List.of(),
            new Serving(1, protocol == WorkerProtocol.FRAMES));
    for (int i = 0; i < Integer.parseInt(arguments[0]); i++) {
      agent.launch("w" + i, TaskDataCodec.write(new TaskData(1, nobody, "family", worker)));
    }
    while (System.in.read() >= 0) {}
    System.exit(0);
  }
}
