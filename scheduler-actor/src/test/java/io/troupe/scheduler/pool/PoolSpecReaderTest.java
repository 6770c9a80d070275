package io.troupe.scheduler.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.JobPolicy;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSecret;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Requirements;
import io.troupe.model.Resources;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.scheduler.pool.PoolSpecReader.InvalidPoolException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Pools as users write them. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class PoolSpecReaderTest {
  private static final String SHA = "ab".repeat(32);
  private static final String LEAST =
      "name = p\ncommand = run\nresources { cpus = 0.5, mem = 128 MiB }\n";

  @Test
  void reads_every_key() {
    PoolSpec spec =
        PoolSpecReader.read(
            """
            name = code-metrics
            command = "python3 -m troupe.worker metrics"
            protocol = none
            files = [ { name = metrics.py, sha256 = %s } ]
            resources { cpus = 0.25, mem = 1 GiB, ports = 2 }
            size = { min = 1, max = 8 }
            job { timeout = 90s, attempts = 1, durability = memory }
            env { KEY = value, NUMBER = 7 }
            start-timeout = 5s
            limits { mem = 2 GiB, files = 1024, processes = 64, core = 0 MiB, nice = 5 }
            recycle { jobs = 1000, age = 1h, rss = 512 MiB }
            """
                .formatted(SHA));

    assertThat(spec)
        .isEqualTo(
            new PoolSpec(
                "code-metrics",
                "python3 -m troupe.worker metrics",
                WorkerProtocol.NONE,
                List.of(new PoolFile("metrics.py", SHA)),
                new Resources(0.25, 1024, 2),
                new PoolSize.Range(1, 8),
                new JobPolicy(Duration.ofSeconds(90), 1, JobPolicy.Durability.MEMORY),
                Map.of("KEY", "value", "NUMBER", "7"),
                Duration.ofSeconds(5),
                new Upkeep(2048, 1024, 64, 0, 5, 1000, Duration.ofHours(1), 512, Duration.ZERO),
                HttpChecks.NONE,
                Requirements.NONE,
                Container.NONE,
                List.of(),
                Serving.ONE_AT_A_TIME));
  }

  @Test
  void fills_in_what_is_left_out() {
    assertThat(PoolSpecReader.read(LEAST))
        .isEqualTo(
            new PoolSpec(
                "p",
                "run",
                WorkerProtocol.FRAMES,
                List.of(),
                new Resources(0.5, 128, 0),
                new PoolSize.PerAgent(),
                new JobPolicy(Duration.ofSeconds(60), 3, JobPolicy.Durability.STORE),
                Map.of()));
  }

  @Test
  void reads_where_secrets_are() {
    assertThat(
            PoolSpecReader.read(LEAST + "secrets { B = /run/b, A_1 = \"/etc/a key\" }").secrets())
        .containsExactly(
            new PoolSecret("A_1", "/etc/a key", ""), new PoolSecret("B", "/run/b", ""));
    assertThat(PoolSpecReader.read(LEAST).secrets()).isEmpty();
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + "secrets { A = s3cret }"))
        .hasMessage(
            "secrets.A must be the path of a file on the scheduler's machine, from / on; the secret"
                + " itself must not stand in a pool file");
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + "secrets { A { file = /a } }"))
        .hasMessageContaining("secrets.A must be the path of a file");
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + "secrets { \"a-b\" = /a }"))
        .hasMessageContaining("'a-b' cannot name a secret");
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + "secrets = /a"))
        .hasMessageContaining("secrets has names and files");
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + "secrets { A = /a }, env { A_FILE = b }"))
        .hasMessage("env.A_FILE is where secret A is: leave it out");
  }

  @Test
  void reads_whether_workers_are_forked() {
    assertThat(PoolSpecReader.read(LEAST).serving().preload()).isFalse();
    assertThat(PoolSpecReader.read(LEAST + "preload = true").serving().preload()).isTrue();
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + "preload = true, protocol = none"))
        .hasMessageStartingWith("preload needs protocol frames and no image");
  }

  @Test
  void reads_how_many_jobs_a_worker_runs_at_once() {
    assertThat(PoolSpecReader.read(LEAST + "concurrency = 16").serving().concurrency())
        .isEqualTo(16);
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + "concurrency = 0"))
        .hasMessage("concurrency must be from 1 to 256, not 0");
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + "concurrency = 2, protocol = none"))
        .hasMessage("concurrency is for pools that take jobs: leave it out, or set protocol");
  }

  @Test
  void reads_how_long_a_job_may_be_silent() {
    assertThat(PoolSpecReader.read(LEAST + "job.heartbeat = 30s").upkeep().heartbeat())
        .isEqualTo(Duration.ofSeconds(30));
  }

  @Test
  void reads_where_a_server_of_its_own_is_asked_how_it_is() {
    String server = LEAST + "protocol = http, resources.ports = 1\n";
    assertThat(PoolSpecReader.read(server).http()).isEqualTo(HttpChecks.NONE);
    assertThat(PoolSpecReader.read(server + "http { ready = /ready, health = /well }").http())
        .isEqualTo(new HttpChecks("/ready", "/well"));
    assertThatThrownBy(() -> PoolSpecReader.read(server + "http { ready = ready }"))
        .hasMessage("a path for checks is like /ready, not 'ready'");
    assertThatThrownBy(() -> PoolSpecReader.read(server + "http { redy = /ready }"))
        .hasMessageContaining("did you mean 'http.ready'?");
  }

  @Test
  void reads_what_its_workers_require() {
    String sha256 = "a".repeat(64);
    assertThat(
            PoolSpecReader.read(LEAST + "requirements { sha256 = " + sha256 + " }").requirements())
        .isEqualTo(new Requirements(sha256, "python3", "", Duration.ofMinutes(10)));
    String all =
        "requirements { sha256 = %s, python = python3.12, wheels = /srv/my wheels, timeout = 1h }";
    assertThat(PoolSpecReader.read(LEAST + all.formatted(sha256)).requirements())
        .isEqualTo(new Requirements(sha256, "python3.12", "/srv/my wheels", Duration.ofHours(1)));
    for (String wrong : List.of("python = \"python3; rm\"", "wheels = wheels", "timeout = 0s")) {
      assertThatThrownBy(
              () ->
                  PoolSpecReader.read(
                      LEAST + "requirements { sha256 = " + sha256 + ", " + wrong + " }"))
          .isInstanceOf(InvalidPoolException.class)
          .hasMessageContaining("requirements.");
    }
  }

  @Test
  void reads_what_becomes_of_its_files() {
    String file = "{ name = %s, sha256 = " + "b".repeat(64) + ", form = %s }";
    String files =
        "files = [ %s, %s, %s ]"
            .formatted(
                file.formatted("a", "file"),
                file.formatted("b", "folder"),
                file.formatted("c.zip", "archive"));
    assertThat(PoolSpecReader.read(LEAST + files).files())
        .extracting(PoolFile::fetchedAs)
        .containsExactly("files/a", "archives/b", "archives/c.zip");
  }

  @Test
  void reads_json_too() {
    assertThat(
            PoolSpecReader.read(
                "{\"name\":\"p\",\"command\":\"run\",\"size\":4,"
                    + "\"resources\":{\"cpus\":0.5,\"mem\":\"128 MiB\"}}"))
        .isEqualTo(PoolSpecReader.read(LEAST + "size = 4"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          comand = x                          | unknown key 'comand': did you mean 'command'?
          resources.cpu = 1                   | did you mean 'resources.cpus'?
          job { timout = 1s }                 | did you mean 'job.timeout'?
          wibbledywobble = 1                  | known are command, concurrency, container, env
          name = Not_This                     | lower-case letters, digits and dashes
          command = " "                       | command must not be empty
          protocol = http                     | add ports = 1 to resources
          http.ready = /ready                 | is for pools with protocol = http
          protocol = smoke                    | protocol must be frames, http or none, not 'smoke'
          image = "python:3.12", requirements.sha256 = "0000000000000000000000000000000000000000000000000000000000000000" | requirements are installed on agents
          image = "--help"                    | image is a name such as python:3.12
          image = "p", container { mounts = ["data"] } | container.mounts are like /data:/data
          image = "p", container { network = "" } | container.network is host, none or the name
          container { user = me }             | add image
          requirements = requirements.txt     | must be uploaded first
          requirements { sha256 = "0" }       | requirements.sha256 must be 64
          requirements { }                    | the pool has no requirements.sha256
          requirements { wheel = /w }         | did you mean 'requirements.wheels'?
          files = [ "../a.py" ]               | files must be uploaded first
          files = [ { name = "../a.py", sha256 = "0" } ] | a name without folders
          files = [ { name = a.py, sha256 = "0" } ]      | 64 lower-case hexadecimal digits
          files = [ { name = a, form = box, sha256 = "0" } ] | file, folder or archive, not 'box'
          resources.cpus = 0                  | resources.cpus must be at least 0.01
          resources.cpus = many               | resources.cpus
          resources.mem = 128                 | with its unit, such as 128 MiB
          resources.mem = "128 MoB"           | resources.mem
          resources.ports = -1                | resources.ports must be from 0 to 1000
          size = lots                         | size must be per-agent, a number, or
          size = -1                           | size must be per-agent, a number, or
          size { min = 3, max = 2 }           | size must be 0 <= min <= max
          size { min = 3 }                    | size needs both min and max
          job.timeout = 0s                    | timeout must be positive
          job.timeout = soon                  | job.timeout
          limits { memory = 1 GiB }           | unknown key 'limits.memory'
          limits.nice = 20                    | limits.nice must be from 0 to 19, not 20
          limits.mem = 1                      | limits.mem must be at least 16 MiB
          recycle.jobs = 0                    | recycle.jobs must be from 1
          recycle.age = 0s                    | recycle.age must be positive
          job.attempts = 0                    | job.attempts must be at least 1
          job.durability = stone              | job.durability must be store or memory
          env { "A=B" = c }                   | cannot name an environment variable
          env { A = [1] }                     | env.A must be a text
          start-timeout = 0s                  | start-timeout must be positive
          x = ${y}                            | refers to something that it does not define
          {                                   | neither HOCON nor JSON
          """)
  void says_in_one_line_what_is_wrong(String line, String message) {
    assertThatThrownBy(() -> PoolSpecReader.read(LEAST + line))
        .isInstanceOf(InvalidPoolException.class)
        .hasMessageContaining(message)
        .message()
        .doesNotContain("\n");
  }

  @ParameterizedTest
  @CsvSource({
    "name, the pool has no name",
    "command, the pool has no command",
    "resources, the pool has no resources"
  })
  void says_what_is_missing(String key, String message) {
    String without =
        LEAST.lines().filter(l -> !l.startsWith(key)).reduce("", (a, b) -> a + b + "\n");

    assertThatThrownBy(() -> PoolSpecReader.read(without)).hasMessageContaining(message);
  }

  @Test
  void a_pool_says_when_its_jobs_are_tried_again_and_how_many_it_takes() {
    JobPolicy job =
        PoolSpecReader.read(
                """
                name = a, command = b, resources { cpus = 1, mem = 64 MiB }
                job {
                  retry { first = 2s, max = 1m, on = [ exception, agent-lost ] }
                  limits { queued = 10, concurrency = 3, rate = 2.5 }
                  weights { alice = 3 }
                  keep = 2h
                }
                """)
            .job();
    assertThat(job.retry())
        .isEqualTo(
            new JobPolicy.Retry(
                Duration.ofSeconds(2),
                Duration.ofMinutes(1),
                Set.of(JobPolicy.RetryOn.EXCEPTION, JobPolicy.RetryOn.AGENT_LOST)));
    assertThat(job.limits())
        .isEqualTo(new JobPolicy.Limits(10, 3, 2.5, Duration.ofHours(2), Map.of("alice", 3)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "retry { on = [ rain ] }",
        "retry { furst = 1s }",
        "retry { first = 2s, max = 1s }",
        "limits { queued = -1 }",
        "limits { speed = 1 }",
        "weights { alice = 0 }",
        "weights { alice = much }",
        "keep = 0s"
      })
  void what_makes_no_sense_of_jobs_is_refused(String job) {
    assertThatThrownBy(
            () ->
                PoolSpecReader.read(
                    "name = a, command = b, resources { cpus = 1, mem = 64 MiB }, job { "
                        + job
                        + " }"))
        .isInstanceOf(PoolSpecReader.InvalidPoolException.class)
        .hasMessageContaining("job.");
  }
}
