package io.troupe.local.master;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Comparator;
import java.util.PriorityQueue;

/** A clock that stands still until it is told, and the alarms that go by it. */
public final class VirtualTime extends Clock {

  private record Alarm(Instant due, long number, String name, Runnable action) {}

  private final PriorityQueue<Alarm> alarms =
      new PriorityQueue<>(Comparator.comparing(Alarm::due).thenComparing(Alarm::number));
  private Instant now;
  private long numbered;

  public VirtualTime(Instant start) {
    now = start;
  }

  /** Alarms whose names do not mix with those of another owner. */
  public Alarms alarms(String owner) {
    return new Alarms() {
      @Override
      public void set(String name, Duration delay, Runnable action) {
        cancel(name);
        alarms.add(new Alarm(now.plus(delay), numbered++, owner + "/" + name, action));
      }

      @Override
      public void every(String name, Duration interval, Runnable action) {
        set(
            name,
            interval,
            () -> {
              every(name, interval, action);
              action.run();
            });
      }

      @Override
      public void cancel(String name) {
        alarms.removeIf(alarm -> alarm.name().equals(owner + "/" + name));
      }
    };
  }

  /** Lets the time come, and every alarm up to it ring in its turn. */
  public void advanceTo(Instant target) {
    while (!alarms.isEmpty() && !alarms.peek().due().isAfter(target)) {
      Alarm next = alarms.remove();
      now = next.due();
      next.action().run();
    }
    if (target.isAfter(now)) {
      now = target;
    }
  }

  public void advance(Duration duration) {
    advanceTo(now.plus(duration));
  }

  @Override
  public Instant instant() {
    return now;
  }

  @Override
  public ZoneId getZone() {
    return ZoneOffset.UTC;
  }

  @Override
  public Clock withZone(ZoneId zone) {
    return this;
  }
}
