package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import akka.util.ByteString;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class LineSplitterTest {

  private static List<String> split(String text, int piece, int longest) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    List<ByteString> pieces = new ArrayList<>();
    for (int from = 0; from < bytes.length; from += piece) {
      pieces.add(ByteString.fromArray(bytes, from, Math.min(piece, bytes.length - from)));
    }
    return split(pieces, Long.MAX_VALUE, longest);
  }

  private static List<String> split(List<ByteString> pieces, long large, int longest) {
    List<String> lines = new ArrayList<>();
    LineSplitter.Lines into =
        new LineSplitter.Lines() {
          @Override
          public void line(byte[] line) {
            lines.add(new String(line, StandardCharsets.UTF_8));
          }

          @Override
          public void largeLine(ByteString line) {
            lines.add("large " + line.utf8String());
          }

          @Override
          public void tooLong() {
            lines.add("too long");
          }
        };
    LineSplitter splitter = new LineSplitter(large, longest);
    pieces.forEach(piece -> splitter.push(piece, into));
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

  @Test
  void lines_of_all_lengths_are_the_same_and_the_large_ones_are_told_so() {
    Random random = new Random(5);
    for (int round = 0; round < 200; round++) {
      List<String> sent = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        int length = 1 << random.nextInt(18);
        sent.add(("" + i).repeat(length + random.nextInt(length)));
      }
      ByteString all = ByteString.fromString(String.join("\n", sent));
      assertThat(split(cut(all, random), 60_000, 200_000))
          .containsExactlyElementsOf(sent.stream().map(LineSplitterTest::told).toList());
    }
  }

  private static String told(String line) {
    return line.length() > 200_000 ? "too long" : line.length() > 60_000 ? "large " + line : line;
  }

  /** Pieces of all lengths, some of them put together of several. */
  private static List<ByteString> cut(ByteString all, Random random) {
    List<ByteString> pieces = new ArrayList<>();
    ByteString piece = ByteString.emptyByteString();
    for (int from = 0; from < all.size(); ) {
      int to = Math.min(all.size(), from + 1 + random.nextInt(1 << random.nextInt(19)));
      piece = piece.concat(all.slice(from, to).compact());
      if (random.nextBoolean()) {
        pieces.add(piece);
        piece = ByteString.emptyByteString();
      }
      from = to;
    }
    pieces.add(piece);
    return pieces;
  }
}
