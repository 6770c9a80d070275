package io.troupe.scheduler.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URLDecoder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Logs of workers, read from an agent that serves files as Mesos' agents do. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(60)
class LogFileTest {
  private static final String TIME = "2026-01-31T12:00:0%d.000Z ";

  /** What agents give of a file at once. */
  private static final int MOST = 50_000;

  private final FakeScheduler server = new FakeScheduler();
  private final Map<String, byte[]> files = new ConcurrentHashMap<>();

  @BeforeEach
  void serve() {
    server.on("GET /files/read", this::read);
  }

  @AfterEach
  void close() {
    server.close();
  }

  private void read(HttpExchange exchange) throws IOException {
    Map<String, String> query = new java.util.HashMap<>();
    for (String part : exchange.getRequestURI().getRawQuery().split("&", -1)) {
      String[] pair = part.split("=", 2);
      query.put(pair[0], URLDecoder.decode(pair[1], UTF_8));
    }
    byte[] content = files.get(query.get("path"));
    if (content == null) {
      FakeScheduler.reply(exchange, 404, "{}");
      return;
    }
    int offset = Integer.parseInt(query.get("offset"));
    int length = Math.min(MOST, Integer.parseInt(query.get("length")));
    boolean asksSize = offset == -1;
    byte[] data =
        asksSize || offset >= content.length
            ? new byte[0]
            : Arrays.copyOfRange(content, offset, Math.min(content.length, offset + length));
    FakeScheduler.reply(
        exchange,
        200,
        Terminal.JSON
            .createObjectNode()
            .put("data", new String(data, UTF_8))
            .put("offset", asksSize ? content.length : offset)
            .toString());
  }

  private void write(String path, String text) {
    files.put(path, text.getBytes(UTF_8));
  }

  private LogFile log(boolean whole) {
    return new LogFile(new SchedulerClient(server.url(), null), server.url(), "/s/out", whole);
  }

  private static List<String> all(LogFile log) {
    List<String> lines = new ArrayList<>();
    List<String> next = log.next();
    while (!next.isEmpty()) {
      lines.addAll(next);
      next = log.next();
    }
    return lines;
  }

  private static List<String> numbered(int from, int to) {
    List<String> lines = new ArrayList<>();
    for (int i = from; i < to; i++) {
      lines.add("line %06d — größer".formatted(i));
    }
    return lines;
  }

  private static String text(List<String> lines) {
    return String.join("\n", lines) + "\n";
  }

  @Test
  void a_file_that_was_not_written_yet_has_no_lines_and_then_all() {
    LogFile log = log(false);
    assertThat(log.next()).isEmpty();
    write("/s/out", "first\nsecond\nhal");
    assertThat(log.next()).containsExactly("first", "second");
    assertThat(log.next()).isEmpty();
    write("/s/out", "first\nsecond\nhalf\n");
    assertThat(log.next()).containsExactly("half");
  }

  @Test
  void the_whole_of_a_file_and_the_one_before_it_comes_in_order_whatever_the_pieces_cut() {
    write("/s/out.1", text(numbered(0, 5000)));
    write("/s/out", text(numbered(5000, 9000)));
    assertThat(all(log(true))).isEqualTo(numbered(0, 9000));
  }

  @Test
  void of_a_long_file_the_end_comes_from_the_beginning_of_a_line_on() {
    write("/s/out", text(numbered(0, 20_000)));
    List<String> lines = all(log(false));
    assertThat(lines).hasSizeBetween(5000, 10_000);
    assertThat(lines).isEqualTo(numbered(20_000 - lines.size(), 20_000));
  }

  @Test
  void what_was_added_before_a_file_was_rotated_is_read_from_its_new_name() {
    write("/s/out", text(numbered(0, 100)));
    LogFile log = log(false);
    assertThat(all(log)).hasSize(100);
    write("/s/out.1", text(numbered(0, 150)));
    write("/s/out", text(numbered(150, 160)));
    assertThat(all(log)).isEqualTo(numbered(100, 160));
  }

