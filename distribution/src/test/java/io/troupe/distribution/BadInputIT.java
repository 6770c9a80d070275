package io.troupe.distribution;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a user gets wrong: one clear line each, and nothing hangs. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(420)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BadInputIT {
  private Installation troupe;

  @BeforeAll
  void start() throws IOException {
    troupe = new Installation("bad-input");
    troupe.up("--agents", "1", "--cpus", "1.1", "--mem", "1024").well();
  }

  @AfterAll
  void stop() {
    troupe.close();
  }

  @Test
  void every_mistake_is_one_line_that_says_what_to_do() throws Exception {
    // a pool file with a misspelt key
    troupe
        .troupe("pool", "apply", pool("typo", "commnd = \"x\"").toString())
        .oneLine(1, "typo.conf", "unknown key 'commnd'", "did you mean 'command'");

    // an unknown pool
    troupe.troupe("job", "run", "nope", "f").oneLine(1, "There is no pool 'nope'");
    assertThat(troupe.post("/v1/pools/nope/jobs?function=f", "1").statusCode()).isEqualTo(404);

    // invalid JSON
    troupe.troupe("job", "run", "nope", "f", "{").oneLine(2, "not JSON");
    troupe
        .troupe(
            "pool",
            "apply",
            pool("broken", "command = \"python3 -m troupe.worker gone\"").toString())
        .well();
    HttpResponse<String> invalid = troupe.post("/v1/pools/broken/jobs?function=f", "{");
    assertThat(invalid.statusCode()).isEqualTo(400);
    assertThat(invalid.body()).contains("INVALID_JSON");

    // a Python module that does not import, and a command that does not exist
    troupe.troupe("pool", "apply", pool("lost", "command = \"no-such-program\"").toString()).well();
    List<Process> waiting = List.of(run("broken"), run("lost"));

    // a function that does not exist, and one that raises
    troupe.write("some.py", "def fail(x):\n    raise ValueError('no ' + x)\n");
    troupe
        .troupe(
            "pool",
            "apply",
            pool("some", "command = \"python3 -m troupe.worker some\", files = [ some.py ]")
                .toString())
        .well();
    troupe.troupe("job", "run", "some", "missing").oneLine(1, "missing");
    troupe.troupe("job", "run", "some", "fail", "\"way\"").oneLine(1, "ValueError", "no way");

    troupe
        .finish(waiting.get(0))
        .oneLine(
            1, "pool broken has no running worker", "No module named 'gone'", "explain broken");
    troupe.finish(waiting.get(1)).oneLine(1, "pool lost has no running worker", "no-such-program");
  }

  @Test
  void a_client_that_waits_for_no_answer_gets_them_all_and_ends_nothing() throws Exception {
    // More than Akka reads at once, twice over.
    int requests = 8_000;
    byte[] all = "GET /v1/info HTTP/1.1\r\nHost: here\r\n\r\n".repeat(requests).getBytes(US_ASCII);
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), troupe.apiPort())) {
      socket.setSoTimeout(60_000);
      CompletableFuture<Void> sent =
          CompletableFuture.runAsync(
              () -> {
                try {
                  socket.getOutputStream().write(all);
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      BufferedReader reader =
          new BufferedReader(new InputStreamReader(socket.getInputStream(), US_ASCII));
      int answers = 0;
      while (answers < requests) {
        String line = reader.readLine();
        assertThat(line).as("after %d answers", answers).isNotNull();
        // The body of an answer ends without a line end.
        answers += line.endsWith("HTTP/1.1 200 OK") ? 1 : 0;
      }
      sent.get(60, TimeUnit.SECONDS);
    }
    troupe.troupe("pool", "list").well();
  }

  @Test
  void a_port_in_use_is_named_and_nothing_is_left() throws IOException {
    try (Installation other = new Installation("port-in-use");
        ServerSocket taken =
            new ServerSocket(other.apiPort(), 1, InetAddress.getLoopbackAddress())) {
      other.up().oneLine(1, "port " + taken.getLocalPort(), "in use", "--api-port");
      assertThat(other.processes()).isEmpty();
      other.local("add-agent").oneLine(1, "no local Mesos", "bin/troupe local up");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "io.troupe.local.Main, the local Mesos",
    "io.troupe.scheduler.Main, the scheduler",
  })
  void a_program_that_cannot_be_launched_is_named_and_nothing_is_left(String main, String name)
      throws IOException {
    try (Installation other = new Installation("not-launched")) {
      Path launcher = Files.createDirectories(other.directory().resolve("bin")).resolve("setsid");
      Files.writeString(
          launcher,
          """
          #!/bin/sh
          case "$*" in
            *%s*) echo "setsid: fork: no more processes" >&2; exit 1 ;;
          esac
          PATH=${PATH#*:}
          exec setsid "$@"
          """
              .formatted(main));
      Files.setPosixFilePermissions(launcher, PosixFilePermissions.fromString("rwxr-xr-x"));
      List<String> up = new ArrayList<>(List.of("local", "up", "--agents", "1"));
      up.addAll(List.of("--dir", other.cluster().toString()));
      up.addAll(other.portOptions());
      String path = launcher.getParent() + ":" + System.getenv("PATH");
      other
          .finish(other.start("bin/troupe", up, Map.of("PATH", path)))
          .oneLine(1, "cannot start " + name, "no more processes");
      assertThat(other.processes()).isEmpty();
      other.local("add-agent").oneLine(1, "no local Mesos", "bin/troupe local up");
    }
  }

  @Test
  void a_scheduler_without_its_master_says_so_and_goes_on_trying() throws IOException {
    try (Installation other = new Installation("no-master")) {
      String conf =
          "troupe.api.port = %d%nakka.management.http.port = 0%nakka.remote.artery.canonical.port = 0%n"
              .formatted(other.apiPort());
      Process scheduler =
          other.start(
              "bin/troupe",
              List.of(
                  "scheduler",
                  "--master",
                  "http://127.0.0.1:1",
                  "--conf",
                  other.write("scheduler.conf", conf).toString(),
                  "--dir",
                  other.directory().resolve("scheduler").toString()));
      other.await(
          "the scheduler",
          () ->
              other.troupe("pool", "list").exitCode() == 0 ? Optional.of(true) : Optional.empty());
      Installation.Done doctor = other.troupe("doctor");
      assertThat(doctor.exitCode()).isEqualTo(1);
      assertThat(doctor.out()).contains("BAD mesos").contains("is the master up?");
      other.troupe("teardown").oneLine(1, "master");
      assertThat(scheduler.isAlive()).isTrue();
      scheduler.destroy();
      assertThat(other.finish(scheduler).err()).doesNotContain("\tat ");
    }
  }

  private Process run(String pool) {
    return troupe.start("bin/troupe", List.of("job", "run", pool, "f"));
  }

  private Path pool(String name, String rest) throws IOException {
    return troupe.write(
        name + ".conf",
        "name = " + name + "\nresources { cpus = 0.2, mem = 64 MiB }\nsize = 1\n" + rest + "\n");
  }
}
