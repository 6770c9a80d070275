package io.troupe.scheduler.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.Sha256;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a user gets to see, against a scheduler that says what the test wants. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(60)
class CommandLineTest {
  private final FakeScheduler scheduler = new FakeScheduler();
  private final Map<String, String> environment = new HashMap<>();

  @TempDir private Path folder = Path.of("");

  @AfterEach
  void close() {
    scheduler.close();
  }

  /** What one command did. */
  private record Done(int exitCode, String out, String err) {}

  private Done troupe(String... arguments) {
    environment.putIfAbsent("TROUPE_URL", scheduler.url());
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Terminal terminal =
        new Terminal(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false,
            false,
            100,
            false);
    int exitCode = Troupe.run(terminal, environment, arguments);
    return new Done(
        exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  private static void assertOneLine(Done done, int exitCode, String... parts) {
    assertThat(done.err().lines()).hasSize(1).allSatisfy(line -> assertThat(line).contains(parts));
    assertThat(done.exitCode()).isEqualTo(exitCode);
    assertThat(done.out()).isEmpty();
  }

  // ---- how it is called

  @Test
  void help_names_every_command() {
    Done done = troupe("--help");
    assertThat(done.exitCode()).isZero();
    assertThat(done.out())
        .contains("local", "scheduler", "pool", "job", "tree", "agents", "workers", "logs")
        .contains("explain", "doctor", "teardown", "version");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "pool",
        "frobnicate",
        "pool aply x",
        "pool show",
        "pool list --colour",
        "job map a b",
        "pool scale a many",
        "job run a b {",
        "local up --agents x"
      })
  void wrong_usage_is_one_line_and_exit_code_2(String arguments) {
    String[] words = arguments.isEmpty() ? new String[0] : arguments.split(" ", -1);
    assertOneLine(troupe(words), 2, "troupe: ");
  }

  @Test
  void a_misspelt_command_gets_the_nearest_one_named() {
    assertOneLine(troupe("pool", "aply", "x.conf"), 2, "'aply'", "apply");
  }

  @Test
  void where_nobody_listens_the_user_learns_how_to_start_a_scheduler() {
    environment.put("TROUPE_URL", "http://127.0.0.1:1");
    assertOneLine(troupe("pool", "list"), 1, "http://127.0.0.1:1", "bin/troupe local up", "--url");
  }

  @Test
  void an_address_that_is_none_is_wrong_usage() {
    assertOneLine(
        troupe("pool", "list", "--url", "localhost:7070"), 2, "localhost:7070", "http://");
  }

  @Test
  void the_option_goes_before_the_environment() {
    environment.put("TROUPE_URL", "http://127.0.0.1:1");
    scheduler.answer("GET /v1/pools", 200, "[]");
    assertThat(troupe("pool", "list", "--url", scheduler.url() + "/").exitCode()).isZero();
    assertThat(troupe("--url", scheduler.url(), "pool", "list").exitCode()).isZero();
  }

  @Test
  void the_token_goes_to_the_scheduler() {
    environment.put("TROUPE_TOKEN", "secret");
    scheduler.on(
        "GET /v1/pools",
        exchange ->
            FakeScheduler.reply(
                exchange,
                "Bearer secret".equals(exchange.getRequestHeaders().getFirst("Authorization"))
                    ? 200
                    : 401,
                "[]"));
    assertThat(troupe("pool", "list").exitCode()).isZero();
    environment.remove("TROUPE_TOKEN");
    assertOneLine(troupe("pool", "list"), 1, "TROUPE_TOKEN");
  }

  @Test
  void an_error_of_the_scheduler_is_its_message() {
    scheduler.answer(
        "GET /v1/pools/nope",
        404,
        "{\"error\":{\"code\":\"POOL_NOT_FOUND\",\"message\":\"There is no pool 'nope'\"}}");
    assertOneLine(troupe("pool", "show", "nope"), 1, "There is no pool 'nope'");
  }

  @Test
  void an_answer_that_is_not_from_a_scheduler_is_told() {
    scheduler.answer("GET /v1/pools", 200, "<html>");
    assertOneLine(troupe("pool", "list"), 1, "not JSON");
  }

  // ---- pools

  @Test
  void pools_are_listed_as_a_table_and_as_json() {
    String pools =
        "[{\"name\":\"a\",\"size\":\"per-agent\",\"wanted\":12,\"running\":3,\"queued\":0,"
            + "\"active\":0,\"succeeded\":7,\"failed\":1,\"causes\":{}}]";
    scheduler.answer("GET /v1/pools", 200, pools);
    assertThat(troupe("pool", "list").out().lines())
        .containsExactly(
            "POOL  SIZE       WANTED  RUNNING  QUEUED  ACTIVE  SUCCEEDED  FAILED",
            "a     per-agent      12        3       0       0          7       1");
    assertThat(troupe("pool", "list", "--json").out().strip()).isEqualTo(pools);
  }

  @Test
  void apply_sends_a_file_only_where_it_is_missing_and_names_it_by_its_content()
      throws IOException {
    Files.writeString(folder.resolve("old.py"), "old");
    Files.writeString(folder.resolve("new.py"), "new");
    Path pool = folder.resolve("pool.conf");
    Files.writeString(
        pool,
        "name = p # a comment\ncommand = \"python3 -m x\"\nfiles = [ old.py, \"new.py\" ]\n"
            + "resources { cpus = 0.5, mem = 128 MiB }");
    scheduler
        .on("HEAD /v1/files/" + sha("old"), exchange -> FakeScheduler.reply(exchange, 200, ""))
        .answer("PUT /v1/files/" + sha("new"), 200, "{}")
        .answer("POST /v1/pools", 200, "{\"name\":\"p\"}");
    Done done = troupe("pool", "apply", pool.toString());
    assertThat(done.err()).isEmpty();
    assertThat(scheduler.requests())
        .contains("PUT /v1/files/" + sha("new") + " new")
        .noneMatch(request -> request.startsWith("PUT /v1/files/" + sha("old")))
        .anySatisfy(
            request ->
                assertThat(request)
                    .startsWith("POST /v1/pools {")
                    .contains("{\"name\":\"old.py\",\"sha256\":\"" + sha("old") + "\"}")
                    .contains("\"mem\":\"128 MiB\""));
  }

  @Test
  void apply_sends_the_requirements_file_too() throws IOException {
    Files.writeString(folder.resolve("needs.txt"), "six");
    Path pool = folder.resolve("pool.conf");
    scheduler
        .answer("PUT /v1/files/" + sha("six"), 200, "{}")
        .answer("POST /v1/pools", 200, "{\"name\":\"p\"}");
    Files.writeString(pool, "name = p, requirements = needs.txt");
    assertThat(troupe("pool", "apply", pool.toString()).err()).isEmpty();
    Files.writeString(pool, "name = p, requirements { file = needs.txt, timeout = 1m }");
    assertThat(troupe("pool", "apply", pool.toString()).err()).isEmpty();
    assertThat(scheduler.requests())
        .contains(
            "PUT /v1/files/" + sha("six") + " six",
            "POST /v1/pools {\"name\":\"p\",\"requirements\":{\"sha256\":\"" + sha("six") + "\"}}",
            "POST /v1/pools {\"name\":\"p\",\"requirements\":{\"timeout\":\"1m\",\"sha256\":\""
                + sha("six")
                + "\"}}");
    Files.writeString(pool, "name = p, requirements { timeout = 1m }");
    assertOneLine(troupe("pool", "apply", pool.toString()), 1, "requirements must name a file");
    Files.writeString(pool, "name = p, requirements = gone.txt");
    assertOneLine(troupe("pool", "apply", pool.toString()), 1, "gone.txt", "no readable file");
  }

  @Test
  void apply_packs_folders_always_the_same_and_names_archives() throws IOException {
    Path lib = Files.createDirectories(folder.resolve("lib/inner"));
    Path tool = Files.writeString(lib.resolve("tool"), "run");
    assertThat(tool.toFile().setExecutable(true)).isTrue();
    Files.writeString(
        Files.createDirectories(folder.resolve("lib/__pycache__")).resolve("x.pyc"), "x");
    Files.writeString(folder.resolve("data.tar"), "tar");
    Path pool = folder.resolve("pool.conf");
    Files.writeString(pool, "name = p, files = [ lib, { archive = data.tar } ]");

    PoolUpload first = PoolUpload.read(pool);
    assertThat(tool.toFile().setLastModified(1_000_000_000_000L)).isTrue();
    PoolUpload second = PoolUpload.read(pool);

    assertThat(first.spec()).isEqualTo(second.spec());
    assertThat(first.spec().path("files"))
        .extracting(file -> file.path("name").asText() + " " + file.path("form").asText())
        .containsExactly("lib folder", "data.tar archive");
    try (var zip =
        java.nio.file.FileSystems.newFileSystem(
            first.files().get(0).path(), Map.of("enablePosixFileAttributes", "true"))) {
      Path packed = zip.getPath("/inner/tool");
      assertThat(Files.getPosixFilePermissions(packed))
          .contains(java.nio.file.attribute.PosixFilePermission.OWNER_EXECUTE);
      assertThat(Files.readString(packed)).isEqualTo("run");
      assertThat(Files.exists(zip.getPath("/__pycache__"))).isFalse();
    }
    Files.writeString(pool, "name = p, files = [ { file = data.tar } ]");
    assertOneLine(troupe("pool", "apply", pool.toString()), 1, "{ archive = \"models.tar.gz\" }");
  }

  @Test
  void apply_waits_until_the_new_workers_run_and_the_old_have_left() throws IOException {
    Path pool = folder.resolve("pool.conf");
    Files.writeString(pool, "name = p");
    AtomicInteger asked = new AtomicInteger();
    List<String> states =
        List.of("\"current\":0,\"old\":2", "\"current\":1,\"old\":2", "\"current\":2,\"old\":0");
    scheduler
        .answer("POST /v1/pools", 200, "{\"name\":\"p\"}")
        .on(
            "GET /v1/pools/p",
            exchange ->
                FakeScheduler.reply(
                    exchange,
                    200,
                    "{\"size\":2,\"wanted\":2,\"rollout\":{"
                        + states.get(Math.min(asked.getAndIncrement(), 2))
                        + ",\"failure\":\"\"}}"));
    Done done = troupe("pool", "apply", pool.toString(), "--wait");
    assertThat(done.exitCode()).isZero();
    assertThat(done.err().lines())
        .containsExactly(
            "0 of 2 workers run, 2 of before still work",
            "1 of 2 workers run, 2 of before still work",
            "2 of 2 workers run");
    assertThat(done.out()).contains("pool p runs as the file says");
  }

  @Test
  void apply_tells_why_the_new_workers_do_not_start_and_that_the_old_ones_stay()
      throws IOException {
    Path pool = folder.resolve("pool.conf");
    Files.writeString(pool, "name = p");
    scheduler
        .answer("POST /v1/pools", 200, "{\"name\":\"p\"}")
        .answer(
            "GET /v1/pools/p",
            200,
            "{\"size\":2,\"wanted\":2,\"rollout\":{\"current\":0,\"old\":2,"
                + "\"failure\":\"USER no module named x\\nof many\\nlines\"}}");
    Done done = troupe("pool", "apply", pool.toString(), "--wait");
    assertThat(done.exitCode()).isEqualTo(1);
    assertThat(done.err())
        .contains(
            "the new workers of pool p do not start: USER no module named x; the old ones (2)");
    scheduler.answer(
        "GET /v1/pools/p",
        200,
        "{\"size\":\"per-agent\",\"wanted\":0,\"rollout\":{\"current\":0,\"old\":0,\"failure\":\"\"}}");
    assertThat(troupe("pool", "apply", pool.toString(), "--wait", "--timeout", "1").err())
        .contains("is not complete after 1 s");
  }

  @Test
  void show_tells_for_which_workers_something_is_installed() {
    scheduler.answer(
        "GET /v1/pools/p",
        200,
        "{\"name\":\"p\",\"running\":0,\"wanted\":1,\"preparing\":[{\"worker\":\"p.0.1\","
            + "\"message\":\"installing requirements: Collecting numpy\"}]}");
    assertThat(troupe("pool", "show", "p").out())
        .contains("preparing  p.0.1: installing requirements: Collecting numpy");
  }

  @Test
  void apply_says_which_file_is_wrong_and_why() throws IOException {
    assertOneLine(troupe("pool", "apply", "nowhere.conf"), 1, "nowhere.conf", "not a file");
    Path pool = folder.resolve("pool.conf");
    Files.writeString(pool, "name = {");
    assertOneLine(troupe("pool", "apply", pool.toString()), 1, pool.toString());
    Files.writeString(pool, "name = p, files = [ gone.py ]");
    assertOneLine(troupe("pool", "apply", pool.toString()), 1, "gone.py", "no readable file");
    Files.writeString(pool, "name = p, files = gone.py");
    assertOneLine(troupe("pool", "apply", pool.toString()), 1, "files must be a list");
    Files.writeString(pool, "name = p, resourcs { }");
    scheduler.answer("POST /v1/pools", 400, "{\"error\":{\"message\":\"unknown key 'resourcs'\"}}");
    assertOneLine(troupe("pool", "apply", pool.toString()), 1, pool + ": unknown key 'resourcs'");
  }

  @Test
  void scale_takes_a_number_or_per_agent() {
    scheduler.answer("POST /v1/pools/p/scale", 200, "{\"name\":\"p\"}");
    assertThat(troupe("pool", "scale", "p", "4").exitCode()).isZero();
    assertThat(troupe("pool", "scale", "p", "per-agent").exitCode()).isZero();
    assertThat(scheduler.requests())
        .contains(
            "POST /v1/pools/p/scale {\"size\":4}",
            "POST /v1/pools/p/scale {\"size\":\"per-agent\"}");
  }

  // ---- jobs

  @Test
  void run_waits_until_the_job_has_ended_and_prints_its_result() {
    AtomicInteger asked = new AtomicInteger();
    scheduler
        .answer("POST /v1/pools/p/jobs", 202, "{\"id\":\"j-1\"}")
        .answer("GET /v1/pools/p", 200, "{\"running\":1}")
        .on(
            "GET /v1/jobs/j-1/result",
            exchange -> {
              boolean ended = asked.incrementAndGet() == 3;
              FakeScheduler.reply(exchange, ended ? 200 : 202, ended ? "{\"a\":1}" : "{}");
            });
    Done done = troupe("job", "run", "p", "f", "{\"b\": 2}", "--priority", "5", "--id", "x y");
    assertThat(done).isEqualTo(new Done(0, "{\"a\":1}\n", ""));
    assertThat(scheduler.requests().get(0))
        .isEqualTo("POST /v1/pools/p/jobs?function=f&wait=5s&id=x%20y&priority=5 {\"b\": 2}");
  }

  @Test
  void a_job_that_failed_is_its_cause() {
    scheduler.answer(
        "POST /v1/pools/p/jobs",
        409,
        "{\"error\":{\"code\":\"JOB_FAILED\",\"message\":\"ValueError: no\\nmore\"}}");
    assertOneLine(troupe("job", "run", "p", "f"), 1, "ValueError: no");
  }

  @Test
  void a_result_that_is_not_there_yet_is_told() {
    scheduler.answer("GET /v1/jobs/j-1/result", 202, "{\"id\":\"j-1\"}");
    assertOneLine(troupe("job", "result", "j-1"), 1, "has not ended", "--wait");
  }

  @Test
  void map_takes_results_while_it_still_sends() throws IOException {
    int jobs = 20_000;
    String payload = "\"" + "x".repeat(1000) + "\"";
    Path input = folder.resolve("in.ndjson");
    Files.write(input, IntStream.range(0, jobs).mapToObj(i -> payload).toList());
    scheduler.on(
        "POST /v1/pools/p/map",
        exchange -> {
          exchange.sendResponseHeaders(200, 0);
          try (OutputStream out = exchange.getResponseBody();
              BufferedReader lines =
                  new BufferedReader(
                      new InputStreamReader(exchange.getRequestBody(), StandardCharsets.UTF_8))) {
            int index = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
              String result = "{\"index\":" + index++ + ",\"id\":\"j\",\"result\":" + line + "}\n";
              out.write(result.getBytes(StandardCharsets.UTF_8));
            }
          }
        });
    Path output = folder.resolve("out.ndjson");
    Done done =
        troupe("job", "map", "p", "f", "--input", input.toString(), "--output", output.toString());
    assertThat(done.exitCode()).as(done.err()).isZero();
    assertThat(done.err()).contains("20,000 jobs in");
    assertThat(Files.readAllLines(output))
        .hasSize(jobs)
        .last()
        .isEqualTo("{\"index\":19999,\"id\":\"j\",\"result\":" + payload + "}");
  }

