package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * The assembled product with a local cluster in a folder and on ports of its own, used as a user
 * uses it: by its commands. Close it and all of it is gone, or the test fails.
 */
final class Installation implements AutoCloseable {
  static final Path HOME = Path.of(System.getProperty("troupe.home", "target/troupe"));

  private static final Path WORK =
      Path.of(System.getProperty("troupe.work", "target/system-tests"));
  private static final Duration COMMAND = Duration.ofMinutes(3);
  private static final Duration SOON = Duration.ofMinutes(2);
  private static final Duration POLL = Duration.ofMillis(100);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;
  private final List<String> portOptions = new ArrayList<>();
  private final int api;
  private final HttpClient http = HttpClient.newHttpClient();
  private final List<Process> started = new ArrayList<>();

  /**
   * @param name of the test; names the folder
   */
  Installation(String name) throws IOException {
    directory = WORK.resolve(name).toAbsolutePath();
    if (Files.exists(directory)) {
      try (Stream<Path> old = Files.walk(directory)) {
        for (Path path : old.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
    Files.createDirectories(directory);
    List<Integer> ports = freePorts(4);
    api = ports.get(1);
    portOptions.addAll(List.of("--mesos-port", String.valueOf(ports.get(0))));
    portOptions.addAll(List.of("--agent-port", "0"));
    portOptions.addAll(List.of("--api-port", String.valueOf(api)));
    portOptions.addAll(List.of("--management-port", String.valueOf(ports.get(2))));
    portOptions.addAll(List.of("--artery-port", String.valueOf(ports.get(3))));
  }

  /** What a command did. */
  record Done(int exitCode, String out, String err) {
    /** It succeeded. */
    Done well() {
      assertThat(exitCode).as(err + out).isZero();
      return this;
    }

    /** It failed with one line on standard error that says all of this. */
    void oneLine(int code, String... parts) {
      assertThat(err.lines().filter(line -> line.startsWith("troupe"))).as(err).hasSize(1);
      assertThat(err).doesNotContain("\tat ").contains(parts);
      assertThat(exitCode).as(err).isEqualTo(code);
    }

    JsonNode json() {
      try {
        return JSON.readTree(out);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  Path directory() {
    return directory;
  }

  List<String> portOptions() {
    return List.copyOf(portOptions);
  }

  /** The value of a port option. */
  String port(String option) {
    return portOptions.get(portOptions.indexOf(option) + 1);
  }

  int apiPort() {
    return api;
  }

  String url() {
    return "http://127.0.0.1:" + api;
  }

  /** Writes a file into the test's own folder. */
  Path write(String name, String content) throws IOException {
    return Files.writeString(directory.resolve(name), content);
  }

  /** A pool of two workers with live_functions.py beside them, whose functions are the module's. */
  void applyLiveFunctions(String pool, String module) throws IOException {
    String text =
        """
        name = %s
        command = "python3 -m troupe.worker %s"
        files = [ "%s" ]
        resources { cpus = 0.4, mem = 128 MiB }
        size = 2
        """
            .formatted(pool, module, Path.of("src/test/python/live_functions.py").toAbsolutePath());
    troupe("pool", "apply", write(pool + ".conf", text).toString()).well();
  }

  Done troupe(String... arguments) {
    return finish(start("bin/troupe", List.of(arguments)));
  }

  /** {@code bin/troupe local VERB …} with this test's folder. */
  Done local(String verb, String... arguments) {
    List<String> all = new ArrayList<>(List.of("local", verb, "--dir", cluster().toString()));
    all.addAll(List.of(arguments));
    return finish(start("bin/troupe", all));
  }

  /** {@code local up} on this test's ports. */
  Done up(String... arguments) {
    List<String> all = new ArrayList<>(portOptions);
    all.addAll(List.of(arguments));
    return local("up", all.toArray(String[]::new));
  }

  Path cluster() {
    return directory.resolve("cluster");
  }

  /** Starts one of the product's programs without waiting for it. */
  Process start(String program, List<String> arguments) {
    return start(program, arguments, Map.of());
  }

  /** The same with some variables of its environment changed. */
  Process start(String program, List<String> arguments, Map<String, String> environment) {
    List<String> command = new ArrayList<>();
    command.add(HOME.resolve(program).toAbsolutePath().toString());
    command.addAll(arguments);
    return start(command, environment);
  }

  /** Starts a Python program that has the product's package. */
  Process python(Path program, String... arguments) {
    List<String> command = new ArrayList<>(List.of("python3", "-B", program.toString()));
    command.addAll(List.of(arguments));
    return start(command, Map.of("PYTHONPATH", HOME.resolve("python").toAbsolutePath().toString()));
  }

  /** What a program has printed so far. */
  String outputOf(Process process) {
    try {
      return Files.readString(directory.resolve("out-" + started.indexOf(process)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Process start(List<String> command, Map<String, String> environment) {
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectOutput(directory.resolve("out-" + started.size()).toFile())
            .redirectError(directory.resolve("err-" + started.size()).toFile());
    builder.environment().put("TROUPE_URL", url());
    builder.environment().put("CI", "true");
    builder.environment().putAll(environment);
    try {
      Process process = builder.start();
      process.getOutputStream().close();
      started.add(process);
      return process;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits for it and tells what it did. */
  Done finish(Process process) {
    int number = started.indexOf(process);
    try {
      if (!process.waitFor(COMMAND.toSeconds(), TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError("still running after " + COMMAND + ": " + process.info());
      }
      return new Done(
          process.exitValue(),
          Files.readString(directory.resolve("out-" + number)),
          Files.readString(directory.resolve("err-" + number)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** A GET of the API, or of any address. */
  JsonNode get(String address) {
    URI uri = URI.create(address.startsWith("/") ? url() + address : address);
    try {
      return JSON.readTree(
          http.send(
                  HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(30)).build(),
                  HttpResponse.BodyHandlers.ofString())
              .body());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** A POST to the API. */
  HttpResponse<String> post(String path, String body) throws IOException, InterruptedException {
    return http.send(
        HttpRequest.newBuilder(URI.create(url() + path))
            .timeout(Duration.ofSeconds(30))
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  JsonNode status() {
    return local("status", "--json").well().json();
  }

  /** Ids of the agents that are there. */
  List<String> agents() {
    List<String> ids = new ArrayList<>();
    for (JsonNode agent : status().path("agents")) {
      if (agent.path("state").asText().equals("active")) {
        ids.add(agent.path("id").asText());
      }
    }
    return ids;
  }

  /** The workers in the tree that have a process which takes jobs, by pid. */
  Map<Long, JsonNode> workers() {
    Map<Long, JsonNode> workers = new HashMap<>();
    JsonNode all = get("/v1/workers");
    for (JsonNode worker : all) {
      if (worker.path("state").asText().matches("READY|BUSY")) {
        workers.put(worker.path("process").path("pid").asLong(), worker);
      }
    }
    return workers;
  }

  /** Waits until so many workers take jobs and the pool says the same. */
  Map<Long, JsonNode> awaitWorkers(String pool, int count) {
    return await(
        count + " workers of " + pool,
        () -> {
          Map<Long, JsonNode> workers = workers();
          return workers.size() == count
                  && get("/v1/pools/" + pool).path("running").asInt() == count
              ? Optional.of(workers)
              : Optional.empty();
        });
  }

  /** Waits for something that must come. */
  <T> T await(String what, Supplier<Optional<T>> look) {
    long end = System.nanoTime() + SOON.toNanos();
    while (System.nanoTime() < end) {
      Optional<T> found = look.get();
      if (found.isPresent()) {
        return found.get();
      }
      pause();
    }
    throw new AssertionError(
        "waited too long for " + what + "; " + troupe("tree").out() + troupe("pool", "list").out());
  }

  private static void pause() {
    try {
      Thread.sleep(POLL.toMillis());
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** All processes of this cluster: every one has its folder in its environment. */
  List<ProcessHandle> processes() {
    return ProcessHandle.allProcesses()
        .filter(
            process -> {
              try {
                String environment =
                    Files.readString(
                        Path.of("/proc/" + process.pid() + "/environ"),
                        StandardCharsets.ISO_8859_1);
                return environment.contains("TROUPE_LOCAL=" + cluster() + "\0");
              } catch (IOException goneOrNotOurs) {
                return false;
              }
            })
        .toList();
  }

  /** The arguments of a process, blanks between them. */
  static String commandLine(ProcessHandle process) {
    try {
      return Files.readString(
              Path.of("/proc/" + process.pid() + "/cmdline"), StandardCharsets.ISO_8859_1)
          .replace('\0', ' ');
    } catch (IOException gone) {
      return "";
    }
  }

  /** SIGKILL. */
  static void kill(long pid) {
    ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
  }

  /** Stops everything and fails if anything is left. */
  @Override
  public void close() {
    for (Process process : started) {
      process.destroyForcibly();
    }
    Done down = local("down");
    List<ProcessHandle> left = processes();
    left.forEach(ProcessHandle::destroyForcibly);
    assertThat(left.stream().map(Installation::commandLine)).as("left running").isEmpty();
    assertThat(down.exitCode()).as(down.err()).isZero();
    assertThat(down.out()).isEqualTo("nothing runs any more\n");
  }

  private static List<Integer> freePorts(int count) throws IOException {
    List<ServerSocket> sockets = new ArrayList<>();
    try {
      List<Integer> ports = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        sockets.add(socket);
        ports.add(socket.getLocalPort());
      }
      return ports;
    } finally {
      for (ServerSocket socket : sockets) {
        socket.close();
      }
    }
  }
}
