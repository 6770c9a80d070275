package io.troupe.distribution;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SecretsIT {
  private static final String SECRET = "zx81-correct-horse";
  private static final String CHANGED = "zx82-battery-staple";

  @Test
  void a_secret_reaches_its_workers_and_is_written_and_shown_nowhere() throws Exception {
    try (Installation troupe = new Installation("secrets")) {
      Path key = secret(Files.createTempFile("troupe-key", ""), SECRET);
      troupe.write(
          "reader.py",
          "import os\ndef read(_): return open(os.environ['KEY_FILE']).read()[::-1]\n");
      Path pool =
          troupe.write(
              "reader.conf",
              """
              name = reader
              command = "python3 -m troupe.worker reader"
              files = [ reader.py ]
              secrets { KEY = "%s" }
              resources { cpus = 0.1, mem = 32 MiB }
              size = 1
              """
                  .formatted(key));
      troupe.up("--agents", "1").well();
      troupe.troupe("pool", "apply", pool.toString()).well();
      assertThat(read(troupe)).contains(backwards(SECRET));
      assertShownNowhere(troupe, SECRET);

      secret(key, CHANGED);
      troupe.troupe("pool", "apply", pool.toString(), "--wait").well();
      assertThat(read(troupe)).contains(backwards(CHANGED));
      assertShownNowhere(troupe, CHANGED);

      // What dies without a chance to tidy up leaves no secret behind.
      Path inMemory = folders(troupe).get(0);
      troupe.processes().stream()
          .filter(process -> Installation.commandLine(process).contains("io.troupe.executor.Main"))
          .forEach(ProcessHandle::destroyForcibly);
      troupe.await(
          "the secrets of the executor that was killed to be gone",
          () -> Files.exists(inMemory) ? Optional.empty() : Optional.of(inMemory));
      Files.delete(key);
    }
  }

  private static Path secret(Path file, String content) throws IOException {
    Files.writeString(file, content);
    return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
  }

  /** As the job gives it back, so that its result is not what is looked for. */
  private static String backwards(String text) {
    return new StringBuilder(text).reverse().toString();
  }

  private static String read(Installation troupe) {
    return troupe.troupe("job", "run", "reader", "read").well().out();
  }

  /** Where the executors of this cluster keep secrets. */
  private static List<Path> folders(Installation troupe) throws IOException {
    List<String> marks =
        troupe.processes().stream()
            .map(Installation::commandLine)
            .filter(command -> command.contains("guard.py"))
            .map(command -> command.replaceFirst(".*guard\\.py (\\S+).*", "$1"))
            .toList();
    try (Stream<Path> all = Files.list(Path.of("/dev/shm"))) {
      return all.filter(
              path -> marks.stream().anyMatch(mark -> path.endsWith("troupe-secrets-" + mark)))
          .toList();
    }
  }

  private static void assertShownNowhere(Installation troupe, String secret)
      throws IOException, InterruptedException {
    for (ProcessHandle process : troupe.processes()) {
      for (String about : List.of("cmdline", "environ")) {
        assertThat(about(process, about)).as(about).doesNotContain(secret);
      }
    }
    String mesos = "http://127.0.0.1:" + troupe.port("--mesos-port");
    String management = "http://127.0.0.1:" + troupe.port("--management-port");
    for (String url :
        List.of(
            mesos + "/state",
            mesos + "/tasks",
            troupe.url() + "/v1/pools",
            troupe.url() + "/v1/pools/reader",
            troupe.url() + "/v1/workers",
            troupe.url() + "/v1/jobs",
            management + "/troupe/tree",
            management + "/metrics")) {
      assertThat(get(url)).as(url).doesNotContain(secret);
    }
    assertThat(folders(troupe)).isNotEmpty();
    try (Stream<Path> files = Files.walk(troupe.cluster())) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        assertThat(Files.readString(file, ISO_8859_1)).as(file.toString()).doesNotContain(secret);
      }
    }
  }

  private static String about(ProcessHandle process, String what) {
    try {
      return Files.readString(Path.of("/proc/" + process.pid() + "/" + what), ISO_8859_1);
    } catch (IOException gone) {
      return "";
    }
  }

  private static String get(String url) throws IOException, InterruptedException {
    HttpResponse<String> answer =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(URI.create(url)).build(),
                HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(url).isEqualTo(200);
    return answer.body();
  }
}
