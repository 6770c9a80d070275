package io.troupe.scheduler.api;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Lets no file of this process grow beyond a size: what is written beyond fails in the middle, as
 * on a disk that is full, and needs neither a disk of its own nor any rights.
 */
final class DiskLimit {
  private DiskLimit() {}

  /** What is done under the limit. */
  interface Work {
    void run() throws Exception;
  }

  static void of(long bytes, Work work) throws Exception {
    String before = prlimit("--fsize", "--raw", "--noheadings", "--output=SOFT");
    prlimit("--fsize=" + bytes + ":");
    try {
      work.run();
    } finally {
      prlimit("--fsize=" + before + ":");
    }
  }

  private static String prlimit(String... what) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(List.of("prlimit", "--pid", Long.toString(ProcessHandle.current().pid())));
    command.addAll(List.of(what));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    if (process.waitFor() != 0) {
      throw new IOException(said);
    }
    return said;
  }
}