  @Test
  void map_leaves_blank_lines_out_and_fails_when_a_job_failed() throws IOException {
    Path input = folder.resolve("in.ndjson");
    Files.writeString(input, "1\n\n  \n2");
    CompletableFuture<String> sent = new CompletableFuture<>();
    scheduler.on(
        "POST /v1/pools/p/map",
        exchange -> {
          sent.complete(
              new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
          FakeScheduler.reply(
              exchange,
              200,
              """
              {"index":0,"id":"a","result":1}
              {"index":1,"id":"b","error":{"code":"X","message":"boom"}}
              """);
        });
    Done done = troupe("job", "map", "p", "f", "--input", input.toString());
    assertThat(done.exitCode()).isEqualTo(1);
    assertThat(sent.join()).isEqualTo("1\n2\n");
    assertThat(done.out().lines()).hasSize(2);
    assertThat(done.err().lines().toList())
        .last()
        .isEqualTo("troupe: 1 of 2 jobs failed; the first: line 2: boom");
  }

  @Test
  void map_to_an_unknown_pool_says_so() throws IOException {
    Path input = folder.resolve("in.ndjson");
    Files.writeString(input, "1\n".repeat(500_000));
    scheduler.on(
        "POST /v1/pools/p/map",
        exchange ->
            FakeScheduler.reply(
                exchange, 404, "{\"error\":{\"message\":\"There is no pool 'p'\"}}"));
    assertOneLine(
        troupe("job", "map", "p", "f", "--input", input.toString()), 1, "There is no pool 'p'");
  }

  @Test
  void map_with_an_input_that_is_not_there_says_so() {
    assertOneLine(troupe("job", "map", "p", "f", "--input", "/nowhere"), 1, "/nowhere");
  }

  @Test
  void a_map_whose_answer_breaks_off_is_a_failure() throws IOException {
    Path input = folder.resolve("in.ndjson");
    Files.writeString(input, "1\n2\n");
    scheduler.on(
        "POST /v1/pools/p/map",
        exchange -> {
          exchange.sendResponseHeaders(200, 0);
          exchange
              .getResponseBody()
              .write("{\"index\":0,\"id\":\"a\",\"result\":1}\n".getBytes(StandardCharsets.UTF_8));
          exchange.getResponseBody().flush();
          throw new IOException("the test's scheduler dies");
        });
    Done done = troupe("job", "map", "p", "f", "--input", input.toString());
    assertThat(done.exitCode()).isEqualTo(1);
    assertThat(done.err()).contains("broke off after 1 results");
  }

  @Test
  void jobs_are_listed() {
    scheduler.answer(
        "GET /v1/jobs",
        200,
        "[{\"id\":\"j\",\"pool\":\"p\",\"function\":\"f\",\"state\":\"FAILED\",\"attempt\":1,"
            + "\"worker\":null,\"cause\":{\"kind\":\"USER\",\"message\":\"no\\ngood\"}}]");
    assertThat(troupe("job", "list", "--state", "FAILED").out().lines().toList())
        .last()
        .isEqualTo("j    p     f         FAILED        1  -       USER: no");
  }

  // ---- watching

  @Test
  void the_tree_shows_nodes_workers_and_processes() {
    scheduler.answer(
        "GET /troupe/tree",
        200,
        "{\"system\":\"troupe\",\"seq\":3,\"nodes\":["
            + "{\"address\":\"akka://troupe@127.0.0.1:25520\",\"role\":\"scheduler\",\"status\":\"Up\","
            + "\"framework\":{\"id\":\"f-1\",\"master\":\"http://m\",\"state\":\"SUBSCRIBED\"}},"
            + "{\"address\":\"akka://troupe@127.0.0.1:4\",\"role\":\"supervisor\",\"status\":\"Up\","
            + "\"host\":\"h\",\"pool\":\"p\",\"agentId\":\"a-1\",\"executorId\":\"e\",\"workers\":["
            + "{\"id\":\"p.1.1\",\"state\":\"BUSY\",\"restarts\":1,\"job\":\"j\",\"jobs\":5,\"cause\":{\"kind\":\"KILLED\",\"message\":\"signal"
            + " 9\"},"
            + "\"process\":{\"pid\":7,\"rss\":31457280,\"cpuPercent\":99.6,\"startedAt\":null}}]}]}");
    assertThat(troupe("tree").out().lines())
        .containsExactly(
            "troupe",
            "|- scheduler akka://troupe@127.0.0.1:25520  Up",
            "|  framework f-1 at http://m  SUBSCRIBED",
            "`- supervisor p on agent a-1 (h)  Up",
            "   `- worker p.1.1  BUSY  pid 7  30 MiB  100% cpu  up -  5 jobs  1 restarts  runs j",
            "      last end: KILLED: signal 9");
    assertThat(troupe("workers").out().lines().toList()).last().asString().startsWith("p.1.1");
    assertThat(troupe("workers", "--json").out()).contains("\"agentId\":\"a-1\"");
  }

  @Test
  void doctor_says_what_is_wrong_and_fails() {
    scheduler
        .answer(
            "GET /v1/info",
            200,
            "{\"version\":\"1\",\"framework\":{\"state\":\"CONNECTING\",\"master\":\"http://m\"},"
                + "\"management\":\""
                + scheduler.url()
                + "\"}")
        .answer("GET /troupe/tree", 200, "{\"nodes\":[]}")
        .answer("GET /v1/agents", 200, "[]")
        .answer("GET /v1/pools", 200, "[{\"name\":\"p\",\"wanted\":2,\"running\":0}]");
    Done done = troupe("doctor");
    assertThat(done.exitCode()).isEqualTo(1);
    assertThat(done.out())
        .contains("ok  java", "BAD mesos", "CONNECTING at http://m", "BAD agents", "explain p");
  }

  private static String sha(String content) {
    return Sha256.of(content.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void requests_are_as_many_as_needed() {
    scheduler.answer("GET /v1/pools", 200, "[]");
    troupe("pool", "list");
    assertThat(scheduler.requests()).isEqualTo(List.of("GET /v1/pools"));
  }
}
