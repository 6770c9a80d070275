package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class LogLinesTest {
  @TempDir Path folder;
  private final LogTail tail = new LogTail();
  private final Deque<Runnable> toWrite = new ArrayDeque<>();
  private long begun;

  private LogLines lines(long maxBytes) {
    return new LogLines(
        folder.resolve("log"),
        maxBytes,
        tail,
        number -> number == 0 ? "-" : "job-" + number,
        () -> begun,
        toWrite::add);
  }

  private static void print(LogLines lines, String text) {
    byte[] bytes = text.getBytes(UTF_8);
    lines.write(bytes, 0, bytes.length);
  }

  /** The lines of the file, without their time. */
  private List<String> written() throws IOException {
    return Files.readAllLines(folder.resolve("log")).stream()
        .map(line -> line.replaceFirst("^\\d{4}\\S+Z ", ""))
        .toList();
  }

  @Test
  void each_line_has_the_job_that_printed_it_however_it_is_cut_into_pieces() throws Exception {
    LogLines lines = lines(1 << 20);
    print(lines, "imp");
    print(lines, "orting\n\0jo");
    print(lines, "b 7\none\n\ntwo\n\0job 0\n");
    begun = 8;
    print(lines, "not marked\nno newline");
    lines.close();
    assertThat(written())
        .containsExactly(
            "- importing",
            "job-7 one",
            "job-7 ",
            "job-7 two",
            "job-8 not marked",
            "job-8 no newline");
    assertThat(tail.lines())
        .containsExactly("importing", "one", "", "two", "not marked", "no newline");
  }

  @Test
  void what_only_looks_like_a_mark_is_a_line_that_changes_nothing() throws Exception {
    LogLines lines = lines(1 << 20);
    print(lines, "\0job 3\n\0job x\nafter\n");
    lines.close();
    assertThat(written()).containsExactly("job-3 after");
  }

  @Test
  void what_is_no_utf_8_is_shown_as_question_marks() throws Exception {
    LogLines lines = lines(1 << 20);
    lines.write(new byte[] {'a', (byte) 0xff, (byte) 0xc3, (byte) 0xa4, (byte) 0xc3, '\n'}, 0, 6);
    lines.close();
    assertThat(written()).containsExactly("- a?ä?");
  }

  @Test
  void a_line_without_end_is_told_in_pieces() throws Exception {
    LogLines lines = lines(1 << 20);
    print(lines, "x".repeat(40_000) + "\nnext\n");
    lines.close();
    assertThat(written())
        .extracting(String::length)
        .containsExactly(16_386, 16_386, 40_000 - 2 * 16_384 + 2, 6);
  }

  @Test
  void what_comes_quicker_than_it_can_be_written_is_counted_and_waits_for_nobody()
      throws Exception {
    LogLines lines = lines(1 << 20);
    for (int i = 0; i < 1000; i++) {
      print(lines, "y".repeat(999) + "\n");
    }
    assertThat(toWrite).hasSize(1);
    print(lines, "the last\n");
    lines.close();
    List<String> written = written();
    assertThat(written).hasSizeBetween(200, 300);
    assertThat(written.get(written.size() - 1))
        .matches("- \\[\\d+ lines dropped: they came quicker than they could be written]");
    assertThat(tail.lines()).endsWith("the last");
  }

  @Test
  void a_file_that_is_full_makes_place_for_another() throws Exception {
    LogLines lines = lines(10_000);
    for (int i = 0; i < 300; i++) {
      print(lines, "line " + i + "\n");
      toWrite.remove().run();
    }
    lines.close();
    assertThat(Files.size(folder.resolve("log"))).isLessThanOrEqualTo(10_000);
    assertThat(Files.size(folder.resolve("log.1"))).isBetween(9_900L, 10_000L);
    assertThat(written()).endsWith("- line 299");
  }

  @Test
  void a_folder_that_is_gone_costs_output_only() {
    LogLines lines =
        new LogLines(
            folder.resolve("no/such/log"), 100, tail, number -> "-", () -> 0, Runnable::run);
    print(lines, "lost\n");
    lines.close();
    assertThat(tail.lines()).containsExactly("lost");
  }
}
