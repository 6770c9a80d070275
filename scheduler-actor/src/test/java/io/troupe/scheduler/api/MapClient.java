package io.troupe.scheduler.api;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A map over a plain socket, written and read by the caller as slowly or fast as he likes. */
final class MapClient implements AutoCloseable {
  private final Socket socket;
  private final OutputStream out;
  private final InputStream in;
  private byte last;

  MapClient(int port, String pool) throws IOException {
    this(port, pool, "");
  }

  /**
   * @param fields header fields beside the usual ones, each with its line end
   */
  MapClient(int port, String pool, String fields) throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setTcpNoDelay(true);
    out = socket.getOutputStream();
    in = new BufferedInputStream(socket.getInputStream(), 1 << 16);
    out.write(
        ("POST /v1/pools/"
                + pool
                + "/map?function=f HTTP/1.1\r\nHost: 127.0.0.1:"
                + port
                + "\r\n"
                + fields
                + "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
            .getBytes(StandardCharsets.US_ASCII));
  }

  /** Sends these bytes as one chunk; blocks while the server takes no more. */
  void send(byte[] lines, int length) throws IOException {
    out.write((Integer.toHexString(length) + "\r\n").getBytes(StandardCharsets.US_ASCII));
    out.write(lines, 0, length);
    out.write(new byte[] {'\r', '\n'});
    out.flush();
  }

  /** Says that there are no more lines. */
  void sendEnd() throws IOException {
    out.write("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    out.flush();
  }

  /** Closes the half of the connection that requests go over. */
  void closeSendingHalf() throws IOException {
    socket.shutdownOutput();
  }

  /** Reads up to the next space that only shows that the server lives, the head first. */
  void readSignOfLife() throws IOException {
    StringBuilder read = new StringBuilder();
    int each;
    while (!read.toString().endsWith("\r\n1\r\n ")) {
      each = in.read();
      if (each < 0) {
        throw new IOException("The answer ended: " + read);
      }
      read.append((char) each);
    }
  }

  /** Reads until so many lines, those of the head not counted, have come, or all. */
  long readLines(long wanted) {
    try {
      byte[] buffer = new byte[1 << 16];
      long lines = 0;
      int n;
      while (lines < wanted && (n = in.read(buffer)) >= 0) {
        for (int i = 0; i < n; i++) {
          // Of all lines that come, only those of results end in "}\n".
          if (buffer[i] == '\n' && last == '}') {
            lines++;
          }
          last = buffer[i];
        }
      }
      return lines;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
