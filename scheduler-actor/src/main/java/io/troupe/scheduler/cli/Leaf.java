package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** A command that does something. */
abstract class Leaf implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  /** Does it. */
  abstract int run();

  @Override
  public final Integer call() {
    return run();
  }

  final Troupe troupe() {
    return Troupe.of(spec);
  }

  final Terminal terminal() {
    return troupe().terminal();
  }

  final boolean json() {
    return troupe().json();
  }

  final SchedulerClient scheduler() {
    return troupe().scheduler();
  }

  /** Prints an answer as JSON if that was asked for, else in words. */
  final int say(JsonNode answer, String words) {
    if (json()) {
      terminal().json(answer);
    } else {
      terminal().out().println(words);
    }
    return 0;
  }
}
