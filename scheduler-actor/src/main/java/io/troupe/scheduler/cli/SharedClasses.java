package io.troupe.scheduler.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The archive of parsed classes that all of Troupe's programs share, with which a JVM starts in
 * half the time (class data sharing). Java checks that it fits its version and its jars, and goes
 * on without it, in silence, if it does not.
 *
 * @param folder where the archive is, for this version of Java
 * @param training whether the programs note which classes they load, instead of using it
 */
record SharedClasses(Path folder, boolean training) {

  /** Options for the JVM of a program. */
  List<String> options(String program) {
    if (training) {
      return List.of("-XX:DumpLoadedClassList=" + folder.resolve(program + ".classes"));
    }
    Path archive = folder.resolve("troupe.jsa");
    if (!Files.exists(archive)) {
      return List.of();
    }
    // Mapped where it was written for, its pages stay those of the file, one copy for all programs.
    // Elsewhere, which is Java's default, each process rewrites most of them at its start.
    return List.of(
        "-Xlog:disable",
        "-XX:SharedArchiveFile=" + archive,
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:ArchiveRelocationMode=0");
  }
}
