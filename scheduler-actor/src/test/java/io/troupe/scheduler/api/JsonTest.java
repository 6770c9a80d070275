package io.troupe.scheduler.api;

import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.Charset;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What counts as JSON. */
class JsonTest {
  @Test
  void a_value_in_utf_8_has_no_flaw_however_short() {
    for (String text : List.of("5", "12", "-1", "\"\u00e4\"", "[1, {}]")) {
      byte[] bytes = text.getBytes(UTF_8);
      assertThat(Json.flaw(bytes, 0, bytes.length)).as(text).isEmpty();
    }
  }

  @Test
  void no_other_encoding_is_guessed_from_the_first_bytes() throws IOException {
    for (Charset other : List.of(UTF_16BE, UTF_16LE, Charset.forName("UTF-32"))) {
      byte[] bytes = "[12]".getBytes(other);
      assertThat(Json.flaw(bytes, 0, bytes.length)).as(other.name()).isPresent();
      assertThat(Json.flaw(new ByteArrayInputStream(bytes))).as(other.name()).isPresent();
    }
  }
}
