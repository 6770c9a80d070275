package io.troupe.protocol.line;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread that waits for sockets and runs tasks, so that what comes over a socket is dealt with
 * where it was read: no other thread must be woken for it, which takes longer than most tasks.
 * Tasks run one at a time in the order in which they came, and none may block.
 */
public final class EventLoop implements Executor, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(EventLoop.class);

  /** So many tasks at most before the sockets are looked at again. */
  private static final int TASKS_IN_A_ROW = 64;

  private static final int CHUNK_BYTES = 256 << 10;

  private final Selector selector;
  private final Thread thread;
  private final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_BYTES);
  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean waiting = new AtomicBoolean();

  /** Only the loop's thread touches it. */
  private long restUntil = System.nanoTime();

  private EventLoop(Selector selector, String name) {
    this.selector = selector;
    this.thread = new Thread(this::run, name);
    thread.setDaemon(true);
  }

  /** Starts the thread, which ends when the loop is closed. */
  public static EventLoop start(String name) throws IOException {
    EventLoop loop = new EventLoop(Selector.open(), name);
    loop.thread.start();
    return loop;
  }

  /** Where sockets are registered; the attachment of a key is a {@code Consumer<SelectionKey>}. */
  public Selector selector() {
    return selector;
  }

  /**
   * What sockets are read into: one for all, as one is read at a time. Only the loop's thread may
   * touch it.
   */
  public ByteBuffer chunk() {
    return chunk;
  }

  /** Runs the task soon, on the loop's thread; never when the loop is closed. Any thread. */
  @Override
  public void execute(Runnable task) {
    tasks.add(task);
    if (Thread.currentThread() != thread && waiting.compareAndSet(true, false)) {
      selector.wakeup();
    }
  }

  /**
   * Puts off what comes from now on, sockets and tasks, for so long from now: then all of it is
   * dealt with at once. To wake up for each takes the processors more time than to deal with it,
   * where others compute on them. Each call takes the place of the one before. Only the loop's
   * thread may call.
   */
  public void rest(Duration time) {
    restUntil = System.nanoTime() + time.toNanos();
  }

  @Override
  public void close() throws IOException {
    selector.close();
  }

  private void run() {
    try {
      while (selector.isOpen()) {
        LockSupport.parkNanos(tasks.isEmpty() ? restUntil - System.nanoTime() : 0);
        select();
        for (int i = 0; i < TASKS_IN_A_ROW; i++) {
          Runnable task = tasks.poll();
          if (task == null) {
            break;
          }
          run(task);
        }
      }
    } catch (ClosedSelectorException e) {
      // closed from outside
    } catch (IOException e) {
      log.error("The sockets of {} are lost", thread.getName(), e);
    }
  }

  private void select() throws IOException {
    waiting.set(true); // from here on, whoever adds a task wakes this thread
    if (tasks.isEmpty()) {
      selector.select(EventLoop::ready);
    } else {
      selector.selectNow(EventLoop::ready);
    }
    waiting.set(false);
  }

  @SuppressWarnings("unchecked") // whoever registers a socket attaches one
  private static void ready(SelectionKey key) {
    if (key.isValid() && key.attachment() instanceof Consumer<?> reader) {
      run(() -> ((Consumer<SelectionKey>) reader).accept(key));
    }
  }

  private static void run(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException e) {
      log.error("A task failed", e);
    }
  }
}
