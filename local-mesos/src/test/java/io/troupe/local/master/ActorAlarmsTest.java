package io.troupe.local.master;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.Behaviors;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class ActorAlarmsTest {

  private final ActorTestKit kit = ActorTestKit.create(ManualTime.config());

  @AfterEach
  void shutDown() {
    kit.shutdownTestKit();
  }

  private void set(String name, Duration delay, Runnable action) {
    var ready = kit.<String>createTestProbe();
    ActorRef<Runnable> unused =
        kit.spawn(
            Behaviors.<Runnable>withTimers(
                timers -> {
                  new ActorAlarms<Runnable>(timers, run -> run).set(name, delay, action);
                  ready.getRef().tell("set");
                  return Behaviors.receive(Runnable.class)
                      .onAnyMessage(
                          run -> {
                            run.run();
                            return Behaviors.same();
                          })
                      .build();
                }));
    assertThat(unused).isNotNull();
    ready.expectMessage("set");
  }

  @Test
  void an_alarm_rings_once_and_not_before_its_time() {
    var rung = kit.<String>createTestProbe();
    set("a", Duration.ofSeconds(10), () -> rung.getRef().tell("rang"));
    ManualTime time = ManualTime.get(kit.system());
    time.expectNoMessageFor(Duration.ofMillis(9_999), rung);
    time.timePasses(Duration.ofMillis(1));
    rung.expectMessage("rang");
    time.expectNoMessageFor(Duration.ofMinutes(1), rung);
  }

  @Test
  void an_alarm_in_a_thousand_years_is_no_error() {
    List<String> rung = new ArrayList<>();
    set("far", Duration.ofDays(365_000), () -> rung.add("rang"));
    assertThat(rung).isEmpty();
  }
}
