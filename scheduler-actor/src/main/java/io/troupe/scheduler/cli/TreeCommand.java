package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "tree",
    description =
        "Show every actor and process: scheduler, supervisors, workers, Python processes.")
final class TreeCommand extends Leaf {
  private static final Duration REDRAW = Duration.ofMillis(250);
  private static final Duration AGES_MOVE = Duration.ofSeconds(2);

  @Option(names = "--watch", description = "Keep showing it as it changes; Ctrl-C ends.")
  private boolean watch;

  @Override
  int run() {
    Management management = Management.of(scheduler());
    if (watch) {
      if (json()) {
        management.follow((name, data) -> terminal().out().println(data));
      } else {
        show(management);
      }
      throw Failure.of(
          "the scheduler ended the stream: is it going down? 'bin/troupe local status'");
    }
    JsonNode tree = management.tree();
    if (json()) {
      terminal().json(tree);
    } else {
      TreeText.of(tree, terminal(), Instant.now()).forEach(terminal().out()::println);
    }
    return 0;
  }

  /** Draws again when the stream says that something changed, at most a few times a second. */
  private void show(Management management) {
    Semaphore changed = new Semaphore(1);
    Thread follower =
        new Thread(
            () -> {
              try {
                management.follow((name, data) -> changed.release());
              } finally {
                changed.release();
              }
            },
            "tree-stream");
    follower.setDaemon(true);
    follower.setUncaughtExceptionHandler((thread, failure) -> changed.release());
    follower.start();
    String shown = "";
    while (follower.isAlive()) {
      try {
        changed.tryAcquire(AGES_MOVE.toMillis(), TimeUnit.MILLISECONDS);
      } catch (InterruptedException e) {
        return;
      }
      changed.drainPermits();
      List<String> lines = TreeText.of(management.tree(), terminal(), Instant.now());
      String text = String.join(System.lineSeparator(), lines);
      if (!text.equals(shown)) {
        shown = text;
        draw(text);
      }
      MapRun.pause(REDRAW);
    }
  }

  private void draw(String text) {
    if (terminal().outIsTerminal()) {
      terminal().out().print("\033[H\033[2J");
      terminal().out().println(text);
    } else {
      terminal().out().println(text);
      terminal().out().println();
    }
  }
}
