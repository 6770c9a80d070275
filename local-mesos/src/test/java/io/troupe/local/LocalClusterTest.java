package io.troupe.local;

import static io.troupe.local.TestScheduler.command;
import static io.troupe.local.TestScheduler.executor;
import static io.troupe.local.TestScheduler.task;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import io.troupe.mesos.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.Offer;
import org.apache.mesos.v1.Protos.TaskState;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The whole of it, over real HTTP and with real processes. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class LocalClusterTest {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path PYTHON = Path.of("src/test/python").toAbsolutePath();
  private static final String EXECUTOR = "exec python3 " + PYTHON.resolve("test_executor.py");

  @TempDir private Path workDir;
  private LocalCluster cluster;
  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  static LocalSettings settings(Path workDir, int port) {
    return new LocalSettings(
        "127.0.0.1",
        "localhost",
        port,
        0,
        1,
        4,
        1024,
        1024,
        "[31000-31100]",
        "rack:r1",
        workDir,
        Duration.ofMillis(500),
        2,
        Duration.ofSeconds(60),
        Duration.ofSeconds(2),
        Duration.ofSeconds(10),
        Duration.ofMillis(300),
        Map.of("EXTRA", "yes", "PATH", System.getenv("PATH")),
        false);
  }

  @BeforeEach
  void start() throws Exception {
    cluster = LocalCluster.start(settings(workDir, 0), () -> {});
  }

  @AfterEach
  void stop() {
    cluster.close();
    assertThat(processesOf(workDir)).as("processes left behind").isEmpty();
  }

  private static FrameworkInfo.Builder framework() {
    return FrameworkInfo.newBuilder().setUser("root").setName("test");
  }

  private static FrameworkInfo.Builder longLived() {
    return framework()
        .setCheckpoint(true)
        .setFailoverTimeout(600)
        .addCapabilities(
            FrameworkInfo.Capability.newBuilder()
                .setType(FrameworkInfo.Capability.Type.PARTITION_AWARE));
  }

  private JsonNode get(String path) throws Exception {
    HttpResponse<String> response =
        http.send(
            HttpRequest.newBuilder(URI.create(cluster.url() + path)).build(),
            BodyHandlers.ofString());
    assertThat(response.statusCode()).as(path).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  private HttpResponse<String> post(String path, String body) throws Exception {
    return http.send(
        HttpRequest.newBuilder(URI.create(cluster.url() + path))
            .timeout(Duration.ofSeconds(60))
            .POST(BodyPublishers.ofString(body))
            .build(),
        BodyHandlers.ofString());
  }

  /** Processes whose working directory or environment lies in the directory. */
  static List<Long> processesOf(Path directory) {
    return ProcessHandle.allProcesses()
        .filter(ProcessHandle::isAlive)
        .map(ProcessHandle::pid)
        .filter(pid -> belongs(pid, directory.toString()))
        .toList();
  }

  private static boolean belongs(long pid, String directory) {
    try {
      Path proc = Path.of("/proc", Long.toString(pid));
      return Files.readSymbolicLink(proc.resolve("cwd")).toString().startsWith(directory)
          || new String(Files.readAllBytes(proc.resolve("environ")), StandardCharsets.ISO_8859_1)
              .contains("MESOS_DIRECTORY=" + directory);
    } catch (IOException e) {
      return false; // gone, a zombie, or somebody else's
    }
  }

  static void eventually(String what, BooleanSupplier holds) throws InterruptedException {
    long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!holds.getAsBoolean()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  @Test
  void a_scheduler_written_from_the_documentation_runs_a_command_and_reads_its_output()
      throws Exception {
    Process scheduler =
        new ProcessBuilder(
                "python3",
                PYTHON.resolve("minimal_scheduler.py").toString(),
                "127.0.0.1:" + cluster.port(),
                "echo hello from $MESOS_EXECUTOR_ID; echo extra: $EXTRA")
            .redirectErrorStream(true)
            .start();
    String output = new String(scheduler.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(scheduler.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(output)
        .isEqualTo(
            "TASK_STARTING\nTASK_RUNNING\nTASK_FINISHED\nhello from minimal-1\nextra: yes\n");
    assertThat(scheduler.exitValue()).isZero();
  }

  @ParameterizedTest
  @EnumSource(WireFormat.class)
  void commands_end_as_they_end(WireFormat format) throws Exception {
    try (TestScheduler scheduler = new TestScheduler(cluster.url(), format, framework().build())) {
      scheduler.launch(scheduler.awaitOffer(), command("fails", "exit 4"));
      scheduler.awaitUpdate("fails", TaskState.TASK_STARTING);
      scheduler.awaitUpdate("fails", TaskState.TASK_RUNNING);
      assertThat(scheduler.awaitUpdate("fails", TaskState.TASK_FAILED).getMessage())
          .isEqualTo("Command exited with status 4");

      CommandInfo argv =
          CommandInfo.newBuilder()
              .setShell(false)
              .setValue("/bin/sh")
              .addArguments("renamed")
              .addArguments("-c")
              .addArguments("[ \"$0\" = renamed ] && kill -9 $$")
              .build();
      scheduler.launch(scheduler.awaitOffer(), task("argv").setCommand(argv));
      scheduler.awaitUpdate("argv", TaskState.TASK_STARTING);
      scheduler.awaitUpdate("argv", TaskState.TASK_RUNNING);
      assertThat(scheduler.awaitUpdate("argv", TaskState.TASK_FAILED).getMessage())
          .isEqualTo("Command terminated with signal Killed");

      scheduler.launch(scheduler.awaitOffer(), command("killed", "sleep 1000 & wait"));
      scheduler.awaitUpdate("killed", TaskState.TASK_STARTING);
      scheduler.awaitUpdate("killed", TaskState.TASK_RUNNING);
      scheduler.kill("killed");
      scheduler.awaitUpdate("killed", TaskState.TASK_KILLED);
      scheduler.teardown();
    }
  }

  @ParameterizedTest
  @EnumSource(WireFormat.class)
  void an_executor_runs_tasks_answers_messages_and_its_end_is_told(WireFormat format)
      throws Exception {
    try (TestScheduler scheduler = new TestScheduler(cluster.url(), format, framework().build())) {
      Offer offer = scheduler.awaitOffer();
      scheduler.launch(offer, task("one").setExecutor(executor("ex", EXECUTOR)));
      TaskStatus running = scheduler.awaitUpdate("one", TaskState.TASK_RUNNING);
      assertThat(ProcessHandle.of(running.getContainerStatus().getExecutorPid())).isPresent();

      scheduler.message(offer.getAgentId(), "ex", "there and back");
      assertThat(scheduler.await(Event.Type.MESSAGE).getMessage().getData().toStringUtf8())
          .isEqualTo("there and back");

      Offer second =
          scheduler
              .await(
                  "an offer that names the executor",
                  event ->
                      event.getType() == Event.Type.OFFERS
                          && event.getOffers().getOffers(0).getExecutorIdsCount() == 1)
              .getOffers()
              .getOffers(0);
      scheduler.launch(second, task("two").setExecutor(executor("ex", EXECUTOR)));
      assertThat(
              scheduler
                  .awaitUpdate("two", TaskState.TASK_RUNNING)
                  .getContainerStatus()
                  .getExecutorPid())
          .isEqualTo(running.getContainerStatus().getExecutorPid());
      scheduler.kill("one");
      scheduler.awaitUpdate("one", TaskState.TASK_KILLED);

      scheduler.message(offer.getAgentId(), "ex", "exit");
      assertThat(scheduler.await(Event.Type.FAILURE).getFailure().getStatus()).isEqualTo(7 << 8);
      assertThat(scheduler.awaitUpdate("two", TaskState.TASK_FAILED).getReason())
          .isEqualTo(TaskStatus.Reason.REASON_EXECUTOR_TERMINATED);
      scheduler.teardown();
    }
  }

  @Test
  void a_signal_to_the_first_process_is_told_from_one_to_the_command() throws Exception {
    try (TestScheduler scheduler =
        new TestScheduler(cluster.url(), WireFormat.JSON, framework().build())) {
      scheduler.launch(scheduler.awaitOffer(), task("t").setExecutor(executor("first", EXECUTOR)));
      int pid =
          scheduler.awaitUpdate("t", TaskState.TASK_RUNNING).getContainerStatus().getExecutorPid();
      assertThat(ProcessHandle.of(pid).orElseThrow().destroyForcibly()).isTrue();
      assertThat(scheduler.await(Event.Type.FAILURE).getFailure().getStatus()).isEqualTo(9);

      scheduler.launch(
          scheduler.awaitOffer(), task("u").setExecutor(executor("second", "kill -9 $$")));
      assertThat(scheduler.await(Event.Type.FAILURE).getFailure().getStatus()).isEqualTo(137 << 8);
      scheduler.teardown();
    }
  }

  @Test
  void files_are_fetched_into_the_sandbox_before_the_command_runs() throws Exception {
    Path archive = workDir.resolve("bundle.tar.gz");
    Files.createDirectories(workDir.resolve("source/lib"));
    Files.writeString(workDir.resolve("source/lib/inner.txt"), "inner\n");
    assertThat(
            new ProcessBuilder(
                    "tar",
                    "-C",
                    workDir.resolve("source").toString(),
                    "-czf",
                    archive.toString(),
                    "lib")
                .start()
                .waitFor())
        .isZero();
    HttpServer files =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    files.createContext(
        "/tool",
        exchange -> {
          byte[] body = "#!/bin/sh\necho tool ran\n".getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    files.start();
    try (TestScheduler scheduler =
        new TestScheduler(cluster.url(), WireFormat.PROTOBUF, framework().build())) {
      CommandInfo.Builder command =
          CommandInfo.newBuilder()
              .setValue("cat lib/inner.txt kept/as-is.tgz.size; ./tool")
              .addUris(CommandInfo.URI.newBuilder().setValue("file://" + archive))
              .addUris(
                  CommandInfo.URI
                      .newBuilder()
                      .setValue(writeSize(archive).toString())
                      .setOutputFile("kept/as-is.tgz.size")
                      .setExtract(false))
              .addUris(
                  CommandInfo.URI
                      .newBuilder()
                      .setValue("http://127.0.0.1:" + files.getAddress().getPort() + "/tool")
                      .setExecutable(true));
      scheduler.launch(scheduler.awaitOffer(), task("fetch").setCommand(command));
      scheduler.awaitUpdate("fetch", TaskState.TASK_STARTING);
      scheduler.awaitUpdate("fetch", TaskState.TASK_RUNNING);
      scheduler.awaitUpdate("fetch", TaskState.TASK_FINISHED);
      assertThat(sandboxFile("fetch", "stdout"))
          .isEqualTo("inner\n" + Files.size(archive) + "\ntool ran\n");

      scheduler.launch(
          scheduler.awaitOffer(),
          task("missing")
              .setCommand(
                  CommandInfo.newBuilder()
                      .setValue("true")
                      .addUris(CommandInfo.URI.newBuilder().setValue("/no/such/file"))));
      TaskStatus failed = scheduler.awaitUpdate("missing", TaskState.TASK_FAILED);
      assertThat(failed.getReason()).isEqualTo(TaskStatus.Reason.REASON_CONTAINER_LAUNCH_FAILED);
      assertThat(failed.getMessage()).contains("Failed to fetch all URIs");
      assertThat(sandboxFile("missing", "stderr")).contains("/no/such/file");
      scheduler.teardown();
    } finally {
      files.stop(0);
    }
  }

  private Path writeSize(Path archive) throws IOException {
    return Files.writeString(workDir.resolve("size"), Files.size(archive) + "\n");
  }

  private String sandboxFile(String executorId, String name) throws IOException {
    try (Stream<Path> files = Files.walk(workDir.resolve("agent-0/slaves"))) {
      Path file =
          files
              .filter(path -> path.getFileName().toString().equals(name))
              .filter(path -> path.toString().contains("/executors/" + executorId + "/runs/"))
              .findFirst()
              .orElseThrow();
      return Files.readString(file);
    }
  }

  @Test
  void a_lost_machine_takes_every_process_with_it_and_the_master_finds_out_by_itself()
      throws Exception {
    try (TestScheduler scheduler =
        new TestScheduler(cluster.url(), WireFormat.PROTOBUF, longLived().build())) {
      Offer offer = scheduler.awaitOffer();
      scheduler.launch(offer, task("t").setExecutor(executor("family", EXECUTOR + " family")));
      scheduler.awaitUpdate("t", TaskState.TASK_RUNNING);
      eventually("the family is there", () -> sleepers().size() >= 2);
      List<ProcessHandle> family = sleepers();

      String agentId = offer.getAgentId().getValue();
      assertThat(post("/local/agents/" + agentId + "/kill", "").statusCode()).isEqualTo(200);
      eventually(
          "nobody of the family lives", () -> family.stream().noneMatch(ProcessHandle::isAlive));
      assertThat(processesOf(workDir)).isEmpty();

      TaskStatus status = scheduler.awaitUpdate("t", TaskState.TASK_UNREACHABLE);
      assertThat(status.getReason()).isEqualTo(TaskStatus.Reason.REASON_AGENT_REMOVED);
      Event failure = scheduler.await(Event.Type.FAILURE);
      assertThat(failure.getFailure().getAgentId()).isEqualTo(offer.getAgentId());
      assertThat(failure.getFailure().hasExecutorId()).isFalse();
      assertThat(get("/local/agents").get(0).get("state").asText()).isEqualTo("lost");
      assertThat(get("/slaves").get("slaves")).isEmpty();

      HttpResponse<String> added = post("/local/agents", "{\"cpus\": 2, \"mem\": 256}");
      assertThat(added.statusCode()).isEqualTo(200);
      String newId = JSON.readTree(added.body()).get("id").asText();
      Event offers =
          scheduler.await(
              "an offer of the new agent",
              event ->
                  event.getType() == Event.Type.OFFERS
                      && event.getOffers().getOffers(0).getAgentId().getValue().equals(newId));
      assertThat(offers.getOffers().getOffers(0).getResourcesList())
          .anyMatch(
              resource ->
                  resource.getName().equals("cpus") && resource.getScalar().getValue() == 2);
      scheduler.teardown();
    }
  }

  /** The test executor's family sleeps for times that nobody else does. */
  private static List<ProcessHandle> sleepers() {
    return ProcessHandle.allProcesses()
        .filter(
            process ->
                process
                    .info()
                    .commandLine()
                    .filter(line -> line.endsWith("sleep 1000") || line.endsWith("sleep 1001"))
                    .isPresent())
        .toList();
  }

  @Test
  void an_executor_that_dies_takes_its_family_with_it() throws Exception {
    try (TestScheduler scheduler =
        new TestScheduler(cluster.url(), WireFormat.JSON, framework().build())) {
      Offer offer = scheduler.awaitOffer();
      scheduler.launch(offer, task("t").setExecutor(executor("family", EXECUTOR + " family")));
      scheduler.awaitUpdate("t", TaskState.TASK_RUNNING);
      eventually("the family is there", () -> sleepers().size() >= 2);
      // The agent has to have seen the family while its parents lived.
      TimeUnit.MILLISECONDS.sleep(2500);
      List<ProcessHandle> family = sleepers();
      scheduler.message(offer.getAgentId(), "family", "exit");
      scheduler.await(Event.Type.FAILURE);
      eventually(
          "nobody of the family lives", () -> family.stream().noneMatch(ProcessHandle::isAlive));
      scheduler.teardown();
    }
  }

  @Test
  void an_agent_that_crashes_comes_back_with_its_id_and_its_executors() throws Exception {
    try (TestScheduler scheduler =
        new TestScheduler(cluster.url(), WireFormat.PROTOBUF, longLived().build())) {
      Offer offer = scheduler.awaitOffer();
      scheduler.launch(offer, task("t").setExecutor(executor("ex", EXECUTOR)));
      int pid =
          scheduler.awaitUpdate("t", TaskState.TASK_RUNNING).getContainerStatus().getExecutorPid();
      String agentId = offer.getAgentId().getValue();
      HttpResponse<String> restarted = post("/local/agents/" + agentId + "/restart", "");
      assertThat(restarted.statusCode()).isEqualTo(200);
      assertThat(JSON.readTree(restarted.body()).get("id").asText()).isEqualTo(agentId);

      eventually(
          "the agent is registered again",
          () -> {
            try {
              return get("/slaves").get("slaves").get(0).has("reregistered_time");
            } catch (Exception e) {
              throw new AssertionError(e);
            }
          });
      assertThat(ProcessHandle.of(pid)).isPresent();
      scheduler.message(offer.getAgentId(), "ex", "still there");
      assertThat(scheduler.await(Event.Type.MESSAGE).getMessage().getData().toStringUtf8())
          .isEqualTo("still there");
      scheduler.kill("t");
      scheduler.awaitUpdate("t", TaskState.TASK_KILLED);
      scheduler.teardown();
    }
  }

  @Test
  void a_scheduler_that_comes_back_in_time_finds_its_tasks() throws Exception {
    FrameworkInfo.Builder info = longLived();
    Offer offer;
    try (TestScheduler first =
        new TestScheduler(cluster.url(), WireFormat.PROTOBUF, info.build())) {
      offer = first.awaitOffer();
      info.setId(first.frameworkId());
      first.launch(offer, task("t").setExecutor(executor("ex", EXECUTOR)));
      first.awaitUpdate("t", TaskState.TASK_RUNNING);
    }
    try (TestScheduler second = new TestScheduler(cluster.url(), WireFormat.JSON, info.build())) {
      second.call(
          Call.newBuilder()
              .setType(Call.Type.RECONCILE)
              .setReconcile(Call.Reconcile.getDefaultInstance()));
      assertThat(second.awaitUpdate("t", TaskState.TASK_RUNNING).getReason())
          .isEqualTo(TaskStatus.Reason.REASON_RECONCILIATION);
      second.teardown();
    }
  }

  @Test
  void a_scheduler_without_a_failover_timeout_that_goes_takes_its_tasks_with_it() throws Exception {
    try (TestScheduler scheduler =
        new TestScheduler(cluster.url(), WireFormat.PROTOBUF, framework().build())) {
      scheduler.launch(scheduler.awaitOffer(), command("t", "sleep 1000"));
      scheduler.awaitUpdate("t", TaskState.TASK_STARTING);
      scheduler.awaitUpdate("t", TaskState.TASK_RUNNING);
    }
    eventually("the command is gone", () -> processesOf(workDir).isEmpty());
    assertThat(get("/frameworks").get("completed_frameworks")).hasSize(1);
  }

  @Test
  void a_subscriber_that_does_not_read_holds_up_nobody() throws Exception {
    try (Socket deaf = new Socket(InetAddress.getLoopbackAddress(), cluster.port());
        TestScheduler scheduler =
            new TestScheduler(cluster.url(), WireFormat.PROTOBUF, framework().build())) {
      String body =
          "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":{\"user\":\"u\",\"name\":\"deaf\"},\"suppressed_roles\":[\"*\"]}}";
      deaf.setReceiveBufferSize(1024);
      deaf.getOutputStream()
          .write(
              ("POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                      + "Content-Length: "
                      + body.length()
                      + "\r\n\r\n"
                      + body)
                  .getBytes(StandardCharsets.UTF_8));
      Offer offer = scheduler.awaitOffer();
      for (int i = 0; i < 5; i++) {
        scheduler.launch(offer, command("t" + i, "true"));
        scheduler.awaitUpdate("t" + i, TaskState.TASK_STARTING);
        scheduler.awaitUpdate("t" + i, TaskState.TASK_RUNNING);
        scheduler.awaitUpdate("t" + i, TaskState.TASK_FINISHED);
        offer = scheduler.awaitOffer();
        if (i == 0) {
          deaf.setSoLinger(true, 0);
        }
      }
      scheduler.teardown();
    }
  }

  @Test
  void the_console_and_the_endpoints_answer_under_both_names() throws Exception {
    for (String path :
        List.of(
            "/state",
            "/master/state",
            "/slaves/any",
            "/tasks",
            "/roles",
            "/flags",
            "/version",
            "/metrics/snapshot",
            "/state-summary",
            "/frameworks")) {
      assertThat(get(path).isObject()).as(path).isTrue();
    }
    HttpResponse<String> page =
        http.send(
            HttpRequest.newBuilder(URI.create(cluster.url() + "/")).build(),
            BodyHandlers.ofString());
    assertThat(page.statusCode()).isEqualTo(200);
    assertThat(page.body()).contains("<title>Mesos").doesNotContain("https://");
    int agentPort = get("/slaves").get("slaves").get(0).get("port").asInt();
    for (String path :
        List.of("/state", "/slave(1)/state", "/slave%281%29/state", "/flags", "/version")) {
      HttpResponse<String> answer =
          http.send(
              HttpRequest.newBuilder(
                      URI.create(
                          "http://127.0.0.1:"
                              + agentPort
                              + path.replace("(", "%28").replace(")", "%29")))
                  .build(),
              BodyHandlers.ofString());
      assertThat(answer.statusCode()).as(path).isEqualTo(200);
    }
  }

  @Test
  void a_port_in_use_is_said_in_one_line() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      assertThatThrownBy(
              () ->
                  LocalCluster.start(
                      settings(workDir.resolve("other"), taken.getLocalPort()), () -> {}))
          .isInstanceOf(LocalCluster.StartException.class)
          .hasMessageContaining("127.0.0.1:" + taken.getLocalPort())
          .hasMessageContaining("--port");
    }
  }

  @Test
  void what_is_too_large_or_nonsense_is_refused_in_words() throws Exception {
    assertThat(post("/local/agents", "[]").statusCode()).isEqualTo(400);
    assertThat(post("/local/agents", "{\"cpus\": -1}").statusCode()).isEqualTo(400);
    assertThat(post("/local/agents/nobody/kill", "").statusCode()).isEqualTo(404);
    assertThat(post("/local/agents/nobody/restart", "").statusCode()).isEqualTo(404);
    assertThat(post("/teardown", "frameworkId=nobody").body())
        .isEqualTo("No framework found with specified ID");
    assertThat(post("/no/such/thing", "").statusCode()).isEqualTo(404);
  }

  @Test
  void a_page_from_elsewhere_may_neither_read_sandboxes_nor_change_the_cluster() throws Exception {
    String id = get("/local/agents").get(0).get("id").asText();
    int agentPort = get("/local/agents").get(0).get("port").asInt();
    for (String origin : List.of("http://evil.example", cluster.url())) {
      boolean own = origin.equals(cluster.url());
      HttpResponse<Void> kill =
          http.send(
              HttpRequest.newBuilder(
                      URI.create(cluster.url() + "/local/agents/" + id + "-not/kill"))
                  .header("Origin", origin)
                  .POST(BodyPublishers.noBody())
                  .build(),
              BodyHandlers.discarding());
      assertThat(kill.statusCode()).as(origin).isEqualTo(own ? 404 : 403);
      HttpResponse<Void> state =
          http.send(
              HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + agentPort + "/state"))
                  .header("Origin", origin)
                  .build(),
              BodyHandlers.discarding());
      assertThat(state.headers().firstValue("Access-Control-Allow-Origin").isPresent())
          .as(origin)
          .isEqualTo(own);
    }
  }

  @Test
  void what_an_earlier_process_left_running_is_swept_away_but_not_if_that_process_lives()
      throws Exception {
    Path other = workDir.resolve("other");
    Files.createDirectories(other);
    ProcessBuilder left = new ProcessBuilder("sleep", "1002");
    left.environment().put("MESOS_DIRECTORY", other + "/agent-0/slaves/S/runs/C");
    Process process = left.start();
    try {
      assertThatThrownBy(() -> LocalCluster.start(settings(other, cluster.port()), () -> {}))
          .isInstanceOf(LocalCluster.StartException.class);
      assertThat(process.isAlive()).isTrue();
      LocalCluster.start(settings(other, 0), () -> {}).close();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
  }

  /** A process of its own, so that it can be sent a signal. */
  @Test
  void a_terminated_main_leaves_no_process_behind() throws Exception {
    Path own = workDir.resolve("main");
    Process main =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                "io.troupe.local.Main",
                "--port=0",
                "--agent-port=0",
                "--executor-shutdown-grace-period=1secs",
                "--no-switch-user",
                "--work-dir=" + own)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      String ready = firstLine(main.getInputStream());
      assertThat(ready).startsWith("ready http://127.0.0.1:");
      String url = ready.substring("ready ".length());
      try (TestScheduler scheduler =
          new TestScheduler(url, WireFormat.PROTOBUF, longLived().build())) {
        scheduler.launch(
            scheduler.awaitOffer(),
            task("t").setExecutor(executor("stubborn", EXECUTOR + " stubborn")));
        scheduler.awaitUpdate("t", TaskState.TASK_RUNNING);
        scheduler.launch(scheduler.awaitOffer(), command("u", "trap '' TERM; sleep 1000 & wait"));
        scheduler.awaitUpdate("u", TaskState.TASK_STARTING);
        scheduler.awaitUpdate("u", TaskState.TASK_RUNNING);
        assertThat(processesOf(own)).isNotEmpty();
        main.destroy();
        assertThat(main.waitFor(30, TimeUnit.SECONDS)).as("ends in time").isTrue();
      }
      assertThat(processesOf(own)).isEmpty();
    } finally {
      main.destroyForcibly();
    }
  }

  private static String firstLine(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next >= 0 && next != '\n'; next = in.read()) {
      line.write(next);
    }
    return line.toString(StandardCharsets.UTF_8);
  }
}
