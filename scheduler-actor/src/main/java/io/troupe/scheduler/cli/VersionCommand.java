package io.troupe.scheduler.cli;

import java.util.Optional;
import picocli.CommandLine.Command;

@Command(name = "version", description = "Show which Troupe and which Java this is.")
final class VersionCommand extends Leaf {
  @Override
  int run() {
    String troupe =
        Optional.ofNullable(VersionCommand.class.getPackage().getImplementationVersion())
            .orElse("development");
    String java = System.getProperty("java.version");
    return say(
        Terminal.JSON.createObjectNode().put("troupe", troupe).put("java", java),
        "troupe " + troupe + " (Java " + java + ")");
  }
}
