package io.troupe.scheduler.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A command that only has commands under it. */
abstract class Group implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public final Integer call() {
    String all = String.join(", ", spec.subcommands().keySet());
    throw new ParameterException(spec.commandLine(), "which command? One of: " + all);
  }
}
