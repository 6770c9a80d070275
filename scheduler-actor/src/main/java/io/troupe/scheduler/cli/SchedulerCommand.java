package io.troupe.scheduler.cli;

import picocli.CommandLine.Command;

/**
 * Stands in the list of commands; {@code bin/troupe} starts the scheduler's own main class instead,
 * with the memory that a server needs.
 */
@Command(
    name = "scheduler",
    description = "Run a scheduler node in the foreground: --master URL [--conf FILE] [--dir DIR].")
final class SchedulerCommand extends Leaf {
  @Override
  int run() {
    throw Failure.usage("start a scheduler with bin/troupe scheduler --master URL");
  }
}
