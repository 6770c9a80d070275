package io.troupe.mesos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.troupe.mesos.RecordIo.Decoder;
import io.troupe.mesos.RecordIo.MalformedStreamException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class RecordIoTest {

  private static final List<String> RECORDS = List.of("{}", "", "a\nb", "x".repeat(1000), "é");

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 64, 4096})
  void a_stream_cut_anywhere_gives_the_same_records(int chunkSize) {
    ByteArrayOutputStream stream = new ByteArrayOutputStream();
    RECORDS.forEach(
        record -> stream.writeBytes(RecordIo.encode(record.getBytes(StandardCharsets.UTF_8))));
    byte[] bytes = stream.toByteArray();
    Decoder decoder = new Decoder(4096);

    List<String> decoded = new ArrayList<>();
    for (int from = 0; from < bytes.length; from += chunkSize) {
      int length = Math.min(chunkSize, bytes.length - from);
      decoder
          .feed(ByteBuffer.wrap(bytes, from, length))
          .forEach(record -> decoded.add(new String(record, StandardCharsets.UTF_8)));
    }

    assertThat(decoded).isEqualTo(RECORDS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc\n", "\n", "-1\n", "12345678901\n"})
  void a_length_that_is_no_number_ends_the_stream(String header) {
    assertThatThrownBy(() -> new Decoder(100).feed(ascii(header)))
        .isInstanceOf(MalformedStreamException.class);
  }

  @Test
  void a_record_over_the_limit_is_refused_before_its_bytes_arrive() {
    assertThatThrownBy(() -> new Decoder(100).feed(ascii("101\n")))
        .isInstanceOf(MalformedStreamException.class)
        .hasMessageContaining("101");
  }

  private static ByteBuffer ascii(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
  }
}
