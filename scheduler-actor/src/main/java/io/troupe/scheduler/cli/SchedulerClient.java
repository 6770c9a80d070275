package io.troupe.scheduler.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.HttpRetryException;
import java.net.HttpURLConnection;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * HTTP to the scheduler, its management port and Mesos. Whatever goes wrong becomes a {@link
 * Failure} that names the address and what to do; no call hears nothing for longer than its
 * deadline.
 *
 * <p>Over {@link HttpURLConnection}, which has no threads: java.net.http's wait for the network
 * outside of Java, and the end of a JVM waits 300 ms for such threads. A command takes hardly
 * longer than that.
 */
final class SchedulerClient {
  /** For calls that are answered from memory. */
  static final Duration SOON = Duration.ofSeconds(30);

  private static final Duration CONNECT = Duration.ofSeconds(5);

  private static final String JSON = "application/json";

  /** What a request carries. */
  private interface Content {
    long length() throws IOException;

    void writeTo(OutputStream out) throws IOException;

    static Content of(byte[] bytes) {
      return new Content() {
        @Override
        public long length() {
          return bytes.length;
        }

        @Override
        public void writeTo(OutputStream out) throws IOException {
          out.write(bytes);
        }
      };
    }

    static Content of(Path file) {
      return new Content() {
        @Override
        public long length() throws IOException {
          return Files.size(file);
        }

        @Override
        public void writeTo(OutputStream out) throws IOException {
          Files.copy(file, out);
        }
      };
    }
  }

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

  SchedulerClient(String url, @Nullable String token) {
    this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
    this.token = token;
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
    return get(path, SOON);
  }

  Reply get(String path, Duration deadline) {
    return call("GET", url + path, null, JSON, deadline);
  }

  Reply post(String path, byte[] body, String contentType, Duration deadline) {
    return call("POST", url + path, Content.of(body), contentType, deadline);
  }

  Reply post(String path, JsonNode body) {
    try {
      return post(path, Terminal.JSON.writeValueAsBytes(body), JSON, SOON);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a JSON tree that cannot be written", e);
    }
  }

  Reply post(String path) {
    return post(path, new byte[0], JSON, SOON);
  }

  Reply delete(String path) {
    return call("DELETE", url + path, null, JSON, SOON);
  }

  /** Puts a file where it is not yet. */
  void upload(String path, Path file) {
    HttpURLConnection there = exchange("HEAD", url + path, null, JSON, SOON);
    if (status(there) != 404) {
      succeeded(there);
      return;
    }
    call("PUT", url + path, Content.of(file), "application/octet-stream", SOON);
  }

  /** GET of a whole address, which need not be the scheduler's. */
  Reply fetch(String address) {
    return call("GET", address, null, JSON, SOON);
  }

  /** POST to a whole address, which need not be the scheduler's. */
  Reply send(String address, byte[] body, Duration deadline) {
    return call("POST", address, Content.of(body), JSON, deadline);
  }

  /** A GET whose answer has no end; the caller closes it. */
  InputStream stream(String address) {
    HttpURLConnection connection = prepared("GET", address, Duration.ZERO);
    connection.setRequestProperty("Accept", "text/event-stream");
    HttpURLConnection answer = exchange(connection, null);
    if (status(answer) >= 400) {
      throw Failure.of(address + " answers " + status(answer));
    }
    try {
      return answer.getInputStream();
    } catch (IOException e) {
      throw broken(answer, e);
    }
  }

