package io.troupe.executor.process;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A small process that outlives this one for a moment: when this one is gone, however that came, it
 * kills every process that carries the executor's mark. Started again when it dies.
 */
public final class Guard implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Guard.class);
  private static final int MAX_STARTS = 20;

  /** Not at once: one that cannot run at all would take the whole processor. */
  private static final Executor LATER = CompletableFuture.delayedExecutor(1, TimeUnit.SECONDS);

  private final List<String> command;
  private @Nullable Process process;
  private int starts;
  private boolean closed;

  private Guard(List<String> command) {
    this.command = command;
  }

  /**
   * Starts it; where that fails the log says so, and nothing but the workers' own ties to their
   * parent is left.
   *
   * @param python the interpreter
   * @param packages folder that holds the {@code troupe} package
   * @param mark of this executor
   * @param folders where {@link SecretFiles} and {@link Cgroups} make theirs; it removes those of
   *     executors that are gone
   */
  public static Guard start(String python, Path packages, String mark, List<Path> folders) {
    List<String> command = new ArrayList<>(List.of("setsid", python, "-I", "-S"));
    command.add(packages.resolve("troupe/guard.py").toString());
    command.add(mark);
    folders.forEach(folder -> command.add(folder.toString()));
    Guard guard = new Guard(List.copyOf(command));
    guard.launch();
    return guard;
  }

  private synchronized void launch() {
    if (closed) {
      return;
    }
    if (starts == MAX_STARTS) {
      log.warn("No guard any more, it ended {} times: is {} a Python 3?", starts, command.get(1));
      return;
    }
    starts++;
    try {
      Process started =
          new ProcessBuilder(command)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      process = started;
      CompletableFuture<Void> unused = started.onExit().thenRunAsync(this::launch, LATER);
    } catch (IOException e) {
      log.warn("No guard: worker processes may outlive this executor: {}", e.getMessage());
    }
  }

  /** Its process id; 0 when it does not run. */
  public synchronized long pid() {
    return process != null && process.isAlive() ? process.pid() : 0;
  }

  /** Lets it do its work: what carries the mark is killed. */
  @Override
  public synchronized void close() throws IOException {
    closed = true;
    if (process != null) {
      process.getOutputStream().close();
    }
  }
}
