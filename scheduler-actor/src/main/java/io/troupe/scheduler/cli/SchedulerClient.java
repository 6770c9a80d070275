package io.troupe.scheduler.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.PrintStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * HTTP to the scheduler, its management port and Mesos. Whatever goes wrong becomes a {@link
 * Failure} that names the address and what to do; no call waits longer than its deadline.
 */
final class SchedulerClient {
  /** For calls that are answered from memory. */
  static final Duration SOON = Duration.ofSeconds(30);

  private static final Duration CONNECT = Duration.ofSeconds(5);

  /** An answer with a status below 400. */
  static final class Reply {
    private final int status;
    private final String contentType;
    private final byte[] body;

    private Reply(int status, String contentType, byte[] body) {
      this.status = status;
      this.contentType = contentType;
      this.body = body;
    }

    int status() {
      return status;
    }

    boolean isJson() {
      return contentType.startsWith("application/json");
    }

    void writeTo(PrintStream out) {
      out.write(body, 0, body.length);
    }

    String text() {
      return new String(body, StandardCharsets.UTF_8);
    }

    JsonNode json() {
      if (body.length == 0) {
        return MissingNode.getInstance();
      }
      try {
        return Terminal.JSON.readTree(body);
      } catch (IOException e) {
        throw Failure.of("the answer is not JSON: " + firstLine(text()));
      }
    }
  }

  private final String url;
  private final @Nullable String token;
  private final HttpClient http;

