package io.troupe.os;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;

/**
 * Tells whether processes may have begun since they were looked for: the kernel says which number
 * it has given last to a process or a thread, and to read that costs a fraction of a search. Not
 * thread-safe.
 */
public final class NewProcesses {
  private static final Path LOADS = Path.of("/proc/loadavg");

  private final Supplier<String> loads;
  private String last = "";
  private boolean seen;

  /** Of this machine, or of the PID namespace of this process. */
  public NewProcesses() {
    this(NewProcesses::loads);
  }

  /**
   * @param loads what /proc/loadavg holds; empty when it cannot be read
   */
  NewProcesses(Supplier<String> loads) {
    this.loads = loads;
  }

  /**
   * Whether a search that begins now may find processes that the searches after earlier calls, each
   * of which said so, have not found. Always, where the kernel does not tell.
   */
  public boolean possible() {
    String text = loads.get().strip();
    String number = text.substring(text.lastIndexOf(' ') + 1);
    boolean same = number.equals(last) && !number.isEmpty() && !number.equals("0");
    // A process that was in the making when it was searched for may not have been there yet.
    boolean possible = !same || !seen;
    seen = same;
    last = number;
    return possible;
  }

  private static String loads() {
    try {
      return Files.readString(LOADS);
    } catch (IOException e) {
      return "";
    }
  }
}
