package io.troupe.scheduler.api;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class PlainTextTest {

  private static List<ByteBuffer> cut(byte[] text, int piece) {
    List<ByteBuffer> pieces = new ArrayList<>();
    for (int from = 0; from < text.length; from += piece) {
      pieces.add(
          ByteBuffer.wrap(text, from, Math.min(piece, text.length - from)).asReadOnlyBuffer());
    }
    return pieces;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 8, 9, 100})
  void a_string_without_escapes_is_known_however_it_is_cut(int piece) {
    byte[] text = ("\"" + "all that is ASCII ~!#\u007f".repeat(3) + "\"").getBytes(ISO_8859_1);
    assertThat(PlainText.isJson(cut(text, piece))).isTrue();
    assertThat(PlainText.isJson(cut("\"\"".getBytes(ISO_8859_1), piece))).isTrue();
  }

  @Test
  void what_is_not_certainly_one_string_is_left_to_the_parser() {
    Random random = new Random(7);
    for (int length = 0; length < 40; length++) {
      for (char odd : new char[] {'"', '\\', 0, 31, '\n', 128, 255}) {
        byte[] text = ("\"" + "x".repeat(length) + "\"").getBytes(ISO_8859_1);
        text[random.nextInt(text.length)] = (byte) odd;
        boolean same = odd == '"' && new String(text, ISO_8859_1).matches("\"x*\"");
        assertThat(PlainText.isJson(cut(text, 1 + random.nextInt(20))))
            .as("%s with %d", new String(text, ISO_8859_1), (int) odd)
            .isEqualTo(same)
            .isEqualTo(PlainText.isJson(text));
      }
    }
    for (String text : List.of("", "\"", "1", "\"a\" ", " \"a\"", "\"a\"\"b\"", "[\"a\"]")) {
      assertThat(PlainText.isJson(cut(text.getBytes(ISO_8859_1), 3))).as(text).isFalse();
      assertThat(PlainText.isJson(text.getBytes(ISO_8859_1))).as(text).isFalse();
    }
  }

  @Test
  void the_first_of_a_byte_is_found() {
    Random random = new Random(8);
    for (int round = 0; round < 2000; round++) {
      byte[] text = new byte[random.nextInt(60)];
      random.nextBytes(text);
      for (int i = 0; i < text.length; i++) {
        text[i] = text[i] == '\n' && random.nextInt(9) > 0 ? 0 : text[i];
      }
      int from = random.nextInt(text.length + 1);
      int found = new String(text, ISO_8859_1).indexOf('\n', from);
      assertThat(PlainText.indexOf(text, from, text.length, '\n'))
          .isEqualTo(found < 0 ? text.length : found);
    }
  }

  @Test
  void a_long_string_is_known_and_no_odd_byte_of_it_is_overlooked() {
    byte[] text = ("\"" + "x".repeat(30_000) + "\"").getBytes(ISO_8859_1);
    assertThat(PlainText.isJson(cut(text, 12_345))).isTrue();
    for (int odd = 0; odd < text.length - 1; odd += 509) {
      byte[] other = text.clone();
      other[odd] = '\n';
      assertThat(PlainText.isJson(cut(other, 12_345))).as("line end at %d", odd).isFalse();
    }
  }

  @Test
  void line_ends_become_spaces_and_all_else_stays() {
    Random random = new Random(9);
    for (int round = 0; round < 2000; round++) {
      byte[] text = new byte[random.nextInt(60)];
      for (int i = 0; i < text.length; i++) {
        text[i] = (byte) (random.nextInt(9) == 0 ? "\n\r".charAt(random.nextInt(2)) : i * 7);
      }
      String before = new String(text, ISO_8859_1);
      assertThat(PlainText.isOneLine(text)).isEqualTo(!before.matches("(?s).*[\n\r].*"));
      PlainText.joinLines(text, 0, text.length);
      assertThat(new String(text, ISO_8859_1)).isEqualTo(before.replaceAll("[\n\r]", " "));
    }
  }
}
