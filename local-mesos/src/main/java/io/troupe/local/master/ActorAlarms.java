package io.troupe.local.master;

import akka.actor.typed.javadsl.TimerScheduler;
import java.time.Duration;
import java.util.function.Function;

/**
 * Alarms that ring as a message to the actor that owns them. Those further away than Akka can count
 * (about 248 days) ring then.
 */
public final class ActorAlarms<T> implements Alarms {

  private static final Duration LONGEST = Duration.ofDays(240);

  private final TimerScheduler<T> timers;
  private final Function<Runnable, T> message;

  /**
   * @param timers the actor's
   * @param message makes what the actor is sent; it has to run the action
   */
  public ActorAlarms(TimerScheduler<T> timers, Function<Runnable, T> message) {
    this.timers = timers;
    this.message = message;
  }

  @Override
  public void set(String name, Duration delay, Runnable action) {
    timers.startSingleTimer(name, message.apply(action), shortened(delay));
  }

  @Override
  public void every(String name, Duration interval, Runnable action) {
    timers.startTimerWithFixedDelay(name, message.apply(action), shortened(interval));
  }

  private static Duration shortened(Duration delay) {
    return delay.compareTo(LONGEST) > 0 ? LONGEST : delay;
  }

  @Override
  public void cancel(String name) {
    timers.cancel(name);
  }
}
