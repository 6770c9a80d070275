package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A worker's log file on an agent and how far it has been read; follows it when it is rotated. */
final class LogFile {
  private static final int PIECE = 50_000;
  private static final long TAIL = 200_000;

  private final SchedulerClient client;
  private final String agent;
  private final String path;
  private final boolean whole;
  private long offset = -1;

  /**
   * A file that may not have been written yet.
   *
   * @param whole from the beginning of the file before it, rather than the end of this one
   */
  LogFile(SchedulerClient client, String agent, String path, boolean whole) {
    this.client = client;
    this.agent = agent;
    this.path = path;
    this.whole = whole;
  }

  /** The whole lines that come next; empty when there are none now. */
  List<String> next() {
    long size = size(path);
    List<String> lines = new ArrayList<>();
    if (offset < 0 && whole) {
      offset = 0;
      readAll(path + ".1", lines);
      offset = 0;
    } else if (offset < 0) {
      offset = Math.max(0, size - TAIL);
      if (offset > 0) {
        List<String> first = readPiece(path);
        return first.subList(Math.min(1, first.size()), first.size()); // the rest of a line
      }
    } else if (size < offset) {
      readAll(path + ".1", lines); // it was renamed meanwhile
      offset = 0;
    }
    lines.addAll(readPiece(path));
    return lines;
  }

  private void readAll(String from, List<String> lines) {
    List<String> piece = readPiece(from);
    while (!piece.isEmpty()) {
      lines.addAll(piece);
      piece = readPiece(from);
    }
  }

  /** Up to the last end of a line, so that no character is cut in two. */
  private List<String> readPiece(String from) {
    String data = read(from, offset, PIECE).path("data").asText();
    int end = data.lastIndexOf('\n') + 1;
    String lines = data.substring(0, end);
    offset += lines.getBytes(StandardCharsets.UTF_8).length;
    // Not String.lines(): a progress bar's carriage returns end no line of the file.
    return end == 0 ? List.of() : List.of(lines.substring(0, end - 1).split("\n", -1));
  }

  private long size(String of) {
    return read(of, -1, 0).path("offset").asLong();
  }

  private JsonNode read(String from, long at, int length) {
    try {
      return client
          .fetch(
              "%s/files/read?path=%s&offset=%d&length=%d"
                  .formatted(agent, SchedulerClient.encode(from), at, length))
          .json();
    } catch (Failure notWrittenYet) {
      return com.fasterxml.jackson.databind.node.MissingNode.getInstance();
    }
  }
}
