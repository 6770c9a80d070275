package io.troupe.mesos;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * RecordIO framing of Mesos' event streams: the length of a record in ASCII decimal digits, a line
 * feed, then that many bytes, with nothing in between two records.
 *
 * @see <a href="https://mesos.apache.org/documentation/latest/recordio/">Mesos: RecordIO</a>
 */
public final class RecordIo {

  private RecordIo() {}

  /**
   * A stream that does not follow the framing; what came before it has been delivered, nothing
   * after it can be.
   */
  public static final class MalformedStreamException extends RuntimeException {
    MalformedStreamException(String message) {
      super(message);
    }
  }

  /** The record as it goes on the wire. */
  public static byte[] encode(byte[] record) {
    byte[] header = (record.length + "\n").getBytes(StandardCharsets.US_ASCII);
    byte[] framed = Arrays.copyOf(header, header.length + record.length);
    System.arraycopy(record, 0, framed, header.length, record.length);
    return framed;
  }

  /**
   * Cuts a stream into records; chunk borders mean nothing to it. Not thread-safe: one decoder
   * belongs to one stream.
   */
  public static final class Decoder {
    /** More digits than this cannot be a length that fits a Java array. */
    private static final int MAX_DIGITS = 10;

    private final int maxRecordBytes;
    private final StringBuilder header = new StringBuilder();
    private byte[] record = new byte[0];
    private int filled;
    private boolean inRecord;

    /**
     * @param maxRecordBytes a record that announces more is refused before any memory is taken for
     *     it
     */
    public Decoder(int maxRecordBytes) {
      this.maxRecordBytes = maxRecordBytes;
    }

    /**
     * The records that the chunk completes, in order; empty when it completes none.
     *
     * @throws MalformedStreamException when a length is not a number or above the limit; the
     *     decoder is of no use afterwards
     */
    public List<byte[]> feed(ByteBuffer chunk) {
      List<byte[]> records = new ArrayList<>();
      while (chunk.hasRemaining()) {
        if (inRecord) {
          int taken = Math.min(chunk.remaining(), record.length - filled);
          chunk.get(record, filled, taken);
          filled += taken;
        } else {
          readHeader((char) (chunk.get() & 0xff));
        }
        if (inRecord && filled == record.length) {
          records.add(record);
          inRecord = false;
        }
      }
      return records;
    }

    private void readHeader(char character) {
      if (character == '\n') {
        startRecord();
      } else if (character < '0' || character > '9' || header.length() == MAX_DIGITS) {
        throw new MalformedStreamException(
            "Expected the length of a RecordIO record but got '" + header + character + "'");
      } else {
        header.append(character);
      }
    }

    private void startRecord() {
      if (header.length() == 0) {
        throw new MalformedStreamException(
            "Expected the length of a RecordIO record but got an empty line");
      }
      long length = Long.parseLong(header.toString());
      if (length > maxRecordBytes) {
        throw new MalformedStreamException(
            "A RecordIO record of " + length + " bytes is over the limit of " + maxRecordBytes);
      }
      header.setLength(0);
      record = new byte[(int) length];
      filled = 0;
      inRecord = true;
    }
  }
}
