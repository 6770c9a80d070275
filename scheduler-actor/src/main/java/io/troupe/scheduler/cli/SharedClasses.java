package io.troupe.scheduler.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Archives of parsed classes, one for each of Troupe's programs, with which a JVM starts in half
 * the time (class data sharing). Java checks that an archive fits its version and its jars, and
 * goes on without it, in silence, if it does not.
 *
 * @param folder where the archives are, for this version of Java
 * @param training whether the programs write new archives when they end, instead of using them
 */
record SharedClasses(Path folder, boolean training) {
  private static final List<String> PROGRAMS = List.of("mesos", "scheduler", "executor");
  private static final String NEW = ".new";

  /** Options for the JVM of a program. */
  List<String> options(String program) {
    if (training) {
      return List.of("-Xlog:disable", "-XX:ArchiveClassesAtExit=" + folder.resolve(program + NEW));
    }
    Path archive = folder.resolve(program + ".jsa");
    return Files.exists(archive)
        ? List.of("-Xlog:disable", "-XX:SharedArchiveFile=" + archive)
        : List.of();
  }

  /** Whether there is nothing to gain from a training. */
  boolean complete() {
    return PROGRAMS.stream().allMatch(program -> Files.exists(folder.resolve(program + ".jsa")));
  }

  /** After a training, when all programs have ended. */
  void keepNew() throws IOException {
    for (String program : PROGRAMS) {
      Path written = folder.resolve(program + NEW);
      if (Files.exists(written)) {
        Files.move(
            written,
            folder.resolve(program + ".jsa"),
            java.nio.file.StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }
}
