package io.troupe.timers;

/**
 * The whole seconds of this machine's monotonic clock, the same ones for all its processes: times
 * at which what is repeated at leisure is done. To wake up is what costs while there is little to
 * do, as by then processors have forgotten code and data; what shares a wake-up shares its costs.
 * Stateless; any thread.
 *
 * @see <a href="https://docs.kernel.org/timers/highres.html">Linux: high resolution timers</a>
 */
public final class Beat {
  /** From one to the next. */
  public static final long NANOS = 1_000_000_000L;

  private Beat() {}

  /**
   * How long it is until the beat that is nearest to the end of a delay: at most half a second more
   * or less than that.
   *
   * @param now as {@link System#nanoTime} tells it
   * @param delay nanoseconds, at least {@link #NANOS}
   */
  public static long delay(long now, long delay) {
    long due = now + delay + NANOS / 2;
    return delay + NANOS / 2 - Math.floorMod(due, NANOS);
  }
}
