import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Lays out what agents fetch, as a step of the build: {@code java Bundle.java FOLDER RUNTIME JAR TIME
 * PACKAGES CLASSPATH}.
 *
 * <p>In FOLDER: {@code lib}, the jars with their entries as they are, since the bundle packs better
 * what is not packed already; {@code executor.args}, the class path, whose order has to be the same
 * wherever it is unpacked; and {@code classes.jsa}, the classes that an executor's start needs, parsed
 * (class data sharing), with which it takes half the processor time. These classes are found out by
 * starting one. Where that fails there is no archive, and executors start without.
 */
public final class Bundle {
  private static final long START_SECONDS = 120;

  /** Akka's distributed data can keep itself on disk; no executor does. */
  private static final List<String> LEFT_OUT =
      List.of("/org/lmdbjava/", "/com/github/jnr/", "/org/ow2/asm/");

  /** All that an executor needs of Mesos' classes, of which there are as many again for others. */
  private static final List<String> OF_MESOS =
      List.of("org/apache/mesos/v1/Protos", "org/apache/mesos/v1/executor/", "META-INF/LICENSE");

  private Bundle() {}

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    Path runtime = Path.of(arguments[1]).toAbsolutePath();
    FileTime time = FileTime.from(Instant.parse(arguments[3]));
    Path packages = Path.of(arguments[4]).toAbsolutePath();
    delete(folder);
    Path lib = Files.createDirectories(folder.resolve("lib"));
    List<Path> jars = new ArrayList<>(List.of(Path.of(arguments[2])));
    for (String entry : arguments[5].split(File.pathSeparator)) {
      if (entry.endsWith(".jar") && LEFT_OUT.stream().noneMatch(entry::contains)) {
        jars.add(Path.of(entry));
      }
    }
    List<String> names = new ArrayList<>();
    for (Path jar : jars) {
      Path stored = lib.resolve(jar.getFileName().toString());
      store(jar, stored);
      // An archive of classes holds for jars of one time only: that which the bundle's entries get.
      Files.setLastModifiedTime(stored, time);
      names.add("lib/" + jar.getFileName());
    }
    names.sort(Comparator.naturalOrder());
    String classPath = String.join(":", names);
    Files.writeString(
        folder.resolve("executor.args"),
        "-XX:+UnlockDiagnosticVMOptions\n-XX:ArchiveRelocationMode=0\n-cp " + classPath + "\n");
    try {
      archive(folder, runtime.resolve("bin/java").toString(), packages, classPath);
    } catch (IOException e) {
      System.out.println("Executors will start without an archive of classes: " + e.getMessage());
    }
  }

  private static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> all = Files.walk(folder)) {
        for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
  }

  private static void store(Path from, Path to) throws IOException {
    boolean mesos = from.getFileName().toString().startsWith("mesos-");
    try (ZipFile zip = new ZipFile(from.toFile());
        OutputStream file = Files.newOutputStream(to);
        ZipOutputStream out = new ZipOutputStream(file)) {
      out.setMethod(ZipOutputStream.STORED);
      for (ZipEntry entry : zip.stream().toList()) {
        if (mesos && OF_MESOS.stream().noneMatch(entry.getName()::startsWith)) {
          continue;
        }
        byte[] content;
        try (InputStream in = zip.getInputStream(entry)) {
          content = in.readAllBytes();
        }
        CRC32 sum = new CRC32();
        sum.update(content);
        ZipEntry stored = new ZipEntry(entry.getName());
        stored.setTime(0);
        stored.setSize(content.length);
        stored.setCompressedSize(content.length);
        stored.setCrc(sum.getValue());
        out.putNextEntry(stored);
        out.write(content);
        out.closeEntry();
      }
    }
  }

  private static void archive(Path folder, String java, Path packages, String classPath)
      throws Exception {
    Path classes = folder.resolve("executor.classes").toAbsolutePath();
    Path sandbox = Files.createDirectories(folder.resolve("sandbox")).toAbsolutePath();
    run(
        folder,
        Map.of(
            "MESOS_FRAMEWORK_ID", "build",
            "MESOS_EXECUTOR_ID", "build",
            "MESOS_SLAVE_ID", "build",
            "MESOS_AGENT_ENDPOINT", "127.0.0.1:1", // nobody: it ends by itself
            "MESOS_CHECKPOINT", "0",
            "MESOS_DIRECTORY", sandbox.toString(),
            "TROUPE_PYTHON_PACKAGES", packages.toString()),
        List.of(
            java,
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-XX:DumpLoadedClassList=" + classes,
            "-Dtroupe.executor.agent.subscribe-timeout=1s",
            "-cp",
            classPath,
            "io.troupe.executor.Main"));
    Set<String> once = new LinkedHashSet<>();
    for (String line : Files.readAllLines(classes)) {
      if (!line.contains(" source: ")) {
        once.add(line.replaceFirst(" id: [0-9]+$", ""));
      }
    }
    Files.write(classes, once);
    Path made = folder.resolve("classes.new").toAbsolutePath();
    run(
        folder,
        Map.of(),
        List.of(
            java,
            "-Xshare:dump",
            "-Xlog:disable",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:SharedClassListFile=" + classes,
            "-XX:SharedArchiveFile=" + made,
            "-cp",
            classPath));
    Files.move(made, folder.resolve("classes.jsa"), StandardCopyOption.REPLACE_EXISTING);
    delete(sandbox);
  }

  private static void run(Path folder, Map<String, String> environment, List<String> command)
      throws Exception {
    Path log = folder.resolve("archive.log");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
    builder.environment().keySet().removeIf(name -> !name.equals("PATH"));
    builder.environment().putAll(environment);
    Process process = builder.start();
    try {
      if (!process.waitFor(START_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new IOException(command.get(1) + " failed, see " + log);
      }
    } finally {
      process.destroyForcibly();
    }
  }
}
