package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/**
 * What {@code local up} has started, as it is kept in the cluster's folder.
 *
 * @param mesos the embedded master and agents; empty when they were not started
 * @param scheduler empty when it was not started
 * @param ports where they listen
 * @param settings the scheduler's configuration file; empty for that of the distribution
 */
record LocalState(
    Optional<LocalProcess> mesos,
    Optional<LocalProcess> scheduler,
    Ports ports,
    Optional<Path> settings) {
  private static final String FILE = "local.json";

  /** The ports of a local cluster, all on 127.0.0.1. */
  record Ports(int mesos, int agent, int api, int management, int artery) {
    static final Ports DEFAULT = new Ports(5050, 5051, 7070, 8558, 25520);

    String mesosUrl() {
      return "http://127.0.0.1:" + mesos;
    }

    String apiUrl() {
      return "http://127.0.0.1:" + api;
    }

    String managementUrl() {
      return "http://127.0.0.1:" + management;
    }
  }

  static final LocalState NOTHING =
      new LocalState(Optional.empty(), Optional.empty(), Ports.DEFAULT, Optional.empty());

  LocalState withMesos(Optional<LocalProcess> process) {
    return new LocalState(process, scheduler, ports, settings);
  }

  LocalState withScheduler(Optional<LocalProcess> process) {
    return new LocalState(mesos, process, ports, settings);
  }

  LocalState withPorts(Ports others) {
    return new LocalState(mesos, scheduler, others, settings);
  }

  LocalState withSettings(Optional<Path> file) {
    return new LocalState(mesos, scheduler, ports, file);
  }

  /** The same without the processes that have ended. */
  LocalState living() {
    return new LocalState(
        mesos.filter(LocalProcess::alive), scheduler.filter(LocalProcess::alive), ports, settings);
  }

  static Optional<LocalState> read(Path directory) {
    Path file = directory.resolve(FILE);
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      JsonNode json = Terminal.JSON.readTree(Files.readAllBytes(file));
      JsonNode ports = json.path("ports");
      return Optional.of(
          new LocalState(
              process(json.path("mesos")),
              process(json.path("scheduler")),
              new Ports(
                  ports.path("mesos").asInt(),
                  ports.path("agent").asInt(),
                  ports.path("api").asInt(),
                  ports.path("management").asInt(),
                  ports.path("artery").asInt()),
              Optional.ofNullable(json.path("settings").textValue()).map(Path::of)));
    } catch (IOException e) {
      throw Failure.of("cannot read " + file + ": remove it if nothing runs any more");
    }
  }

  void write(Path directory) {
    ObjectNode json = Terminal.JSON.createObjectNode();
    mesos.ifPresent(process -> put(json.putObject("mesos"), process));
    scheduler.ifPresent(process -> put(json.putObject("scheduler"), process));
    json.putObject("ports")
        .put("mesos", ports.mesos())
        .put("agent", ports.agent())
        .put("api", ports.api())
        .put("management", ports.management())
        .put("artery", ports.artery());
    settings.ifPresent(file -> json.put("settings", file.toString()));
    try {
      Path next = directory.resolve(FILE + ".new");
      Files.write(next, Terminal.JSON.writeValueAsBytes(json));
      Files.move(next, directory.resolve(FILE), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw Failure.of("cannot write into " + directory + ": " + e.getMessage());
    }
  }

  static void forget(Path directory) {
    try {
      Files.deleteIfExists(directory.resolve(FILE));
    } catch (IOException e) {
      throw Failure.of("cannot write into " + directory + ": " + e.getMessage());
    }
  }

  private static Optional<LocalProcess> process(JsonNode json) {
    return json.isObject()
        ? Optional.of(new LocalProcess(json.path("pid").asLong(), json.path("start").asLong()))
        : Optional.empty();
  }

  private static void put(ObjectNode json, LocalProcess process) {
    json.put("pid", process.pid()).put("start", process.start());
  }
}
