package io.troupe.scheduler.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * {@code bin/troupe}. Exit code 0 on success, 2 when it was called in a way that cannot be meant, 1
 * on everything else; an error is one line on standard error.
 */
@Command(
    name = "troupe",
    description = "An elastic pool of Python worker processes on Apache Mesos.",
    synopsisSubcommandLabel = "COMMAND",
    usageHelpAutoWidth = true,
    footer = {
      "",
      "A first look:   bin/quickstart",
      "Start here:     bin/troupe local up, then pool apply conf/pools/code-metrics.conf",
      "",
      "TROUPE_URL and TROUPE_TOKEN say where the scheduler is and how to be let in."
    },
    subcommands = {
      LocalCommand.class,
      SchedulerCommand.class,
      PoolCommand.class,
      JobCommand.class,
      StoreCommand.class,
      TreeCommand.class,
      AgentsCommand.class,
      WorkersCommand.class,
      LogsCommand.class,
      ExplainCommand.class,
      DoctorCommand.class,
      TeardownCommand.class,
      VersionCommand.class,
    })
public final class Troupe implements Callable<Integer> {
  static final String DEFAULT_URL = "http://127.0.0.1:7070";

  private final Terminal terminal;
  private final Map<String, String> environment;

  @Option(
      names = "--url",
      paramLabel = "URL",
      scope = ScopeType.INHERIT,
      description = "The scheduler's job API (TROUPE_URL; default: http://127.0.0.1:7070).")
  private @Nullable String url;

  @Option(
      names = "--json",
      scope = ScopeType.INHERIT,
      description = "Print JSON, for programs to read.")
  private boolean json;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this help and exit.")
  @SuppressWarnings("UnusedVariable") // picocli acts on it
  private boolean help;

  @Spec private CommandSpec spec = CommandSpec.create();

  Troupe(Terminal terminal, Map<String, String> environment) {
    this.terminal = terminal;
    this.environment = environment;
  }

  /** Runs one command and ends the process with its exit code. */
  public static void main(String[] args) {
    Map<String, String> environment = System.getenv();
    int exitCode = run(Terminal.ofProcess(environment), environment, args);
    System.out.flush();
    System.exit(exitCode);
  }

  /** Runs one command and returns its exit code; nothing is thrown. */
  static int run(Terminal terminal, Map<String, String> environment, String... args) {
    CommandLine line = new CommandLine(new Troupe(terminal, environment));
    line.setExpandAtFiles(false);
    line.setUsageHelpLongOptionsMaxWidth(34);
    line.setColorScheme(
        CommandLine.Help.defaultColorScheme(
            terminal.outIsTerminal() ? CommandLine.Help.Ansi.ON : CommandLine.Help.Ansi.OFF));
    line.setOut(new PrintWriter(terminal.out(), true, StandardCharsets.UTF_8));
    line.setParameterExceptionHandler((wrong, ignored) -> wrongUsage(terminal, wrong));
    line.setExecutionExceptionHandler((failure, command, result) -> failed(terminal, failure));
    return line.execute(args);
  }

  private static int wrongUsage(Terminal terminal, ParameterException wrong) {
    String command = wrong.getCommandLine().getCommandSpec().qualifiedName();
    String message = SchedulerClient.firstLine(String.valueOf(wrong.getMessage()));
    if (wrong instanceof UnmatchedArgumentException unmatched) {
      message = "there is no '" + unmatched.getUnmatched().get(0) + "' here";
      List<String> nearest = unmatched.getSuggestions();
      message += nearest.isEmpty() ? "" : ": did you mean " + String.join(" or ", nearest) + "?";
    }
    terminal.err().println("troupe: " + message + " (see 'bin/" + command + " --help')");
    return 2;
  }

  private static int failed(Terminal terminal, Exception failure) {
    if (failure instanceof Failure told) {
      terminal.err().println("troupe: " + told.getMessage());
      return told.exitCode();
    }
    terminal.err().println("troupe: a fault in this program: " + failure);
    if (Boolean.getBoolean("troupe.trace")) {
      failure.printStackTrace(terminal.err());
    }
    return 1;
  }

  /** The options that all commands share, for a command that is being run. */
  static Troupe of(CommandSpec command) {
    return (Troupe) command.root().userObject();
  }

  Terminal terminal() {
    return terminal;
  }

  boolean json() {
    return json;
  }

  String environment(String name) {
    return environment.getOrDefault(name, "");
  }

  String url() {
    if (url != null) {
      return url;
    }
    String fromEnvironment = environment("TROUPE_URL");
    return fromEnvironment.isEmpty() ? DEFAULT_URL : fromEnvironment;
  }

  SchedulerClient scheduler() {
    String token = environment("TROUPE_TOKEN");
    return new SchedulerClient(url(), token.isEmpty() ? null : token);
  }

  @Override
  public Integer call() {
    throw new ParameterException(spec.commandLine(), "which command?");
  }
}
