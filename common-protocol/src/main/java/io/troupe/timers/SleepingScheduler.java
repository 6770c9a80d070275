package io.troupe.timers;

import akka.actor.AbstractScheduler;
import akka.actor.Cancellable;
import akka.actor.Scheduler;
import akka.event.LoggingAdapter;
import com.typesafe.config.Config;
import java.io.Closeable;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import scala.concurrent.ExecutionContext;
import scala.concurrent.duration.FiniteDuration;

/**
 * The timers of an actor system, on a thread that sleeps until the next of them is due. Akka's own
 * scheduler wakes up at each tick of its wheel, whether a timer is due or not, and no timer ends
 * before the next tick: a system at rest wants few ticks, and short times want many. To set a timer
 * here takes longer than on a wheel, a microsecond or two, so it is for thousands of timers, not
 * for millions.
 *
 * <p>Tasks are handed to their executors when they are due, give or take a millisecond. What is
 * repeated with a delay of a second or more is due at the {@link Beat} that is nearest: a system at
 * rest wakes up once for all of it. A task that sets a timer for itself while it runs repeats, too:
 * so does all of Akka's that repeats with a delay, also where it has a scheduler of its own around
 * this one, as the cluster has. What is not due when the system ends does not run, except for
 * {@link Scheduler.TaskRunOnClose}, which runs then. Any thread. {@code
 * akka.scheduler.implementation} names this class.
 *
 * @see <a href="https://doc.akka.io/docs/akka/2.8/scheduler.html">Akka: Scheduler</a>
 */
public final class SleepingScheduler extends AbstractScheduler implements Closeable {
  private static final double TIMES_A_SECOND = 1000;

  /** The task that runs on this thread. */
  private static final ThreadLocal<@Nullable Runnable> running = new ThreadLocal<>();

  private final ScheduledThreadPoolExecutor timers;
  private final Set<Timer> onClose = ConcurrentHashMap.newKeySet();

  /** Akka makes one for each actor system, and gives it these three. */
  public SleepingScheduler(Config config, LoggingAdapter log, ThreadFactory threads) {
    timers = new ScheduledThreadPoolExecutor(1, threads);
    timers.setRemoveOnCancelPolicy(true);
  }

  @Override
  public Cancellable scheduleOnce(FiniteDuration delay, Runnable task, ExecutionContext executor) {
    long nanos = delay.toNanos();
    boolean again = nanos >= Beat.NANOS && task.equals(running.get());
    long due = again ? Beat.delay(System.nanoTime(), nanos) : nanos;
    return set(
        new Timer(task, executor, false),
        timer -> timers.schedule(timer, due, TimeUnit.NANOSECONDS));
  }

  /** At a fixed rate: Akka's own methods for that call this one. */
  @Override
  @SuppressWarnings("deprecation") // has to be there as long as Akka has it
  public Cancellable schedule(
      FiniteDuration initialDelay,
      FiniteDuration interval,
      Runnable task,
      ExecutionContext executor) {
    return set(
        new Timer(task, executor, true),
        timer ->
            timers.scheduleAtFixedRate(
                timer, initialDelay.toNanos(), interval.toNanos(), TimeUnit.NANOSECONDS));
  }

  private Cancellable set(Timer timer, Function<Timer, Future<?>> schedule) {
    if (timer.task instanceof Scheduler.TaskRunOnClose) {
      onClose.add(timer);
    }
    try {
      timer.future = schedule.apply(timer);
    } catch (RejectedExecutionException e) {
      timer.cancel();
      throw new IllegalStateException("no timers can be set any more: the actor system ends", e);
    }
    return timer;
  }

  @Override
  public double maxFrequency() {
    return TIMES_A_SECOND;
  }

  /** No timer ends after that. */
  @Override
  public void close() {
    timers.shutdownNow();
    onClose.forEach(Timer::runNow);
  }

  private enum State {
    SET,
    OVER,
    CANCELLED
  }

  private final class Timer implements Runnable, Cancellable {
    private final Runnable task;
    private final ExecutionContext executor;
    private final boolean repeats;
    private final AtomicReference<State> state = new AtomicReference<>(State.SET);
    private volatile @Nullable Future<?> future;

    Timer(Runnable task, ExecutionContext executor, boolean repeats) {
      this.task = task;
      this.executor = executor;
      this.repeats = repeats;
    }

    @Override
    public void run() {
      if (repeats ? state.get() == State.SET : leave(State.OVER)) {
        try {
          executor.execute(this::runHere);
        } catch (RuntimeException e) {
          executor.reportFailure(e);
        }
      }
    }

    private void runHere() {
      Runnable outer = running.get();
      running.set(task);
      try {
        task.run();
      } finally {
        running.set(outer);
      }
    }

    void runNow() {
      if (leave(State.OVER)) {
        task.run();
      }
    }

    @Override
    public boolean cancel() {
      boolean inTime = leave(State.CANCELLED);
      Future<?> scheduled = future;
      if (inTime && scheduled != null) {
        scheduled.cancel(false);
      }
      return inTime;
    }

    @Override
    public boolean isCancelled() {
      return state.get() == State.CANCELLED;
    }

    private boolean leave(State to) {
      boolean first = state.compareAndSet(State.SET, to);
      if (first && task instanceof Scheduler.TaskRunOnClose) {
        onClose.remove(this);
      }
      return first;
    }
  }
}
