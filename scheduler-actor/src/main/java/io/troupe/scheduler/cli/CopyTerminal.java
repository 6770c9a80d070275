package io.troupe.scheduler.cli;

import io.troupe.scheduler.store.CopyProgress;
import java.time.Duration;

/** How far a copy is, on standard error, where it takes long enough to be asked about. */
final class CopyTerminal implements CopyProgress, AutoCloseable {
  private static final long REDRAW_NANOS = Duration.ofMillis(200).toNanos();
  private static final long PLAIN_NANOS = Duration.ofSeconds(5).toNanos();

  private final Terminal terminal;
  private long lastNanos = System.nanoTime();

  CopyTerminal(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public void at(String what, long done, long all) {
    long now = System.nanoTime();
    if (now - lastNanos < (terminal.errIsTerminal() ? REDRAW_NANOS : PLAIN_NANOS)) {
      return;
    }
    lastNanos = now;
    String text = "%s: %,d of %,d".formatted(what, done, all);
    if (terminal.errIsTerminal()) {
      terminal.err().print("\r\033[K" + text);
      terminal.err().flush();
    } else {
      terminal.err().println(text);
    }
  }

  /** Removes the line, so that something else can be printed. */
  void clear() {
    if (terminal.errIsTerminal()) {
      terminal.err().print("\r\033[K");
      terminal.err().flush();
    }
  }

  @Override
  public void close() {
    clear();
  }
}
