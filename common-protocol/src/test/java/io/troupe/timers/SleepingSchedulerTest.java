package io.troupe.timers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import akka.actor.ActorSystem;
import akka.actor.BootstrapSetup;
import akka.actor.Cancellable;
import akka.actor.LightArrayRevolverScheduler;
import akka.actor.Scheduler;
import akka.actor.setup.ActorSystemSetup;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SleepingSchedulerTest {
  private static final Config CONFIG =
      ConfigFactory.parseString(
              "akka.scheduler.implementation = " + SleepingScheduler.class.getName())
          .withFallback(ConfigFactory.load());

  private ActorSystem system;
  private Scheduler scheduler;

  @BeforeEach
  void start() {
    system = ActorSystem.create("timers", ActorSystemSetup.create(BootstrapSetup.create(CONFIG)));
    scheduler = system.scheduler();
  }

  @AfterEach
  void stop() throws Exception {
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().get(30, TimeUnit.SECONDS);
  }

  @Test
  void is_what_the_setting_names() {
    assertThat(scheduler)
        .isInstanceOf(SleepingScheduler.class)
        .isNotInstanceOf(LightArrayRevolverScheduler.class);
  }

  @Test
  void tasks_run_on_their_executor_when_they_are_due_and_not_before() throws Exception {
    CompletableFuture<Long> ran = new CompletableFuture<>();
    CompletableFuture<Thread> thread = new CompletableFuture<>();
    Duration delay = Duration.ofMillis(30);
    long set = System.nanoTime();
    scheduler.scheduleOnce(
        delay,
        () -> {
          ran.complete(System.nanoTime());
          thread.complete(Thread.currentThread());
        },
        system.dispatcher());
    assertThat(ran.get(30, TimeUnit.SECONDS) - set).isGreaterThanOrEqualTo(delay.toNanos());
    assertThat(thread.get().getName()).contains("default-dispatcher");
  }

  @Test
  void run_in_the_order_in_which_they_are_due() throws Exception {
    List<Integer> seen = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch done = new CountDownLatch(3);
    for (int each : new int[] {300, 100, 200}) {
      scheduler.scheduleOnce(
          Duration.ofMillis(each),
          () -> {
            seen.add(each);
            done.countDown();
          },
          system.dispatcher());
    }
    assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(seen).containsExactly(100, 200, 300);
  }

  @Test
  void go_on_until_they_are_cancelled() throws Exception {
    CountDownLatch often = new CountDownLatch(5);
    Cancellable ticks =
        scheduler.scheduleWithFixedDelay(
            Duration.ofMillis(1), Duration.ofMillis(1), often::countDown, system.dispatcher());
    assertThat(often.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(ticks.cancel()).isTrue();
    assertThat(ticks.isCancelled()).isTrue();
  }

  @Test
  void go_on_on_the_beats_of_the_clock_where_they_are_a_second_apart_or_more() throws Exception {
    CountDownLatch twice = new CountDownLatch(2);
    List<Long> ran = Collections.synchronizedList(new ArrayList<>());
    Cancellable ticks =
        scheduler.scheduleWithFixedDelay(
            Duration.ofMillis(1),
            Duration.ofSeconds(1),
            () -> {
              ran.add(System.nanoTime());
              twice.countDown();
            },
            system.dispatcher());
    assertThat(twice.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(ticks.cancel()).isTrue();
    assertThat(ticks.isCancelled()).isTrue();
    // There is one beat at least between the two times, however late they were.
    assertThat(Math.floorDiv(ran.get(1), Beat.NANOS))
        .isGreaterThan(Math.floorDiv(ran.get(0), Beat.NANOS));
  }

  @Test
  void are_on_the_beats_too_where_a_task_sets_itself_again_as_those_of_the_cluster_do()
      throws Exception {
    CompletableFuture<Long> again = new CompletableFuture<>();
    AtomicInteger times = new AtomicInteger();
    Runnable task =
        new Runnable() {
          @Override
          public void run() {
            if (times.incrementAndGet() == 1) {
              scheduler.scheduleOnce(Duration.ofSeconds(1), this, system.dispatcher());
            } else {
              again.complete(System.nanoTime());
            }
          }
        };
    long half = Beat.NANOS / 2;
    long toHalf = Math.floorMod(half - System.nanoTime(), Beat.NANOS);
    scheduler.scheduleOnce(Duration.ofNanos(toHalf), task, system.dispatcher());
    assertThat(Math.floorMod(again.get(30, TimeUnit.SECONDS), Beat.NANOS)).isLessThan(half);
  }

  @Test
  void are_due_when_they_were_set_for_where_another_task_sets_them() throws Exception {
    CompletableFuture<Long> took = new CompletableFuture<>();
    Duration delay = Duration.ofMillis(1100);
    scheduler.scheduleOnce(
        Duration.ofNanos(Math.floorMod(Beat.NANOS / 5 - System.nanoTime(), Beat.NANOS)),
        () -> {
          long set = System.nanoTime();
          scheduler.scheduleOnce(
              delay, () -> took.complete(System.nanoTime() - set), system.dispatcher());
        },
        system.dispatcher());
    assertThat(took.get(30, TimeUnit.SECONDS)).isGreaterThanOrEqualTo(delay.toNanos());
  }

  @Test
  void go_on_at_a_fixed_rate_until_they_are_cancelled() throws Exception {
    Duration every = Duration.ofMillis(20);
    long set = System.nanoTime();
    CountDownLatch often = new CountDownLatch(5);
    Cancellable ticks =
        scheduler.scheduleAtFixedRate(every, every, often::countDown, system.dispatcher());
    assertThat(often.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(System.nanoTime() - set).isGreaterThanOrEqualTo(every.multipliedBy(5).toNanos());
    assertThat(ticks.isCancelled()).isFalse();
    assertThat(ticks.cancel()).isTrue();
    assertThat(ticks.cancel()).isFalse();
    assertThat(ticks.isCancelled()).isTrue();
  }

  @Test
  void do_not_run_once_they_are_cancelled_and_can_be_cancelled_but_once() throws Exception {
    CompletableFuture<Void> never = new CompletableFuture<>();
    Cancellable cancelled =
        scheduler.scheduleOnce(
            Duration.ofMillis(50), () -> never.complete(null), system.dispatcher());
    assertThat(cancelled.cancel()).isTrue();
    assertThat(cancelled.cancel()).isFalse();
    CompletableFuture<Void> later = new CompletableFuture<>();
    Cancellable over =
        scheduler.scheduleOnce(
            Duration.ofMillis(100), () -> later.complete(null), system.dispatcher());
    later.get(30, TimeUnit.SECONDS);
    assertThat(never).isNotDone();
    assertThat(over.cancel()).isFalse();
    assertThat(over.isCancelled()).isFalse();
  }

  @Test
  void when_the_system_ends_only_those_run_that_have_to_and_no_more_can_be_set() throws Exception {
    CompletableFuture<Void> never = new CompletableFuture<>();
    CountDownLatch last = new CountDownLatch(1);
    Scheduler.TaskRunOnClose hasTo = last::countDown;
    Scheduler.TaskRunOnClose cancelled = () -> never.complete(null);
    scheduler.scheduleOnce(Duration.ofHours(1), () -> never.complete(null), system.dispatcher());
    scheduler.scheduleOnce(Duration.ofHours(1), hasTo, system.dispatcher());
    scheduler.scheduleOnce(Duration.ofHours(1), cancelled, system.dispatcher()).cancel();
    stop();
    assertThat(last.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(never).isNotDone();
    assertThatThrownBy(
            () -> scheduler.scheduleOnce(Duration.ofMillis(1), hasTo, system.dispatcher()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("the actor system ends");
  }
}