  /** Writes what the scheduler streams into a file, however long that takes. */
  void download(String path, Path file) {
    HttpURLConnection answer = exchange(prepared("GET", url + path, Duration.ZERO), null);
    if (status(answer) >= 400) {
      throw refused(status(answer), path, new String(bodyOf(answer), StandardCharsets.UTF_8));
    }
    try (InputStream body = answer.getInputStream()) {
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
      String method,
      String address,
      @Nullable Content content,
      String contentType,
      Duration deadline) {
    return succeeded(exchange(method, address, content, contentType, deadline));
  }

  private HttpURLConnection exchange(
      String method,
      String address,
      @Nullable Content content,
      String contentType,
      Duration deadline) {
    HttpURLConnection connection = prepared(method, address, deadline);
    connection.setRequestProperty("Content-Type", contentType);
    return exchange(connection, content);
  }

  /**
   * A request that was not sent yet.
   *
   * @param deadline zero for one that may take for ever
   */
  private HttpURLConnection prepared(String method, String address, Duration deadline) {
    try {
      HttpURLConnection connection = (HttpURLConnection) checked(address).toURL().openConnection();
      connection.setRequestMethod(method);
      connection.setInstanceFollowRedirects(false);
      connection.setUseCaches(false);
      connection.setConnectTimeout((int) CONNECT.toMillis());
      connection.setReadTimeout((int) Math.min(deadline.toMillis(), Integer.MAX_VALUE));
      connection.setRequestProperty("Accept", "*/*");
      if (token != null && address.startsWith(url)) {
        connection.setRequestProperty("Authorization", "Bearer " + token);
      }
      return connection;
    } catch (IOException e) {
      throw new IllegalStateException("an address that was checked: " + address, e);
    }
  }

  /** Sends it, once: what is sent as a stream is not repeated when the answer does not come. */
  private HttpURLConnection exchange(HttpURLConnection connection, @Nullable Content content) {
    try {
      if (content != null) {
        connection.setDoOutput(true);
        connection.setFixedLengthStreamingMode(content.length());
      }
    } catch (IOException e) {
      throw unreadable(e);
    }
    try {
      connection.connect();
    } catch (IOException e) {
      throw unreachable(addressOf(connection));
    }
    try {
      if (content != null) {
        try (OutputStream out = connection.getOutputStream()) {
          content.writeTo(out);
        }
      }
    } catch (NoSuchFileException e) {
      throw unreadable(e);
    } catch (IOException e) {
      throw broken(connection, e);
    }
    status(connection);
    return connection;
  }

  private static Failure unreadable(IOException e) {
    return Failure.of(
        "the file "
            + e.getMessage()
            + " cannot be read any more: apply the pool again when it is back");
  }

  private static int status(HttpURLConnection connection) {
    try {
      int status = connection.getResponseCode();
      if (status < 0) {
        throw new IOException("what came is no HTTP");
      }
      return status;
    } catch (HttpRetryException e) {
      return e.responseCode();
    } catch (IOException e) {
      throw broken(connection, e);
    }
  }

  private static byte[] bodyOf(HttpURLConnection connection) {
    try {
      InputStream body =
          status(connection) < 400 ? connection.getInputStream() : connection.getErrorStream();
      if (body == null) {
        return new byte[0];
      }
      try (body) {
        return body.readAllBytes();
      }
    } catch (HttpRetryException unread) {
      return new byte[0];
    } catch (IOException e) {
      throw broken(connection, e);
    }
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

  private static Failure broken(HttpURLConnection connection, IOException why) {
    URI address = addressOf(connection);
    return why instanceof SocketTimeoutException
        ? Failure.of(
            address
                + " did not answer in time: see 'bin/troupe doctor' and the log of that process")
        : Failure.of(
            "the connection to "
                + origin(address)
                + " broke ("
                + why.getMessage()
                + "): try again");
  }

  private static URI addressOf(HttpURLConnection connection) {
    return URI.create(connection.getURL().toString());
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

  private static Reply succeeded(HttpURLConnection answer) {
    String contentType = answer.getContentType();
    Reply reply = new Reply(status(answer), contentType == null ? "" : contentType, bodyOf(answer));
    if (reply.status() < 400) {
      return reply;
    }
    throw refused(reply.status(), addressOf(answer).getPath(), reply.text());
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
