package io.troupe.scheduler.cli;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP/1.1 request whose answer is read while its body is still being written, which the JDK's
 * client cannot do: it reads nothing before all is sent, and so stops for ever when the other side
 * waits for its answer to be taken. One thread may write and one other may read.
 */
final class DuplexCall implements Closeable {
  private static final int CONNECT_MILLIS = 5000;
  private static final int BUFFER = 64 * 1024;

  private final Socket socket;
  private final ChunkedOutput body;
  private final InputStream in;

  private DuplexCall(Socket socket) throws IOException {
    this.socket = socket;
    this.body = new ChunkedOutput(new BufferedOutputStream(socket.getOutputStream(), BUFFER));
    this.in = new BufferedInputStream(socket.getInputStream(), BUFFER);
  }

  /** The status of the answer, and its body to be read to the end. */
  record Answer(int status, InputStream body) {}

  /** Connects and sends the head of the request. */
  static DuplexCall open(URI address, String contentType, @Nullable String token)
      throws IOException {
    boolean secure = "https".equals(address.getScheme());
    int port = address.getPort() >= 0 ? address.getPort() : secure ? 443 : 80;
    Socket socket = secure ? SSLSocketFactory.getDefault().createSocket() : new Socket();
    try {
      socket.connect(new InetSocketAddress(address.getHost(), port), CONNECT_MILLIS);
      socket.setTcpNoDelay(true);
      socket.setKeepAlive(true);
      DuplexCall call = new DuplexCall(socket);
      String head =
          "POST %s?%s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n%s\r\n"
              .formatted(
                  address.getRawPath(),
                  address.getRawQuery(),
                  address.getAuthority(),
                  contentType,
                  token == null ? "" : "Authorization: Bearer " + token + "\r\n");
      call.body.head(head.getBytes(StandardCharsets.US_ASCII));
      return call;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  /** The body of the request; each flush sends what was written as one chunk, close ends it. */
  OutputStream body() {
    return body;
  }

  /** Waits for the head of the answer. */
  Answer answer() throws IOException {
    int status = 100;
    boolean chunked = false;
    long length = -1;
    while (status < 200) {
      String[] statusLine = line().split(" ", 3);
      status = Integer.parseInt(statusLine[1]);
      for (String header = line(); !header.isEmpty(); header = line()) {
        String lower = header.toLowerCase(Locale.ROOT);
        chunked |= lower.startsWith("transfer-encoding:") && lower.contains("chunked");
        if (lower.startsWith("content-length:")) {
          length = Long.parseLong(lower.substring("content-length:".length()).strip());
        }
      }
    }
    return new Answer(status, chunked ? new ChunkedInput(in) : new FixedInput(in, length));
  }

  private String line() throws IOException {
    return readLine(in);
  }

  private static String readLine(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) {
        throw new EOFException("the scheduler closed the connection");
      }
      line.write(next);
    }
    return line.toString(StandardCharsets.ISO_8859_1).stripTrailing();
  }

  /** Ends the connection; a thread that reads or writes gets an exception. */
  @Override
  public void close() throws IOException {
    socket.close();
  }

  private static final class ChunkedOutput extends FilterOutputStream {
    private final ByteArrayOutputStream chunk = new ByteArrayOutputStream(BUFFER);
    private boolean ended;

    ChunkedOutput(OutputStream out) {
      super(out);
    }

    void head(byte[] head) throws IOException {
      out.write(head);
      out.flush();
    }

    @Override
    public void write(int b) throws IOException {
      chunk.write(b);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      chunk.write(bytes, offset, length);
      if (chunk.size() >= BUFFER) {
        flush();
      }
    }

    @Override
    public void flush() throws IOException {
      if (chunk.size() > 0) {
        out.write((Integer.toHexString(chunk.size()) + "\r\n").getBytes(StandardCharsets.US_ASCII));
        chunk.writeTo(out);
        out.write('\r');
        out.write('\n');
        chunk.reset();
      }
      out.flush();
    }

    @Override
    public void close() throws IOException {
      if (!ended) {
        ended = true;
        flush();
        out.write("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        out.flush();
      }
    }
  }

  /** A body in chunks; a connection that ends before the last chunk is an error, not an end. */
  private static final class ChunkedInput extends InputStream {
    private final InputStream in;
    private long left;
    private boolean ended;

    ChunkedInput(InputStream in) {
      this.in = in;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (left == 0 && !ended) {
        left = Long.parseLong(readLine(in).split(";", 2)[0].strip(), 16);
        ended = left == 0;
      }
      if (ended) {
        return -1;
      }
      int count = in.read(bytes, offset, (int) Math.min(length, left));
      if (count < 0) {
        throw new EOFException("the scheduler closed the connection");
      }
      left -= count;
      if (left == 0) {
        readLine(in);
      }
      return count;
    }
  }

  private static final class FixedInput extends InputStream {
    private final InputStream in;
    private long left;

    FixedInput(InputStream in, long length) {
      this.in = in;
      this.left = length < 0 ? Long.MAX_VALUE : length;
    }

    @Override
    public int read() throws IOException {
      int next = left == 0 ? -1 : in.read();
      left -= next < 0 ? 0 : 1;
      return next;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      int count = left == 0 ? -1 : in.read(bytes, offset, (int) Math.min(length, left));
      left -= Math.max(0, count);
      return count;
    }
  }
}