  SchedulerClient(String url, @Nullable String token) {
    this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
    this.token = token;
    this.http =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT)
            .build();
    checked(this.url);
  }

  String url() {
    return url;
  }

  @Nullable String token() {
    return token;
  }

  static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  Reply get(String path) {
    return call("GET", url + path, BodyPublishers.noBody(), "application/json", SOON);
  }

  Reply get(String path, Duration deadline) {
    return call("GET", url + path, BodyPublishers.noBody(), "application/json", deadline);
  }

  Reply post(String path, byte[] body, String contentType, Duration deadline) {
    return call("POST", url + path, BodyPublishers.ofByteArray(body), contentType, deadline);
  }

  Reply post(String path, JsonNode body) {
    try {
      return post(path, Terminal.JSON.writeValueAsBytes(body), "application/json", SOON);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a JSON tree that cannot be written", e);
    }
  }

  Reply post(String path) {
    return post(path, new byte[0], "application/json", SOON);
  }

  Reply delete(String path) {
    return call("DELETE", url + path, BodyPublishers.noBody(), "application/json", SOON);
  }

  /** Puts a file where it is not yet. */
  void upload(String path, Path file) {
    HttpRequest head = request("HEAD", url + path, BodyPublishers.noBody(), SOON).build();
    HttpResponse<byte[]> there = send(head, BodyHandlers.ofByteArray());
    if (there.statusCode() != 404) {
      succeeded(there);
      return;
    }
    try {
      call("PUT", url + path, BodyPublishers.ofFile(file), "application/octet-stream", SOON);
    } catch (FileNotFoundException e) {
      throw Failure.of("the file " + file + " is gone: apply the pool again when it is back");
    }
  }

  /** GET of a whole address, which need not be the scheduler's. */
  Reply fetch(String address) {
    return call("GET", address, BodyPublishers.noBody(), "application/json", SOON);
  }

  /** POST to a whole address, which need not be the scheduler's. */
  Reply send(String address, byte[] body, Duration deadline) {
    return call("POST", address, BodyPublishers.ofByteArray(body), "application/json", deadline);
  }

  /** A GET whose answer has no end; the caller closes it. */
  InputStream stream(String address) {
    HttpRequest request = builder(address).header("Accept", "text/event-stream").GET().build();
    HttpResponse<InputStream> response = send(request, BodyHandlers.ofInputStream());
    if (response.statusCode() >= 400) {
      throw Failure.of(address + " answers " + response.statusCode());
    }
    return response.body();
  }

  /** Writes what the scheduler streams into a file, however long that takes. */
  void download(String path, Path file) {
    HttpResponse<InputStream> response =
        send(builder(url + path).GET().build(), BodyHandlers.ofInputStream());
    try (InputStream body = response.body()) {
      if (response.statusCode() >= 400) {
        throw refused(
            response.statusCode(), path, new String(body.readAllBytes(), StandardCharsets.UTF_8));
      }
      Files.copy(body, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (FileSystemException e) {
      throw Failure.of("cannot write " + file + ": " + SchedulerClient.firstLine(e.toString()));
    } catch (IOException e) {
      throw Failure.of(
          "the scheduler at "
              + url
              + " did not send all of it ("
              + e.getMessage()
              + "): its log may say why; try again");
    }
  }

  private Reply call(
      String method, String address, BodyPublisher body, String contentType, Duration deadline) {
    HttpRequest request =
        request(method, address, body, deadline).header("Content-Type", contentType).build();
    return succeeded(send(request, BodyHandlers.ofByteArray()));
  }

  private HttpRequest.Builder request(
      String method, String address, BodyPublisher body, Duration deadline) {
    return builder(address).timeout(deadline).method(method, body);
  }

  private HttpRequest.Builder builder(String address) {
    HttpRequest.Builder builder = HttpRequest.newBuilder(checked(address));
    if (token != null && address.startsWith(url)) {
      builder.header("Authorization", "Bearer " + token);
    }
    return builder;
  }

  private static URI checked(String address) {
    try {
      URI uri = URI.create(address);
      if (uri.getHost() != null && String.valueOf(uri.getScheme()).matches("https?")) {
        return uri;
      }
    } catch (IllegalArgumentException notAnAddress) {
      // Said below, in the same words.
    }
    throw Failure.usage("'" + address + "' is not an address such as http://127.0.0.1:7070");
  }

  private <T> HttpResponse<T> send(HttpRequest request, BodyHandler<T> handler) {
    try {
      return http.send(request, handler);
    } catch (ConnectException | HttpConnectTimeoutException e) {
      throw unreachable(request.uri());
    } catch (HttpTimeoutException e) {
      throw Failure.of(
          request.uri()
              + " did not answer in time: see 'bin/troupe doctor' and the log of that process");
    } catch (InterruptedException | InterruptedIOException e) {
      throw Failure.of("interrupted");
    } catch (IOException e) {
      throw Failure.of(
          "the connection to "
              + origin(request.uri())
              + " broke ("
              + e.getMessage()
              + "): try again");
    }
  }

  private Failure unreachable(URI uri) {
    String origin = origin(uri);
    if (origin.equals(url)) {
      return Failure.of(
          "no scheduler answers at "
              + origin
              + ": start one with 'bin/troupe local up', or say where it is with --url or"
              + " TROUPE_URL");
    }
    return Failure.of("nothing answers at " + origin + ": see 'bin/troupe doctor'");
  }

  private static String origin(URI uri) {
    return uri.getScheme() + "://" + uri.getAuthority();
  }

  private static Reply succeeded(HttpResponse<byte[]> response) {
    Reply reply =
        new Reply(
            response.statusCode(),
            response.headers().firstValue("Content-Type").orElse(""),
            response.body());
    if (reply.status() < 400) {
      return reply;
    }
    throw refused(response.statusCode(), response.uri().getPath(), reply.text());
  }

  /** What an error answer says, as a failure. */
  static Failure refused(int status, String path, String body) {
    if (status == 401) {
      return Failure.of("the scheduler wants a token: set TROUPE_TOKEN");
    }
    String message = "";
    try {
      message = Terminal.JSON.readTree(body).path("error").path("message").asText("");
    } catch (JsonProcessingException notJson) {
      message = firstLine(body);
    }
    return Failure.of(
        message.isEmpty() ? path + " was answered with " + status : firstLine(message));
  }

  static String firstLine(String text) {
    return text.strip().lines().findFirst().orElse("");
  }
}
