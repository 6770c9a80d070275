package io.troupe.scheduler.api;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Requests that come one behind the other on a connection (RFC 9112, section 9.3.2). */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class PipeliningTest {
  private static final int JOBS = 40;

  @Test
  void a_job_is_taken_while_the_one_before_it_is_still_waited_for_and_answers_keep_their_order(
      @TempDir Path folder) throws Exception {
    try (RunningApi api = RunningApi.start("", folder);
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), api.port())) {
      HttpRequest pool =
          HttpRequest.newBuilder(URI.create(api.url("/v1/pools")))
              .POST(HttpRequest.BodyPublishers.ofString("name = p"))
              .build();
      HttpClient.newHttpClient().send(pool, HttpResponse.BodyHandlers.discarding());
      StringBuilder requests = new StringBuilder(submission(0, "&wait=60s"));
      for (int i = 1; i < JOBS; i++) {
        requests.append(submission(i, ""));
      }
      socket.getOutputStream().write(requests.toString().getBytes(US_ASCII));
      Eventually.holds(() -> api.directory().ofPool("p").orElseThrow().counts().queued() == JOBS);
      assertThat(socket.getInputStream().available()).as("bytes of answers").isZero();

      HttpRequest cancel =
          HttpRequest.newBuilder(URI.create(api.url("/v1/pools/p"))).DELETE().build();
      HttpClient.newHttpClient().send(cancel, HttpResponse.BodyHandlers.discarding());
      socket.setSoTimeout((int) RunningApi.PATIENCE.toMillis());
      BufferedReader answers =
          new BufferedReader(new InputStreamReader(socket.getInputStream(), US_ASCII));
      assertThat(answers.readLine()).as("the first, which has ended").contains("409");
      for (int i = 1; i < JOBS; i++) {
        assertThat(next(answers)).as("the one after").contains("202");
      }
    }
  }

  private static String submission(int number, String terms) {
    String body = Integer.toString(number);
    return "POST /v1/pools/p/jobs?function=f"
        + terms
        + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        + body.length()
        + "\r\n\r\n"
        + body;
  }

  private static String next(BufferedReader answers) throws java.io.IOException {
    String line = answers.readLine();
    while (!line.contains("HTTP/1.1 ")) {
      line = answers.readLine();
    }
    return line;
  }
}
