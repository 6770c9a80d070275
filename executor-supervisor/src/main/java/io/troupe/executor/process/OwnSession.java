package io.troupe.executor.process;

import io.troupe.model.Upkeep;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * How a command is started so that it leads a session of its own and gets SIGKILL when the thread
 * that started it ends (util-linux' setsid and setpriv). Where setpriv is too old or missing, the
 * guard alone sees to that.
 */
final class OwnSession {
  private static final List<String> DIES_WITH_PARENT = List.of("setpriv", "--pdeathsig", "KILL");

  private static final Pattern PLAIN_WORD = Pattern.compile("[\\w./+-]+");
  private static final Pattern SEVERAL_COMMANDS = Pattern.compile("[;&|\n]");
  private static final Set<String> SHELLS_OWN =
      Set.of("exec", "eval", ".", "if", "for", "while", "until", "case", "time", "cd", "set");

  private final List<String> prefix;

  private OwnSession(List<String> prefix) {
    this.prefix = prefix;
  }

  /** Looks what this machine has; takes some milliseconds. */
  static OwnSession detect() {
    List<String> prefix = new ArrayList<>();
    if (works(DIES_WITH_PARENT)) {
      prefix.addAll(DIES_WITH_PARENT);
    }
    if (works(List.of("setsid"))) {
      prefix.add("setsid");
    }
    return new OwnSession(prefix);
  }

  /** Whether the shell that runs the command will lead a session, its id being the pid. */
  boolean leads() {
    return prefix.contains("setsid");
  }

  /** The program and its arguments that run a shell command within the limits. */
  List<String> shell(String command, Upkeep limits) {
    return program(limited(command, limits));
  }

  /** The same without a session. */
  static List<String> limited(String command, Upkeep limits) {
    List<String> resources = new ArrayList<>();
    if (limits.files() > 0) {
      resources.add("--nofile=" + limits.files());
    }
    if (limits.processes() > 0) {
      resources.add("--nproc=" + limits.processes());
    }
    if (limits.coreMb() >= 0) {
      resources.add("--core=" + ((long) limits.coreMb() << 20));
    }
    List<String> whole = new ArrayList<>();
    if (!resources.isEmpty()) {
      whole.add("prlimit");
      whole.addAll(resources);
    }
    whole.addAll(plainShell(command, limits));
    return whole;
  }

  /** The program and its arguments that run a program in a session of its own. */
  List<String> program(List<String> command) {
    List<String> whole = new ArrayList<>(prefix);
    whole.addAll(command);
    return whole;
  }

  /** The same without a session and limits, where something else sees to these. */
  static List<String> plainShell(String command, Upkeep limits) {
    List<String> whole = new ArrayList<>();
    if (limits.nice() > 0) {
      whole.addAll(List.of("nice", "-n", Integer.toString(limits.nice())));
    }
    whole.addAll(List.of("/bin/sh", "-c", replacingTheShell(command)));
    return whole;
  }

  /**
   * The command with {@code exec} before it, where it is one plain command: then no shell stands
   * between the executor and the server, and the tie to the parent holds for the server itself.
   */
  static String replacingTheShell(String command) {
    String first = command.strip().split("\\s", 2)[0];
    boolean plain =
        PLAIN_WORD.matcher(first).matches()
            && !SHELLS_OWN.contains(first)
            && !SEVERAL_COMMANDS.matcher(command).find();
    return plain ? "exec " + command.strip() : command;
  }

  private static boolean works(List<String> prefix) {
    List<String> command = new ArrayList<>(prefix);
    command.add("true");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
