package io.troupe.executor.process;

import static io.troupe.executor.process.Processes.eventually;
import static io.troupe.executor.process.Processes.lives;
import static io.troupe.executor.process.TestServers.FRAMES;
import static io.troupe.executor.process.TestServers.MIB;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.troupe.executor.supervision.ServerEvent;
import io.troupe.executor.supervision.ServerProcess;
import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.Requirements;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.codec.Frame;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Workers in real containers, where this machine can run some. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class ContainerServersTest {
  private static String whyNot = "";

  @TempDir Path folder;
  private final String mark = "test-" + UUID.randomUUID();
  private TestServers around;
  private Sandbox sandbox;
  private FakeSecrets secrets;
  private LocalServers servers;
  private Containers containers;
  private final BlockingQueue<ServerEvent> events = new LinkedBlockingQueue<>();
  private ServerProcess server;
  private boolean ended = true;

  @BeforeAll
  static void makeImage(@TempDir Path work) throws Exception {
    whyNot = PythonImage.make(work);
  }

  @AfterAll
  static void removeImage(@TempDir Path work) throws Exception {
    int unused = PythonImage.run(work, List.of("podman", "rmi", "--force", PythonImage.NAME));
  }

  @BeforeEach
  void start() throws IOException {
    assumeTrue(whyNot.isEmpty(), whyNot);
    around = TestServers.in(folder);
    sandbox = around.sandbox;
    secrets = around.secrets;
    containers = TestServers.containers(mark);
    servers = around.servers(Cgroups.none(), containers, mark);
  }

  @AfterEach
  void stop() throws Exception {
    if (!whyNot.isEmpty()) {
      return;
    }
    if (!ended) {
      server.kill();
      expect(ServerEvent.Ended.class);
    }
    noneIsLeft();
    around.close();
  }

  private void noneIsLeft() {
    eventually(
        "no container is left",
        () -> {
          try {
            return PythonImage.containers(folder, "troupe.executor=" + mark).isEmpty();
          } catch (Exception e) {
            throw new AssertionError(e);
          }
        });
  }

  private void launch(String command, WorkerProtocol protocol, Container container) {
    launch(command, protocol, container, List.of());
  }

  private void launch(
      String command,
      WorkerProtocol protocol,
      Container container,
      List<TaskData.Secret> itsSecrets) {
    ended = false;
    server =
        servers.start(
            "mine.0.1",
            new TaskData.Worker(
                command,
                protocol,
                List.of(),
                Map.of("COLOUR", "blue"),
                List.of(),
                64,
                1.5,
                Duration.ofSeconds(60),
                Upkeep.NONE,
                HttpChecks.NONE,
                Requirements.NONE,
                container,
                itsSecrets,
                Serving.ONE_AT_A_TIME),
            events::add);
  }

  private static Container container(String image, String user) {
    return new Container(image, user, "none", List.of(), Duration.ofSeconds(60));
  }

  private void launch(String source) throws IOException {
    Files.writeString(sandbox.files().resolve("mine.py"), source);
    launch(FRAMES, WorkerProtocol.FRAMES, container(PythonImage.NAME, ""));
  }

  /** The next of its kind. */
  private <T extends ServerEvent> T expect(Class<T> type) throws InterruptedException {
    while (true) {
      ServerEvent event = events.poll(60, TimeUnit.SECONDS);
      assertThat(event).as("an event, before " + type.getSimpleName()).isNotNull();
      ended |= event instanceof ServerEvent.Ended;
      if (type.isInstance(event)) {
        return type.cast(event);
      }
      assertThat(ended).as(event.toString()).isFalse();
    }
  }

  private void send(long id, String function, String json) {
    TestServers.send(server, id, function, json);
  }

  private Frame answer() throws InterruptedException {
    return expect(ServerEvent.Received.class).frames().get(0);
  }

  @Test
  void a_job_runs_in_the_container_with_the_pools_environment_and_files_and_nothing_of_the_machine()
      throws Exception {
    launch(
        """
        import os
        def look(_):
            print("here")
            return [os.environ["COLOUR"], os.path.exists("/usr/bin/podman"), os.getpid() < 20]
        """);
    expect(ServerEvent.Prepared.class);
    expect(ServerEvent.Answered.class);
    send(1, "look", "null");
    assertThat(new String(answer().payload(), UTF_8)).isEqualTo("[\"blue\",false,true]");
    eventually(
        "the process in the container is known by its number outside",
        () ->
            server.sample().filter(status -> status.rss() > MIB).stream()
                .anyMatch(status -> ProcessTable.contained(status.pid()).isPresent()));
    Path log = folder.resolve("worker-mine.0.1.stdout");
    eventually("what it prints is in its log", () -> read(log).contains("job-1 here"));
  }

  @Test
  void a_job_is_interrupted_in_its_container_which_lives_on() throws Exception {
    launch(
        """
        import time, pathlib
        def sleep(_):
            pathlib.Path("asleep").touch()
            time.sleep(600)
        def well(_): return 1
        """);
    expect(ServerEvent.Answered.class);
    send(1, "sleep", "null");
    eventually("it sleeps", () -> Files.exists(sandbox.files().resolve("asleep")));
    server.interrupt(1);
    assertThat(answer().type()).isEqualTo(Frame.Type.ERROR);
    send(2, "well", "null");
    assertThat(new String(answer().payload(), UTF_8)).isEqualTo("1");
  }

  @Test
  void more_memory_than_it_may_have_ends_it_as_out_of_memory() throws Exception {
    launch("def eat(_):\n  x = bytearray(400 << 20)\n  return len(x)\n");
    expect(ServerEvent.Answered.class);
    send(1, "eat", "null");
    ServerEvent.Ended end = expect(ServerEvent.Ended.class);
    assertThat(end.signal()).isEqualTo(9);
    assertThat(end.memory().exhausted()).contains("memory");
    assertThat(server.begun()).contains(1L);
  }

  @Test
  void all_it_has_started_is_killed_with_it() throws Exception {
    launch(
        """
        import os, time
        def start(_):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0: time.sleep(600)
                os._exit(0)
            return 1
        """);
    expect(ServerEvent.Answered.class);
    send(1, "start", "null");
    assertThat(new String(answer().payload(), UTF_8)).isEqualTo("1");
    eventually("its daemon runs", () -> inside().size() >= 2);
    List<Long> inside = inside();
    server.kill();
    assertThat(expect(ServerEvent.Ended.class).signal()).isEqualTo(9);
    eventually("all are gone", () -> inside.stream().noneMatch(pid -> lives(pid)));
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException notYet) {
      return "";
    }
  }

  private List<Long> inside() {
    return ProcessTable.members(-1, LocalServers.EXECUTOR_MARK + "=" + mark).stream()
        .map(ProcessHandle::pid)
        .filter(pid -> ProcessTable.contained(pid).isPresent())
        .toList();
  }

  @Test
  void a_command_that_the_image_does_not_have_is_told_as_on_a_machine() throws Exception {
    launch("no-such-command", WorkerProtocol.NONE, container(PythonImage.NAME, ""));
    assertThat(expect(ServerEvent.Ended.class).exitCode()).isEqualTo(127);
  }

  @Test
  void an_image_that_cannot_be_had_is_told_with_what_the_engine_says() throws Exception {
    launch(FRAMES, WorkerProtocol.FRAMES, container("localhost/no-such-image:1", ""));
    ServerEvent.Ended end = expect(ServerEvent.Ended.class);
    assertThat(end.trouble()).contains("its image cannot be pulled", "no-such-image");
    assertThat(end.curable()).isTrue();
  }

  @Test
  void another_user_inside_can_work_too() throws Exception {
    Files.writeString(
        sandbox.files().resolve("mine.py"), "import os\ndef who(_): return os.getuid()\n");
    launch(FRAMES, WorkerProtocol.FRAMES, container(PythonImage.NAME, "1234:1234"));
    expect(ServerEvent.Answered.class);
    send(1, "who", "null");
    assertThat(new String(answer().payload(), UTF_8)).isEqualTo("1234");
  }

  @Test
  void what_an_executor_that_is_gone_has_left_behind_is_removed_by_the_next() throws Exception {
    ProcessHandle self = ProcessHandle.current();
    String[] own = ExecutorMark.own().split("-", 4);
    String gone = self.pid() + "-1-" + own[2] + "-" + own[3];
    String alive = String.join("-", own);
    for (String each : List.of(gone, alive)) {
      List<String> create =
          List.of(
              "podman",
              "create",
              "--label",
              "troupe.mark=" + each,
              "--label",
              "troupe.test=" + mark,
              PythonImage.NAME,
              "true");
      assertThat(PythonImage.run(folder, create)).isZero();
    }
    try {
      assertThat(TestServers.containers(mark).trouble()).isEmpty();
      assertThat(PythonImage.containers(folder, "troupe.mark=" + gone)).isEmpty();
      assertThat(PythonImage.containers(folder, "troupe.mark=" + alive)).hasSize(1);
    } finally {
      for (String left : PythonImage.containers(folder, "troupe.test=" + mark)) {
        containers.trouble();
        containers.remove(left);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1234:1234"})
  void a_secret_is_in_a_file_of_the_container_which_it_cannot_change(String user) throws Exception {
    secrets.put("API_KEY", "v1", "correct horse");
    secrets.announce();
    Files.writeString(
        sandbox.files().resolve("mine.py"),
        """
        import errno, os
        def read(_):
            path = os.environ["API_KEY_FILE"]
            try:
                os.unlink(path)
            except OSError as error:
                return [errno.errorcode[error.errno], open(path).read()]
        """);
    launch(
        FRAMES,
        WorkerProtocol.FRAMES,
        container(PythonImage.NAME, user),
        List.of(new TaskData.Secret("API_KEY", "v1")));
    expect(ServerEvent.Answered.class);
    send(1, "read", "null");
    assertThat(new String(expect(ServerEvent.Received.class).frames().get(0).payload(), UTF_8))
        .isEqualTo("[\"EROFS\",\"correct horse\"]");
  }
}
