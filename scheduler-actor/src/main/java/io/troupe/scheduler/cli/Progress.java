package io.troupe.scheduler.cli;

import java.time.Duration;

/**
 * How far a map is, on standard error: a bar that is redrawn on a terminal, now and then a line of
 * plain counts elsewhere. Called by one thread.
 */
final class Progress {
  private static final long REDRAW_NANOS = Duration.ofMillis(100).toNanos();
  private static final long PLAIN_NANOS = Duration.ofSeconds(5).toNanos();
  private static final int BAR = 30;

  private final Terminal terminal;
  private final long total;
  private final long startNanos = System.nanoTime();
  private long lastNanos = startNanos;
  private long done;
  private long failed;

  /**
   * @param total how many jobs there will be, or -1 where nobody knows
   */
  Progress(Terminal terminal, long total) {
    this.terminal = terminal;
    this.total = total;
  }

  void advance(boolean succeeded) {
    done++;
    failed += succeeded ? 0 : 1;
    long now = System.nanoTime();
    if (now - lastNanos >= (terminal.errIsTerminal() ? REDRAW_NANOS : PLAIN_NANOS)) {
      lastNanos = now;
      draw();
    }
  }

  long done() {
    return done;
  }

  long failed() {
    return failed;
  }

  /** Removes the bar and says what was done. */
  void finish() {
    clear();
    double seconds = (System.nanoTime() - startNanos) / 1e9;
    terminal
        .err()
        .println(
            "%,d jobs in %.1f s (%,.0f jobs/s)%s"
                .formatted(
                    done,
                    seconds,
                    done / Math.max(seconds, 1e-3),
                    failed == 0 ? "" : ", %,d failed".formatted(failed)));
  }

  /** Removes the bar, so that something else can be printed. */
  void clear() {
    if (terminal.errIsTerminal()) {
      terminal.err().print("\r\033[K");
      terminal.err().flush();
    }
  }

  private void draw() {
    if (!terminal.errIsTerminal()) {
      terminal.err().println(counts());
      return;
    }
    StringBuilder line = new StringBuilder("\r\033[K");
    if (total > 0) {
      int full = (int) (BAR * Math.min(done, total) / total);
      line.append(terminal.unicode() ? "█".repeat(full) : "#".repeat(full));
      line.append(terminal.unicode() ? "░".repeat(BAR - full) : ".".repeat(BAR - full)).append(' ');
    }
    line.append(counts());
    double perSecond = done * 1e9 / (System.nanoTime() - startNanos);
    line.append(", %,.0f jobs/s".formatted(perSecond));
    if (total > done && perSecond > 0) {
      line.append(", %,.0f s left".formatted(Math.ceil((total - done) / perSecond)));
    }
    terminal.err().print(line);
    terminal.err().flush();
  }

  private String counts() {
    return "%,d%s done%s"
        .formatted(
            done,
            total >= 0 ? " of %,d".formatted(total) : "",
            failed == 0 ? "" : ", %,d failed".formatted(failed));
  }
}
