package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class LineSplitterTest {

  private static List<String> split(String text, int piece, int longest) {
    List<String> lines = new ArrayList<>();
    LineSplitter.Lines into =
        new LineSplitter.Lines() {
          @Override
          public void line(byte[] line) {
            lines.add(new String(line, StandardCharsets.UTF_8));
          }

          @Override
          public void tooLong() {
            lines.add("too long");
          }
        };
    LineSplitter splitter = new LineSplitter(longest);
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    for (int from = 0; from < bytes.length; from += piece) {
      splitter.push(Arrays.copyOfRange(bytes, from, Math.min(bytes.length, from + piece)), into);
    }
    splitter.finish(into);
    return lines;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7, 100})
  void lines_are_the_same_however_the_stream_is_cut(int piece) {
    assertThat(split("one\n\nthrée\nfour", piece, 100)).containsExactly("one", "", "thrée", "four");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7, 100})
  void a_line_that_is_too_long_is_told_and_those_around_it_come(int piece) {
    assertThat(split("1234\n12345\n1234\n123456", piece, 4))
        .containsExactly("1234", "too long", "1234", "too long");
  }

  @Test
  void a_line_end_at_the_end_makes_no_further_line() {
    assertThat(split("one\n", 2, 10)).containsExactly("one");
    assertThat(split("", 1, 10)).isEmpty();
  }
}
