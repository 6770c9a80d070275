package io.troupe.executor.process;

import static io.troupe.executor.process.Processes.eventually;
import static io.troupe.executor.process.Processes.lives;
import static io.troupe.executor.process.Processes.pidIn;
import static io.troupe.executor.process.TestServers.FRAMES;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.executor.supervision.ServerEvent;
import io.troupe.executor.supervision.ServerProcess;
import io.troupe.model.Container;
import io.troupe.model.ContentType;
import io.troupe.model.HttpChecks;
import io.troupe.model.PoolFile;
import io.troupe.model.Requirements;
import io.troupe.model.Serving;
import io.troupe.model.Sha256;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.protocol.Parts;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.WorkerStatus.Progress;
import io.troupe.protocol.codec.Frame;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Real processes of this machine. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class LocalServersTest {
  /** Leaves a daemon behind that has left the session, and a child that has not. */
  private static final String FAMILY =
      """
      import os, subprocess, sys, time
      def note(file):
          with open(file + ".tmp", "w") as out: out.write("%d\\n" % os.getpid())
          os.rename(file + ".tmp", file)
      def family():
          if os.fork() == 0:
              note("child"); time.sleep(600); os._exit(0)
          if os.fork() == 0:
              os.setsid()
              if os.fork() == 0:
                  note("daemon"); time.sleep(600)
              os._exit(0)
      """;

  @TempDir Path folder;
  private TestServers around;
  private Sandbox sandbox;
  private FakeSecrets secrets;
  private LocalServers servers;
  private final BlockingQueue<ServerEvent> events = new LinkedBlockingQueue<>();
  private ServerProcess server;
  private HttpChecks checks = HttpChecks.NONE;
  private Requirements requirements = Requirements.NONE;
  private List<TaskData.Secret> itsSecrets = List.of();
  private Serving serving = Serving.ONE_AT_A_TIME;
  private boolean ended;

  @BeforeEach
  void start() throws IOException {
    around = TestServers.in(folder);
    sandbox = around.sandbox;
    secrets = around.secrets;
    servers = servers(Cgroups.none());
  }

  private LocalServers servers(Cgroups cgroups) {
    String mark = "test-" + folder.getFileName();
    return around.servers(cgroups, TestServers.containers(mark), mark);
  }

  @AfterEach
  void stop() throws Exception {
    if (server != null && !ended) {
      server.kill();
      expectEnd(); // nobody writes into the folder any more
    }
    around.close();
  }

  private void launch(WorkerProtocol protocol, String command, List<PoolFile> files, int... ports) {
    launch(protocol, command, files, Upkeep.NONE, ports);
  }

  private void launch(
      WorkerProtocol protocol, String command, List<PoolFile> files, Upkeep upkeep, int... ports) {
    ended = false;
    server =
        servers.start(
            "mine.0.1",
            new TaskData.Worker(
                command,
                protocol,
                files,
                Map.of("COLOUR", "blue"),
                java.util.Arrays.stream(ports).boxed().toList(),
                64,
                1.5,
                Duration.ofSeconds(60),
                upkeep,
                checks,
                requirements,
                Container.NONE,
                itsSecrets,
                serving),
            events::add);
  }

  private void module(String source) throws IOException {
    Files.writeString(sandbox.files().resolve("mine.py"), source);
  }

  private <T extends ServerEvent> T expect(Class<T> type) throws InterruptedException {
    ServerEvent event = poll();
    assertThat(event).isInstanceOf(type);
    return type.cast(event);
  }

  private ServerEvent poll() throws InterruptedException {
    ServerEvent event = events.poll(60, TimeUnit.SECONDS);
    assertThat(event).as("an event").isNotNull();
    ended |= event instanceof ServerEvent.Ended;
    return event;
  }

  private ServerEvent.Ended expectEnd() throws InterruptedException {
    while (true) {
      ServerEvent event = poll();
      if (event instanceof ServerEvent.Ended ended) {
        return ended;
      }
    }
  }

  private void launchOneThatCanDie() throws Exception {
    module(
        """
        import os, signal
        def quick(_): pass
        def die(_): os.kill(os.getpid(), signal.SIGKILL)
        """);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
  }

  private void send(long id, String function, String json) {
    TestServers.send(server, id, function, json);
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0)) {
      return free.getLocalPort();
    }
  }

  /** Starts a server that speaks HTTP, whose handler has this in its class. */
  private void serve(String handler) throws Exception {
    module(
        "import http.server, os, threading, time\n"
            + "class Handler(http.server.BaseHTTPRequestHandler):\n"
            + handler.indent(4)
            + "address = ('127.0.0.1', int(os.environ['PORT']))\n"
            + "http.server.ThreadingHTTPServer(address, Handler).serve_forever()\n");
    launch(WorkerProtocol.HTTP, "python3 -B mine.py", List.of(), freePort());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
  }

  @Test
  void a_python_worker_answers_jobs_and_its_output_is_in_the_sandbox() throws Exception {
    module("import os\ndef colour(_):\n  print('asked')\n  return os.environ['COLOUR']\n");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    long pid = expect(ServerEvent.Started.class).pid();
    expect(ServerEvent.Answered.class);
    send(1, "colour", "null");
    assertThat(expect(ServerEvent.Received.class).frames())
        .extracting(frame -> new String(frame.payload(), UTF_8))
        .containsExactly("\"blue\"");
    assertThat(server.begun()).contains(1L);
    assertThat(server.sample().orElseThrow().pid()).isEqualTo(pid);
    assertThat(server.sample().orElseThrow().rss()).isGreaterThan(1 << 20);
    server.terminate();
    ServerEvent.Ended end = expectEnd();
    assertThat(end.exitCode()).isZero();
    assertThat(end.lastOutput()).containsExactly("asked");
    assertThat(Files.readString(folder.resolve("worker-mine.0.1.stdout")))
        .matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d.\\d{3}Z job-1 asked\n");
    assertThat(server.sample()).isEmpty();
  }

  @Test
  void nothing_that_a_worker_has_started_survives_its_python_process() throws Exception {
    module(FAMILY + "def start(_): family()\n");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    long pid = expect(ServerEvent.Started.class).pid();
    expect(ServerEvent.Answered.class);
    send(1, "start", "null");
    expect(ServerEvent.Received.class);
    long child = pidIn(sandbox.files().resolve("child"));
    long daemon = pidIn(sandbox.files().resolve("daemon"));
    assertThat(lives(child) && lives(daemon)).isTrue();

    ProcessHandle.of(pid).orElseThrow().destroyForcibly();
    ServerEvent.Ended end = expectEnd();
    assertThat(end.signal()).isEqualTo(9);
    eventually("the child is gone", () -> !lives(child));
    eventually("the daemon is gone", () -> !lives(daemon));
  }

  @Test
  void a_process_that_ignores_sigterm_is_killed_with_all_it_has_started() throws Exception {
    module(
        FAMILY
            + """
            import signal
            def start(_):
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                family()
                time.sleep(600)
            """);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "start", "null");
    long daemon = pidIn(sandbox.files().resolve("daemon"));
    server.terminate();
    server.kill();
    assertThat(expectEnd().signal()).isEqualTo(9);
    eventually("the daemon is gone", () -> !lives(daemon));
  }

  @Test
  void it_is_exactly_known_which_job_a_killed_process_had_begun() throws Exception {
    launchOneThatCanDie();
    server.send(
        List.of(
            new Frame(Frame.Type.JOB, ContentType.JSON, 1, "quick", "1".getBytes(UTF_8)),
            new Frame(Frame.Type.JOB, ContentType.JSON, 2, "die", "1".getBytes(UTF_8)),
            new Frame(Frame.Type.JOB, ContentType.JSON, 3, "quick", "1".getBytes(UTF_8))));
    expectEnd();
    assertThat(server.begun()).contains(2L);
  }

  @Test
  void what_a_process_has_answered_is_told_before_its_end_though_it_is_read_later()
      throws Exception {
    launchOneThatCanDie();
    around.rest(Duration.ofSeconds(1));
    send(1, "quick", "1");
    send(2, "die", "1");
    assertThat(expect(ServerEvent.Received.class).frames()).extracting(Frame::id).contains(1L);
    expect(ServerEvent.HungUp.class);
    expect(ServerEvent.Ended.class);
    ended = true;
  }

  @Test
  void a_running_job_is_interrupted_and_the_process_lives_on() throws Exception {
    module(
        """
        import time
        def sleep(_):
            print("sleeping")
            time.sleep(600)
        def one(_): return 1
        """);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "sleep", "null");
    Path output = folder.resolve("worker-mine.0.1.stdout");
    eventually("the job runs", () -> Files.exists(output));
    server.interrupt(1);
    assertThat(expect(ServerEvent.Received.class).frames())
        .extracting(Frame::name)
        .containsExactly("cancelled");
    send(2, "one", "null");
    expect(ServerEvent.Received.class);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void jobs_are_had_back_that_wait_behind_a_running_one(boolean forked) throws Exception {
    module(
        """
        import os, time
        def hold(path):
            print("holding")
            while not os.path.exists(path): time.sleep(0.01)
        def one(_): return 1
        """);
    serving = new Serving(1, forked);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    Path end = folder.resolve("end");
    send(1, "hold", "\"" + end + "\"");
    send(2, "one", "null");
    send(3, "one", "null");
    Path output = folder.resolve("worker-mine.0.1.stdout");
    eventually("the job runs", () -> Files.exists(output));
    server.recall(1, 2);
    assertThat(answers(1)).containsExactly("RETURNED 2");
    Files.createFile(end);
    assertThat(answers(2)).containsExactly("RESULT 1", "RESULT 3");
    assertThat(server.begun()).contains(3L);
  }

  private List<String> answers(int count) throws InterruptedException {
    List<String> answers = new ArrayList<>();
    while (answers.size() < count) {
      expect(ServerEvent.Received.class)
          .frames()
          .forEach(frame -> answers.add(frame.type() + " " + frame.id()));
    }
    return answers;
  }

  @Test
  void a_module_that_does_not_import_ends_with_its_code_and_the_reason() throws Exception {
    module("import nothing_of_that_name\n");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    ServerEvent.Ended end = expectEnd();
    assertThat(end.exitCode()).isEqualTo(78);
    assertThat(end.lastOutput().get(end.lastOutput().size() - 1))
        .contains("mine cannot be imported", "No module named 'nothing_of_that_name'");
  }

  @Test
  void a_command_that_does_not_exist_ends_with_the_shells_code() throws Exception {
    launch(WorkerProtocol.FRAMES, "no-such-command --at-all", List.of());
    ServerEvent.Ended end = expectEnd();
    assertThat(end.exitCode()).isEqualTo(127);
    assertThat(end.lastOutput()).singleElement().asString().contains("no-such-command");
  }

  @Test
  void a_file_that_is_missing_or_has_another_content_is_no_cause_to_try_again() throws Exception {
    PoolFile missing = new PoolFile("other.py", "0".repeat(64));
    launch(WorkerProtocol.FRAMES, FRAMES, List.of(missing));
    assertThat(expectEnd().trouble()).isEqualTo("file other.py of the pool was not fetched");

    module("x = 1\n");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of(new PoolFile("mine.py", "0".repeat(64))));
    ServerEvent.Ended end = expectEnd();
    assertThat(end.trouble()).startsWith("file mine.py has SHA-256 ");
    assertThat(end.curable()).isFalse();
  }

  @Test
  void a_process_that_takes_no_jobs_is_ready_when_it_lives() throws Exception {
    launch(WorkerProtocol.NONE, "exec sleep 600", List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    server.terminate();
    assertThat(expectEnd().signal()).isEqualTo(15);
  }

  @Test
  void one_with_a_port_is_ready_when_it_takes_connections_there() throws Exception {
    launch(
        WorkerProtocol.NONE,
        "test $PORT = $PORT0 && exec python3 -B -m http.server --bind 127.0.0.1 $PORT",
        List.of(),
        freePort());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    server.terminate();
    expectEnd();
  }

  @Test
  void a_server_that_speaks_http_gets_one_request_a_job() throws Exception {
    serve(
        """
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/sleep": time.sleep(600)
            self.send_response(200 if self.path == "/echo" else 404)
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.end_headers()
            self.wfile.write(body)
        """);
    send(1, "echo", "[1]");
    Frame result = expect(ServerEvent.Received.class).frames().get(0);
    assertThat(result.type()).isEqualTo(Frame.Type.RESULT);
    assertThat(result.content()).isEqualTo(ContentType.JSON);
    assertThat(new String(result.payload(), UTF_8)).isEqualTo("[1]");
    send(2, "nothing", "7");
    Frame error = expect(ServerEvent.Received.class).frames().get(0);
    assertThat(error.type()).isEqualTo(Frame.Type.ERROR);
    assertThat(new String(error.payload(), UTF_8)).contains("status 404 7");
    send(3, "sleep", "1");
    send(4, "echo", "2");
    assertThat(server.begun()).contains(3L);
    server.interrupt(3);
    assertThat(expect(ServerEvent.Received.class).frames().get(0).name()).isEqualTo("cancelled");
    assertThat(expect(ServerEvent.Received.class).frames().get(0).id()).isEqualTo(4);
  }

  @Test
  void a_server_with_checks_is_ready_when_it_says_so_and_is_given_up_when_it_is_not_well()
      throws Exception {
    checks = new HttpChecks("/ready", "/health");
    serve(
        """
        asked = {"/ready": 0, "/health": 0, "/busy": 0}
        def do_GET(self):
            self.asked[self.path] += 1
            self.send_response(200 if self.path == "/ready" and self.asked["/ready"] > 2 else 500)
            self.end_headers()
        def do_POST(self):
            self.asked["/busy"] += 1
            self.send_response(503 if self.asked["/busy"] < 3 else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"[%d,%d]" % (self.asked["/ready"], self.asked["/busy"]))
        """);
    send(1, "busy", "1");
    Frame result = expect(ServerEvent.Received.class).frames().get(0);
    assertThat(new String(result.payload(), UTF_8)).isEqualTo("[3,3]");
    assertThat(expect(ServerEvent.HungUp.class).why())
        .isEqualTo("GET /health failed 3 times in a row");
  }

  @Test
  void a_server_that_speaks_http_gets_as_many_requests_at_once_as_its_pool_says() throws Exception {
    serving = new Serving(3);
    serve(
        """
        both = threading.Barrier(2)
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/meet": self.both.wait(60)
            if self.path == "/stay": threading.Event().wait(600)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)
        """);
    send(1, "stay", "1");
    send(2, "meet", "2");
    send(3, "meet", "3");
    send(4, "echo", "4");
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      ids.add(expect(ServerEvent.Received.class).frames().get(0).id());
    }
    assertThat(ids).containsExactlyInAnyOrder(2L, 3L, 4L);
    server.interrupt(1);
    assertThat(expect(ServerEvent.Received.class).frames().get(0).name()).isEqualTo("cancelled");
  }

  @Test
  void of_a_server_that_speaks_http_its_end_is_told_and_not_that_its_connections_broke()
      throws Exception {
    serve(
        """
        def do_POST(self):
            os._exit(3)
        """);
    send(1, "leave", "1");
    send(2, "echo", "2");
    assertThat(expect(ServerEvent.Ended.class).exitCode()).isEqualTo(3);
    assertThat(server.begun()).contains(1L);
  }

  @Test
  void a_python_worker_runs_as_many_jobs_at_once_as_its_pool_says() throws Exception {
    module(
        """
        import asyncio, threading, time, troupe
        both = threading.Barrier(2)
        def meet(_): both.wait(60)
        def stay(_):
            troupe.progress(0.5, "half")
            print("staying")
            while True: time.sleep(0.001)
        """);
    serving = new Serving(3);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "stay", "null");
    eventually("it says how far it is", () -> server.progress("job-1").isPresent());
    assertThat(server.progress("job-1")).contains(new Progress(0.5, "half"));
    assertThat(server.beats(1)).isEqualTo(1);
    assertThat(server.beats(2)).isZero();
    send(2, "meet", "null");
    send(3, "meet", "null");
    for (int answered = 0; answered < 2; ) {
      answered += expect(ServerEvent.Received.class).frames().size();
    }
    assertThat(server.begun()).contains(3L);
    server.interrupt(1);
    assertThat(expect(ServerEvent.Received.class).frames().get(0).name()).isEqualTo("cancelled");
    server.terminate();
    expectEnd();
    assertThat(Files.readString(folder.resolve("worker-mine.0.1.stdout")))
        .contains("job-1 staying");
  }

  @Test
  void a_forked_worker_is_one_like_a_started_one_and_nothing_survives_it() throws Exception {
    module(
        FAMILY
            + """
            imported_by = os.getpid()
            def who(_):
                print("asked")
                return [os.getpid(), os.getsid(0) == os.getpid() != imported_by, os.environ["COLOUR"]]
            def start(_): family()
            """);
    serving = new Serving(1, true);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    long pid = server.sample().orElseThrow().pid();
    send(1, "who", "null");
    assertThat(expect(ServerEvent.Received.class).frames())
        .extracting(frame -> new String(frame.payload(), UTF_8))
        .containsExactly("[" + pid + ",true,\"blue\"]");
    send(2, "start", "null");
    expect(ServerEvent.Received.class);
    long child = pidIn(sandbox.files().resolve("child"));
    long daemon = pidIn(sandbox.files().resolve("daemon"));

    ProcessHandle.of(pid).orElseThrow().destroyForcibly();
    ServerEvent.Ended end = expectEnd();
    assertThat(end.signal()).isEqualTo(9);
    assertThat(end.lastOutput()).containsExactly("asked");
    eventually("the child is gone", () -> !lives(child));
    eventually("the daemon is gone", () -> !lives(daemon));
    assertThat(Files.readString(folder.resolve("worker-mine.0.1.stdout"))).contains("job-1 asked");

    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    long second = server.sample().orElseThrow().pid();
    server.kill();
    assertThat(expectEnd().signal()).isEqualTo(9);
    assertThat(lives(second)).isFalse();
  }

  @Test
  void a_module_that_cannot_be_imported_once_for_all_fails_each_worker_with_the_reason()
      throws Exception {
    module("import nothing_of_that_name\n");
    serving = new Serving(1, true);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    ServerEvent.Ended end = expectEnd();
    assertThat(end.exitCode()).isEqualTo(78);
    assertThat(end.lastOutput()).contains("Traceback (most recent call last):");
    assertThat(end.lastOutput().get(end.lastOutput().size() - 1))
        .contains("mine cannot be imported", "No module named 'nothing_of_that_name'");
  }

  @Test
  void a_fork_server_that_cannot_be_started_is_the_end_of_its_workers() throws Exception {
    serving = new Serving(1, true);
    launch(WorkerProtocol.FRAMES, "no-such-command --at-all", List.of());
    ServerEvent.Ended end = expectEnd();
    assertThat(end.exitCode()).isEqualTo(127);
    assertThat(end.lastOutput()).singleElement().asString().contains("no-such-command");
  }

  @Test
  void what_a_generator_yields_can_be_read_while_it_runs() throws Exception {
    module(
        """
        import os, time
        def steps(_):
            yield 1
            yield {"two": 2}
            while not os.path.exists("go"): time.sleep(0.001)
            yield 3
            while not os.path.exists("end"): time.sleep(0.001)
        """);
    Files.createDirectories(sandbox.blobs());
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "steps", "null");
    BlockingQueue<Parts> answers = new LinkedBlockingQueue<>();
    StringBuilder told = new StringBuilder();
    long place = 0;
    for (int i = 0; i < 60 && told.length() < 12; i++) {
      place = read(place, told, answers);
    }
    assertThat(told.toString()).isEqualTo("1\n{\"two\":2}\n");
    server.readParts(1, place, answers::add);
    Files.createFile(sandbox.files().resolve("go"));
    Parts more = answers.poll(60, TimeUnit.SECONDS);
    assertThat(more).isEqualTo(new Parts(place + 2, more.lines()));
    assertThat(new String(more.lines(), UTF_8)).isEqualTo("3\n");
    Files.createFile(sandbox.files().resolve("end"));
    assertThat(expect(ServerEvent.Received.class).frames())
        .extracting(frame -> new String(frame.payload(), UTF_8))
        .containsExactly("[1,{\"two\":2},3]");
    long asked = System.nanoTime();
    server.readParts(1, more.next(), answers::add);
    assertThat(answers.poll(60, TimeUnit.SECONDS).lines()).isEmpty();
    assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(Duration.ofMillis(900));
    assertThat(sandbox.blobs()).isEmptyDirectory();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "os.mkfifo(parts)",
        "os.symlink(os.path.abspath('mine.py'), parts)",
        "os.unlink(stacks) or os.mkfifo(stacks)"
      })
  void what_is_no_file_where_a_process_writes_its_parts_or_stacks_is_not_opened(String trick)
      throws Exception {
    module(
        """
        import os, time
        def trick(_):
            parts = os.environ["TROUPE_BLOBS"] + "-parts-1"
            stacks = "../worker-mine.0.1-1.stacks"
            %s
            open("done", "x").close()
            time.sleep(600)
        """
            .formatted(trick));
    Files.createDirectories(sandbox.blobs());
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "trick", "null");
    Path done = sandbox.files().resolve("done");
    eventually("it has put it there", () -> Files.exists(done));
    server.recordStacks();
    BlockingQueue<Parts> answers = new LinkedBlockingQueue<>();
    server.readParts(1, 0, answers::add);
    Parts parts = answers.poll(10, TimeUnit.SECONDS);
    assertThat(parts).as("an answer").isNotNull();
    assertThat(parts.lines()).isEmpty();
  }

  @Test
  void only_files_that_a_process_may_have_written_for_results_are_taken_from_it() throws Exception {
    module("import os\ndef place(_): return os.environ['TROUPE_BLOBS']\n");
    Files.createDirectories(sandbox.blobs());
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "place", "null");
    String place =
        new String(expect(ServerEvent.Received.class).frames().get(0).payload(), UTF_8)
            .replace("\"", "");
    Path result = Files.writeString(Path.of(place + "-7-1"), "result");
    Path link = Files.createSymbolicLink(Path.of(place + "-7-2"), result);
    Path directory = Files.createDirectory(Path.of(place + "-7-3"));
    Path others = Files.writeString(sandbox.blobs().resolve("in-1"), "payload");
    Path outside = Files.writeString(folder.resolve(result.getFileName()), "elsewhere");
    assertThat(server.mayHandOver(result.toString())).isTrue();
    assertThat(
            List.of(
                link.toString(),
                directory.toString(),
                others.toString(),
                outside.toString(),
                place + "-7-3/../" + result.getFileName(),
                place + "-7-4",
                place + "-\0",
                "/",
                ""))
        .noneMatch(server::mayHandOver);
  }

  private long read(long place, StringBuilder told, BlockingQueue<Parts> answers)
      throws InterruptedException {
    server.readParts(1, place, answers::add);
    Parts parts = answers.poll(60, TimeUnit.SECONDS);
    told.append(new String(parts.lines(), UTF_8));
    return parts.next();
  }

  @Test
  void a_process_that_runs_fewer_jobs_at_once_than_its_pool_says_is_refused() throws Exception {
    module("def one(_): return 1\n");
    serving = new Serving(2);
    launch(WorkerProtocol.FRAMES, "TROUPE_CONCURRENCY=1 " + FRAMES, List.of());
    expect(ServerEvent.Started.class);
    assertThat(expect(ServerEvent.HungUp.class).why())
        .isEqualTo("it runs jobs 1 at once, but the pool says concurrency = 2");
  }

  @Test
  void one_that_speaks_http_without_a_port_is_refused_with_the_reason() throws Exception {
    launch(WorkerProtocol.HTTP, "python3 -B mine.py", List.of());
    ServerEvent.Ended end = expectEnd();
    assertThat(end.trouble()).startsWith("protocol http needs a port");
    assertThat(end.curable()).isFalse();
  }

  @Test
  void user_code_gets_no_token() throws Exception {
    module("import os\ndef names(_): return sorted(n for n in os.environ if 'TOKEN' in n)\n");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "names", "null");
    assertThat(new String(expect(ServerEvent.Received.class).frames().get(0).payload(), UTF_8))
        .isEqualTo("[]");
  }

  @Test
  void a_process_that_sends_no_frames_is_hung_up_on() throws Exception {
    module(
        """
        import json, os, socket, sys, time
        s = socket.socket(socket.AF_UNIX); s.connect(os.environ["TROUPE_SOCKET"])
        from troupe import frames
        hello = {"protocol": 1, "pid": os.getpid(), "token": os.environ["TROUPE_TOKEN"]}
        greeting = frames.frame(frames.HELLO, 0, 0, b"", json.dumps(hello).encode())
        s.sendall(greeting + b"\\xff" * 100)
        time.sleep(600)
        """);
    launch(WorkerProtocol.FRAMES, "exec python3 -B mine.py", List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    assertThat(expect(ServerEvent.HungUp.class).why())
        .isEqualTo(
            "it sent what is no frame: a frame of 4294967299 bytes is over the limit of 1048576");
  }

  @Test
  void a_process_that_hears_nothing_still_tells_where_it_is_before_it_is_killed() throws Exception {
    module(
        """
        import signal, time
        def stuck(_):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("deaf")
            while True: time.sleep(60)
        """);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "stuck", "null");
    eventually("it is deaf", () -> Files.exists(folder.resolve("worker-mine.0.1.stdout")));
    server.recordStacks();
    server.terminate();
    Path stacks = folder.resolve("worker-mine.0.1-1.stacks");
    eventually("its stacks are there", () -> stacks.toFile().length() > 0);
    server.kill();
    ServerEvent.Ended end = expectEnd();
    assertThat(end.stacks()).anyMatch(line -> line.contains("mine.py\", line 6 in stuck"));
    assertThat(stacks).doesNotExist();
  }

  @Test
  void a_module_whose_import_hangs_tells_where() throws Exception {
    module("import time\nprint('importing')\ntime.sleep(600)\n");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    eventually("it imports", () -> Files.exists(folder.resolve("worker-mine.0.1.stdout")));
    server.recordStacks();
    Path stacks = folder.resolve("worker-mine.0.1-1.stacks");
    eventually("its stacks are there", () -> stacks.toFile().length() > 0);
    server.kill();
    assertThat(expectEnd().stacks()).anyMatch(line -> line.contains("mine.py\", line 3"));
  }

  @Test
  void a_process_that_writes_no_stacks_is_not_disturbed_by_the_order_to() throws Exception {
    launch(WorkerProtocol.NONE, "exec sleep 600", List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    server.recordStacks();
    server.terminate();
    assertThat(expectEnd().signal()).isEqualTo(15);
  }

  @Test
  void one_that_takes_more_memory_than_it_may_is_killed_and_the_reason_is_known() throws Exception {
    module("def leak(_):\n  kept = []\n  while True: kept.append(bytearray(1 << 20))\n");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "leak", "null");
    ServerEvent.Ended end = expectEnd();
    assertThat(end.signal()).isEqualTo(9);
    assertThat(end.memory().exhausted())
        .matches("the process took \\d+ MiB of memory, more than its limit of 64 MiB");
    assertThat(end.memory().peakBytes()).isGreaterThan(64 << 20);
  }

  @Test
  void what_its_children_take_is_its_memory_too_but_what_they_share_counts_once() throws Exception {
    module(
        """
        import os, signal, time
        kept = b"x" * (40 << 20)
        def share(_):
            for i in range(3):
                if os.fork() == 0: time.sleep(600); os._exit(0)
            time.sleep(0.5)
        def leak(_):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    own = b"y" * (40 << 20)
                    time.sleep(600)
                os._exit(0)
            time.sleep(600)
        """);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "share", "null");
    expect(ServerEvent.Received.class);
    send(2, "leak", "null");
    assertThat(expectEnd().memory().exhausted()).contains("more than its limit of 64 MiB");
    assertThat(server.begun()).contains(2L);
  }

  @Test
  void what_is_printed_by_quick_jobs_and_their_children_is_told_apart() throws Exception {
    module(
        """
        import os, subprocess
        def say(text): print(text)
        def child(text): subprocess.run(["echo", text])
        """);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    server.name(1, List.of("a", "b", "c", "d"));
    for (int i = 1; i <= 3; i++) {
      String json = "\"text-" + i + "\"";
      server.send(
          List.of(new Frame(Frame.Type.JOB, ContentType.JSON, i, "say", json.getBytes(UTF_8))));
    }
    server.send(
        List.of(new Frame(Frame.Type.JOB, ContentType.JSON, 4, "child", "\"x\"".getBytes(UTF_8))));
    int answered = 0;
    while (answered < 4) {
      answered += expect(ServerEvent.Received.class).frames().size();
    }
    server.terminate();
    expectEnd();
    assertThat(Files.readAllLines(folder.resolve("worker-mine.0.1.stdout")))
        .extracting(line -> line.replaceFirst("\\S+ ", ""))
        .containsExactly("a text-1", "b text-2", "c text-3", "d x");
  }

  @Test
  void a_process_is_started_within_its_limits() throws Exception {
    module(
        """
        import os, resource
        def limits(_):
            soft = [resource.getrlimit(r)[0] for r in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)]
            return soft + [os.nice(0), os.environ["OMP_NUM_THREADS"], os.environ["COLOUR"]]
        """);
    Upkeep upkeep = new Upkeep(48, 200, 0, 1, 3, 0, Duration.ZERO, 0, Duration.ZERO);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of(), upkeep);
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "limits", "null");
    assertThat(new String(expect(ServerEvent.Received.class).frames().get(0).payload(), UTF_8))
        .isEqualTo("[200,1048576," + (ownNiceness() + 3) + ",\"2\",\"blue\"]");
  }

  private static int ownNiceness() throws IOException {
    String stat = Files.readString(Path.of("/proc/self/stat"));
    return Integer.parseInt(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[16]);
  }

  @Test
  void how_far_a_job_is_can_be_read_while_it_runs_and_is_of_no_other_job() throws Exception {
    module(
        "import time, troupe\ndef far(_):\n  troupe.progress(0.25, 'quarter')\n  time.sleep(600)");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "far", "null");
    eventually("it tells", () -> server.progress("job-1").isPresent());
    assertThat(server.progress("job-1")).contains(new Progress(0.25, "quarter"));
    assertThat(server.progress("job-2")).isEmpty();
  }

  @Test
  void a_process_that_prints_very_much_keeps_running_and_its_log_is_bounded() throws Exception {
    module("def much(_):\n  for i in range(60000): print('x' * 99)\n  print('done')\n");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "much", "null");
    expect(ServerEvent.Received.class);
    server.terminate();
    assertThat(expectEnd().lastOutput()).endsWith("done");
    assertThat(Files.size(folder.resolve("worker-mine.0.1.stdout"))).isLessThanOrEqualTo(1 << 20);
    assertThat(Files.size(folder.resolve("worker-mine.0.1.stdout.1"))).isLessThanOrEqualTo(1 << 20);
  }

  /** What tests require comes from a folder of wheels that has just one, named tiny. */
  private void require(String text) throws Exception {
    Path file = Files.writeString(folder.resolve(TaskData.REQUIREMENTS), text);
    Path wheels = folder.resolve("wheels");
    assertThat(
            new ProcessBuilder(
                    "python3", "-B", "src/test/python/wheels.py", wheels.toString(), "tiny")
                .inheritIO()
                .start()
                .waitFor())
        .isZero();
    requirements =
        new Requirements(Sha256.of(file), "python3", wheels.toString(), Duration.ofMinutes(5));
  }

  @Test
  void what_a_pool_requires_is_installed_once_and_is_what_its_workers_import() throws Exception {
    module("import tiny\ndef value(_): return tiny.VALUE");
    require("tiny");
    for (int worker = 0; worker < 2; worker++) {
      launch(WorkerProtocol.FRAMES, FRAMES, List.of());
      if (worker == 0) {
        expect(ServerEvent.Started.class);
      }
      expect(ServerEvent.Prepared.class);
      assertThat(server.preparation()).isEmpty();
      expect(ServerEvent.Started.class);
      expect(ServerEvent.Answered.class);
      send(1, "value", "null");
      assertThat(expect(ServerEvent.Received.class).frames())
          .extracting(frame -> new String(frame.payload(), UTF_8))
          .containsExactly("42");
      server.terminate();
      assertThat(expectEnd().exitCode()).isZero();
    }
    assertThat(Files.readString(folder.resolve("worker-mine.0.1.stdout")))
        .containsOnlyOnce("making a virtual environment");
  }

  @Test
  void what_cannot_be_installed_ends_with_the_last_words_of_pip() throws Exception {
    module("def value(_): return 1");
    require("nowhere-to-be-found");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    ServerEvent.Ended end = expectEnd();
    assertThat(end.exitCode()).isEqualTo(77);
    assertThat(end.lastOutput().get(end.lastOutput().size() - 1))
        .contains("No matching distribution found for nowhere-to-be-found");
  }

  @Test
  void a_requirements_file_with_another_content_is_not_installed() throws Exception {
    require("tiny");
    Files.writeString(folder.resolve(TaskData.REQUIREMENTS), "other");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    ServerEvent.Ended end = expectEnd();
    assertThat(end.trouble()).contains("requirements.txt has SHA-256");
    assertThat(end.curable()).isFalse();
  }

  @Test
  void installing_tells_how_far_it_is_and_is_killed_with_all_that_it_has_started()
      throws Exception {
    Path slow = folder.resolve("slow-python");
    Path child = folder.resolve("child");
    Files.writeString(
        slow,
        "#!/bin/sh\necho Collecting everything\nsleep 600 &\necho $! > "
            + child
            + ".tmp\nmv "
            + child
            + ".tmp "
            + child
            + "\nwait\n");
    assertThat(slow.toFile().setExecutable(true)).isTrue();
    require("tiny");
    requirements =
        new Requirements(requirements.sha256(), slow.toString(), "", Duration.ofMinutes(5));
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    long pid = pidIn(child);
    eventually(
        "it tells",
        () ->
            server
                .preparation()
                .equals(
                    java.util.Optional.of(
                        new Progress(null, "installing requirements: Collecting everything"))));
    server.kill();
    expectEnd();
    eventually("what it had started is gone", () -> !lives(pid));
  }

  private PoolFile archive(String name, PoolFile.Form form, String... entries) throws Exception {
    Path path = Files.createDirectories(folder.resolve("archives")).resolve(name);
    try (var zip = new java.util.zip.ZipOutputStream(Files.newOutputStream(path))) {
      for (String entry : entries) {
        zip.putNextEntry(new java.util.zip.ZipEntry(entry));
        zip.write("VALUE = 7".getBytes(UTF_8));
      }
    }
    return new PoolFile(name, Sha256.of(path), form);
  }

  @Test
  void folders_and_archives_are_unpacked_where_workers_find_them() throws Exception {
    module("import flat, lib.inner\ndef value(_): return flat.VALUE + lib.inner.VALUE");
    PoolFile lib = archive("lib", PoolFile.Form.FOLDER, "inner.py");
    PoolFile flat = archive("flat.zip", PoolFile.Form.ARCHIVE, "flat.py");
    for (int worker = 0; worker < 2; worker++) {
      launch(WorkerProtocol.FRAMES, FRAMES, List.of(lib, flat));
      ServerEvent event = poll();
      while (event instanceof ServerEvent.Started) {
        event = poll(); // what unpacks them was started too
      }
      assertThat(event).isInstanceOf(ServerEvent.Answered.class);
      send(1, "value", "null");
      assertThat(expect(ServerEvent.Received.class).frames())
          .extracting(frame -> new String(frame.payload(), UTF_8))
          .containsExactly("14");
      server.terminate();
      expectEnd();
    }
  }

  @Test
  void an_archive_that_would_write_elsewhere_is_no_cause_to_try_again() throws Exception {
    PoolFile evil = archive("evil.zip", PoolFile.Form.ARCHIVE, "../evil.py");
    launch(WorkerProtocol.FRAMES, FRAMES, List.of(evil));
    ServerEvent.Ended end = expectEnd();
    assertThat(end.trouble())
        .isEqualTo(
            "archive evil.zip of the pool cannot be unpacked: '../evil.py' would be outside of its"
                + " folder");
    assertThat(end.curable()).isFalse();
    assertThat(folder.resolve("evil.py")).doesNotExist();
  }

  @Test
  void a_secret_is_in_a_file_of_the_worker_alone_until_its_end_and_nowhere_else() throws Exception {
    secrets.put("API_KEY", "v1", "correct horse");
    itsSecrets = List.of(new TaskData.Secret("API_KEY", "v1"));
    module(
        """
        import os
        def read(_):
            path = os.environ["API_KEY_FILE"]
            modes = [oct(os.stat(p).st_mode & 0o777) for p in (path, os.path.dirname(path))]
            with open(path) as file: return [path, modes, file.read()]
        """);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    eventually(
        "secrets are being fetched",
        () ->
            server
                .preparation()
                .filter(progress -> progress.message().equals("fetching secrets"))
                .isPresent());
    secrets.announce();
    expect(ServerEvent.Prepared.class);
    long pid = expect(ServerEvent.Started.class).pid();
    expect(ServerEvent.Answered.class);
    assertThat(server.preparation()).isEmpty();
    send(1, "read", "null");
    String answer = new String(expect(ServerEvent.Received.class).frames().get(0).payload(), UTF_8);
    Path file = Path.of(answer.substring(2, answer.indexOf('"', 2)));
    assertThat(answer).isEqualTo("[\"" + file + "\",[\"0o600\",\"0o700\"],\"correct horse\"]");
    assertThat(file.getFileName()).hasToString("API_KEY");
    for (String about : List.of("cmdline", "environ")) {
      assertThat(Files.readString(Path.of("/proc/" + pid + "/" + about), ISO_8859_1))
          .doesNotContain("correct horse");
    }
    server.terminate();
    assertThat(expectEnd().exitCode()).isZero();
    assertThat(file.getParent()).doesNotExist();
    try (var all = Files.walk(folder)) {
      for (Path each : all.filter(Files::isRegularFile).toList()) {
        assertThat(Files.readString(each, ISO_8859_1))
            .as(each.toString())
            .doesNotContain("correct horse");
      }
    }
    assertThat(secrets.asked()).isEqualTo(1);
    secrets.stopAnswering();
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Prepared.class); // known already, so that no scheduler is needed
  }

  @Test
  void the_end_of_a_process_is_told_though_what_it_left_with_its_secrets_cannot_be_removed()
      throws Exception {
    secrets.put("API_KEY", "v1", "correct horse");
    secrets.announce();
    itsSecrets = List.of(new TaskData.Secret("API_KEY", "v1"));
    module(
        """
        import os
        def bury(_):
            folder = os.path.dirname(os.environ["API_KEY_FILE"])
            os.chdir(folder)
            for _ in range(25): # deeper than a path may be long
                os.mkdir("d" * 200)
                os.chdir("d" * 200)
            return folder
        """);
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Prepared.class);
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "bury", "null");
    String answer = new String(expect(ServerEvent.Received.class).frames().get(0).payload(), UTF_8);
    try {
      server.terminate();
      assertThat(expectEnd().exitCode()).isZero();
    } finally {
      new ProcessBuilder("rm", "-rf", answer.replace("\"", "")).start().waitFor();
    }
  }

  @Test
  void a_secret_that_cannot_be_had_is_the_cause_and_a_kill_ends_the_waiting() throws Exception {
    itsSecrets = List.of(new TaskData.Secret("API_KEY", "v2"));
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    server.kill();
    assertThat(expectEnd().trouble())
        .isEqualTo("secret API_KEY cannot be had: no scheduler has said where it is");
    secrets.announce();
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    ServerEvent.Ended end = expectEnd();
    assertThat(end.trouble())
        .isEqualTo(
            "secret API_KEY cannot be had: the scheduler has it no more, or in another version:"
                + " apply the pool again");
    assertThat(end.curable()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"leak(None)", "os.fork() or leak(None) or os._exit(0); time.sleep(600)"})
  void where_the_kernel_keeps_the_limit_its_kill_is_named_out_of_memory(String how)
      throws Exception {
    Cgroups cgroups = CgroupsTest.ofThisMachine();
    servers = servers(cgroups);
    module(
        """
        import os, time
        def leak(_):
            kept = bytearray(1 << 20)
            while True: kept.extend(bytes(1 << 20))
        def run(_): %s
        """
            .formatted(how));
    launch(WorkerProtocol.FRAMES, FRAMES, List.of());
    expect(ServerEvent.Started.class);
    expect(ServerEvent.Answered.class);
    send(1, "run", "null");
    ServerEvent.Ended end = expectEnd();
    assertThat(end.signal()).isEqualTo(9);
    assertThat(end.memory().exhausted())
        .isEqualTo(
            "the process took 64 MiB of memory, all that it may have, and the kernel killed it");
    assertThat(end.memory().peakBytes()).isGreaterThanOrEqualTo(64 << 20);
    for (Path base : cgroups.folders()) {
      try (var left = Files.list(base)) {
        assertThat(left.map(Path::toString)).noneMatch(name -> name.contains("mine.0.1"));
      }
    }
  }
}