  @Test
  void a_progress_bar_is_one_line_as_it_is_in_the_file() {
    write("/s/out", "10 %\r20 %\r\n\nnext\n");
    assertThat(all(log(false))).containsExactly("10 %\r20 %\r", "", "next");
  }

  // ---- the command

  private record Done(int exitCode, String out, String err) {}

  private Done logs(String... arguments) {
    List<String> all = new ArrayList<>(List.of("logs", "w.0.1"));
    all.addAll(List.of(arguments));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Terminal terminal =
        new Terminal(
            new PrintStream(out, true, UTF_8),
            new PrintStream(err, true, UTF_8),
            false,
            false,
            100,
            false);
    int code = Troupe.run(terminal, Map.of("TROUPE_URL", server.url()), all.toArray(String[]::new));
    return new Done(code, out.toString(UTF_8), err.toString(UTF_8));
  }

  private void cluster() {
    String address = server.url().substring("http://".length());
    server.answer(
        "GET /troupe/tree",
        200,
        "{\"nodes\":[{\"role\":\"scheduler\",\"framework\":{\"id\":\"F\",\"master\":\""
            + address
            + "\"}},{\"role\":\"supervisor\",\"agentId\":\"A\",\"executorId\":\"E\","
            + "\"workers\":[{\"id\":\"w.0.1\"}]}]}");
    server.answer(
        "GET /slaves", 200, "{\"slaves\":[{\"id\":\"A\",\"pid\":\"slave(1)@" + address + "\"}]}");
    server.answer(
        "GET /state",
        200,
        "{\"frameworks\":[{\"id\":\"F\",\"executors\":[{\"id\":\"E\",\"directory\":\"/s\"}]}]}");
  }

  @Test
  void both_streams_of_a_worker_come_in_the_order_of_their_times() {
    cluster();
    write(
        "/s/worker-w.0.1.stdout",
        TIME.formatted(1) + "j1 one\n" + TIME.formatted(3) + "j2 three\n");
    write("/s/worker-w.0.1.stderr", TIME.formatted(2) + "j2 two\n");
    Done done = logs();
    assertThat(done.out().lines().map(line -> line.substring(TIME.formatted(0).length())))
        .containsExactly("j1 one", "j2 two", "j2 three");
    assertThat(done.exitCode()).isZero();
  }

  @Test
  void of_one_job_only_its_own_lines_come_from_both_files_of_each_stream() {
    cluster();
    write("/s/worker-w.0.1.stdout.1", TIME.formatted(1) + "j2 before\n");
    write(
        "/s/worker-w.0.1.stdout",
        TIME.formatted(2) + "j22 other\n" + TIME.formatted(3) + "j2 10 %\r20 %\n");
    assertThat(logs("--job", "j2").out())
        .isEqualTo(TIME.formatted(1) + "j2 before\n" + TIME.formatted(3) + "j2 10 %\r20 %\n");
  }

  @Test
  void of_a_worker_whose_agent_is_gone_the_last_lines_come_with_that_reason() {
    cluster();
    server.answer("GET /slaves", 200, "{\"slaves\":[]}");
    server.answer(
        "GET /troupe/workers/w.0.1",
        200,
        "{\"seenAt\":\"2026-01-31T12:00:00Z\",\"lastOutput\":[\"the last\",\"words\"]}");
    Done done = logs();
    assertThat(done.out()).isEqualTo("the last\nwords\n");
    assertThat(done.err())
        .isEqualTo(
            "troupe: only the last lines, as the scheduler has them of 2026-01-31T12:00:00Z: Mesos"
                + " does not know agent A any more\n");
    assertThat(done.exitCode()).isZero();
  }

  @Test
  void a_worker_that_nobody_knows_is_one_line() {
    cluster();
    server.answer("GET /troupe/tree", 200, "{\"nodes\":[]}");
    Done done = logs();
    assertThat(done.err())
        .isEqualTo("troupe: there is no worker w.0.1 in the tree: see 'bin/troupe workers'\n");
    assertThat(done.exitCode()).isEqualTo(1);
  }
}
