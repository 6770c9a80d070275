package io.troupe.scheduler.api;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A client that goes in the middle of what it sends. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class CutOffUploadTest extends QuietApi {
  private static final byte[] PART = new byte[200_000];
  private static final int MORE_THAN_IS_HELD = 5 << 20;
  private static final String HASH = "2".repeat(64);

  static {
    Arrays.fill(PART, (byte) '1');
  }

  /** What is sent, of which only the part comes. */
  enum Upload {
    PAYLOAD_HELD_AS_A_WHOLE("POST /v1/pools/p/jobs?function=f", 2 * PART.length),
    PAYLOAD_STREAMED_TO_A_FILE("POST /v1/pools/p/jobs?function=f", MORE_THAN_IS_HELD),
    PAYLOAD_OF_UNKNOWN_LENGTH("POST /v1/pools/p/jobs?function=f", -1),
    RESULT_STREAMED_TO_A_FILE("POST /v1/blobs?job=j1", MORE_THAN_IS_HELD),
    FILE_OF_A_POOL("PUT /v1/files/" + HASH, 2 * PART.length),
    FILE_OF_UNKNOWN_LENGTH("PUT /v1/files/" + HASH, -1);

    private final String line;
    private final int length;

    Upload(String line, int length) {
      this.line = line;
      this.length = length;
    }

    boolean isHeld() {
      return this == PAYLOAD_HELD_AS_A_WHOLE;
    }

    byte[] part() {
      String head = line + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
      String body = new String(PART, US_ASCII);
      return (length < 0
              ? head
                  + "Transfer-Encoding: chunked\r\n\r\n"
                  + Integer.toHexString(PART.length)
                  + "\r\n"
                  + body
                  + "\r\n"
              : head + "Content-Length: " + length + "\r\n\r\n" + body)
          .getBytes(US_ASCII);
    }
  }

  private boolean isComingIn() {
    return Stream.of(folder, folder.resolve("blobs"))
        .flatMap(each -> Stream.of(Objects.requireNonNull(each.toFile().list())))
        .anyMatch(name -> name.startsWith("incoming-"));
  }

  private void leavesNothing() throws Exception {
    Eventually.holds(() -> !isComingIn());
    assertThat(api.blobs.all()).isEmpty();
    assertThat(folder.resolve("blobs").toFile().list())
        .as("the folder's mark")
        .containsExactly(api.blobs.mark().getFileName().toString());
    assertThat(folder.resolve(HASH)).doesNotExist();
    assertThat(send("GET", "/v1/jobs?pool=p", BodyPublishers.noBody()).body()).isEqualTo("[]");
    goesOn();
  }

  private void goesOn() throws Exception {
    spawnSupervisor();
    String payload = "[" + "1,".repeat(PART.length) + "1]";
    assertThat(
            send("POST", "/v1/pools/p/jobs?function=f&wait=20s", BodyPublishers.ofString(payload))
                .body())
        .isEqualTo(payload);
  }

  @ParameterizedTest
  @EnumSource(Upload.class)
  void what_ends_half_way_is_refused_and_leaves_nothing(Upload upload) throws Exception {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), api.port())) {
      client.getOutputStream().write(upload.part());
      client.shutdownOutput();
      // Up to the code and no further: the connection may end with a reset.
      StringBuilder answer = new StringBuilder();
      while (answer.indexOf("\"code\":\"REQUEST_CUT_OFF\"") < 0) {
        int next = client.getInputStream().read();
        assertThat(next).as("what comes after %s", answer).isNotNegative();
        answer.append((char) next);
      }
      assertThat(answer).startsWith("HTTP/1.1 400");
    }
    leavesNothing();
  }

  @ParameterizedTest
  @EnumSource(Upload.class)
  void what_is_sent_by_a_client_that_dies_half_way_leaves_nothing(Upload upload) throws Exception {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), api.port())) {
      client.getOutputStream().write(upload.part());
      if (!upload.isHeld()) {
        Eventually.holds(this::isComingIn);
      }
      client.setSoLinger(true, 0); // an RST, as when its process is killed
    }
    leavesNothing();
  }
}
