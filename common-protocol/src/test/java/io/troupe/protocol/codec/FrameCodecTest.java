package io.troupe.protocol.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.model.ContentType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class FrameCodecTest {

  private static final JsonNode GOLDEN = golden();

  @ParameterizedTest
  @MethodSource("good")
  void a_golden_frame_is_written_as_it_stands(JsonNode golden) {
    assertThat(hex(FrameCodec.write(List.of(frame(golden)))))
        .isEqualTo(golden.get("frame").asText());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 7, 15, 16, 17, 64, 100_000})
  void the_golden_frames_are_read_wherever_the_stream_is_cut(int chunkBytes) {
    FrameCodec.Decoder decoder = new FrameCodec.Decoder(GOLDEN.get("limit").asInt());
    List<Frame> read = new ArrayList<>();
    List<Frame> written = good().map(FrameCodecTest::frame).toList();
    ByteBuffer stream = FrameCodec.write(written);
    while (stream.hasRemaining()) {
      int taken = Math.min(chunkBytes, stream.remaining());
      decoder.feed(stream.slice(stream.position(), taken), read::add);
      stream.position(stream.position() + taken);
    }
    assertThat(read).usingRecursiveComparison().isEqualTo(written);
  }

  @ParameterizedTest
  @MethodSource("bad")
  void a_malformed_frame_is_refused_with_the_reason(JsonNode golden) {
    FrameCodec.Decoder decoder = new FrameCodec.Decoder(GOLDEN.get("limit").asInt());
    ByteBuffer bytes =
        ByteBuffer.wrap(HexFormat.of().parseHex(golden.get("frame").asText())).asReadOnlyBuffer();
    assertThatThrownBy(() -> decoder.feed(bytes, frame -> {}))
        .isInstanceOf(FrameCodec.MalformedFrameException.class)
        .hasMessage(golden.get("error").asText());
  }

  @Test
  void a_malformed_frame_is_refused_also_when_it_comes_byte_by_byte() {
    FrameCodec.Decoder decoder = new FrameCodec.Decoder(100);
    decoder.feed(ByteBuffer.wrap(new byte[] {0, 0, 1}), frame -> {});
    assertThatThrownBy(() -> decoder.feed(ByteBuffer.wrap(new byte[] {0}), frame -> {}))
        .hasMessage("a frame of 260 bytes is over the limit of 100");
  }

  @Test
  void a_name_too_long_for_its_field_is_refused() {
    Frame frame = new Frame(Frame.Type.JOB, ContentType.JSON, 1, "n".repeat(65_536), new byte[0]);
    assertThatThrownBy(() -> FrameCodec.write(List.of(frame)))
        .isInstanceOf(FrameCodec.MalformedFrameException.class);
  }

  private static Stream<JsonNode> good() {
    return StreamSupport.stream(GOLDEN.get("good").spliterator(), false);
  }

  private static Stream<JsonNode> bad() {
    return StreamSupport.stream(GOLDEN.get("bad").spliterator(), false);
  }

  private static Frame frame(JsonNode golden) {
    return new Frame(
        Frame.Type.valueOf(golden.get("type").asText()),
        ContentType.valueOf(golden.get("content").asText()),
        golden.get("id").asLong(),
        golden.get("name").asText(),
        HexFormat.of().parseHex(golden.get("payload").asText()));
  }

  private static String hex(ByteBuffer bytes) {
    byte[] array = new byte[bytes.remaining()];
    bytes.get(array);
    return HexFormat.of().formatHex(array);
  }

  private static JsonNode golden() {
    try (InputStream in = FrameCodecTest.class.getResourceAsStream("/golden/frames.json")) {
      return new ObjectMapper().readTree(in);
    } catch (IOException e) {
      throw new IllegalStateException("golden/frames.json cannot be read", e);
    }
  }
}
