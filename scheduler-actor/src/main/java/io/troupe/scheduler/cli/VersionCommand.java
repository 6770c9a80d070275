package io.troupe.scheduler.cli;

import picocli.CommandLine.Command;

@Command(name = "version", description = "Show which Troupe and which Java this is.")
final class VersionCommand extends Leaf {
  @Override
  int run() {
    String java = System.getProperty("java.version");
    return say(
        Terminal.JSON.createObjectNode().put("troupe", Troupe.VERSION).put("java", java),
        "troupe " + Troupe.VERSION + " (Java " + java + ")");
  }
}
