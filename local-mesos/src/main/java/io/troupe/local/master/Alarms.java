package io.troupe.local.master;

import java.time.Duration;

/**
 * Timers of a state machine: an action runs on the machine's own thread, never inside the call that
 * set it.
 */
public interface Alarms {

  /** Runs the action once after the delay, in place of an alarm of the same name. */
  void set(String name, Duration delay, Runnable action);

  /**
   * Runs the action again and again, in place of an alarm of the same name: for the first time
   * after the interval, and an interval, more or less, after each time.
   */
  void every(String name, Duration interval, Runnable action);

  /** Forgets the alarm; no alarm of that name is no error. */
  void cancel(String name);
}
