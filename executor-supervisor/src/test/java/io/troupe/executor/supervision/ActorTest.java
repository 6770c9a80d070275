package io.troupe.executor.supervision;

import akka.actor.UnhandledMessage;
import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import java.time.Duration;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Gives each test an actor system, virtual time, and a net for messages that nobody handled. */
final class ActorTest implements BeforeEachCallback, AfterEachCallback {
  private ActorTestKit kit;
  private TestProbe<UnhandledMessage> unhandled;
  private long nanos;

  @Override
  public void beforeEach(ExtensionContext test) {
    kit = ActorTestKit.create(ManualTime.config());
    unhandled = kit.createUnhandledMessageProbe();
  }

  @Override
  public void afterEach(ExtensionContext test) {
    try {
      unhandled.expectNoMessage(Duration.ZERO);
    } finally {
      kit.shutdownTestKit();
    }
  }

  ActorTestKit kit() {
    return kit;
  }

  /** The monotonic clock that goes with the virtual time. */
  synchronized long nanos() {
    return nanos;
  }

  /** Lets time pass, on the timers and on the clock. */
  void pass(Duration time) {
    synchronized (this) {
      nanos += time.toNanos();
    }
    ManualTime.get(kit.system()).timePasses(time);
  }
}
