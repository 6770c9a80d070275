package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The actor tree, as the management port of a scheduler node serves it. */
final class Management {
  private final SchedulerClient scheduler;
  private final String url;

  private Management(SchedulerClient scheduler, String url) {
    this.scheduler = scheduler;
    this.url = url;
  }

  /** Asks the scheduler where its management port is. */
  static Management of(SchedulerClient scheduler) {
    String url = scheduler.get("/v1/info").json().path("management").asText();
    if (url.isEmpty()) {
      throw Failure.of("the scheduler at " + scheduler.url() + " does not say where its tree is");
    }
    return new Management(scheduler, url);
  }

  String url() {
    return url;
  }

  JsonNode tree() {
    return scheduler.fetch(url + "/troupe/tree").json();
  }

  /** A worker as the scheduler saw it last, with its last lines; empty when it knows none such. */
  Optional<JsonNode> lastWords(String worker) {
    try {
      String path = url + "/troupe/workers/" + SchedulerClient.encode(worker);
      return Optional.of(scheduler.fetch(path).json());
    } catch (Failure unknown) {
      return Optional.empty();
    }
  }

  /** All supervisors' nodes in the tree. */
  static List<JsonNode> supervisors(JsonNode tree) {
    List<JsonNode> supervisors = new ArrayList<>();
    for (JsonNode node : tree.path("nodes")) {
      if (node.path("role").asText().equals("supervisor")) {
        supervisors.add(node);
      }
    }
    return supervisors;
  }

  /**
   * A supervisor's worker records: the node's own, or those of the actors under it, so that both
   * shapes of the tree are understood.
   */
  static List<JsonNode> workers(JsonNode supervisor) {
    List<JsonNode> workers = new ArrayList<>();
    supervisor.path("workers").forEach(workers::add);
    for (JsonNode actor : supervisor.path("actors")) {
      actor.path("workers").forEach(workers::add);
    }
    return workers;
  }

  /** A field of the supervisor's node, or of an actor under it. */
  static JsonNode field(JsonNode node, String name) {
    if (node.has(name)) {
      return node.path(name);
    }
    for (JsonNode actor : node.path("actors")) {
      if (actor.has(name)) {
        return actor.path(name);
      }
    }
    return node.path(name);
  }

  /**
   * Calls back whenever the tree has changed, with the name and the data of the event; returns when
   * the scheduler ends the stream.
   */
  void follow(Event event) {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                scheduler.stream(url + "/troupe/tree/stream"), StandardCharsets.UTF_8))) {
      String name = "";
      StringBuilder data = new StringBuilder();
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("event:")) {
          name = line.substring("event:".length()).strip();
        } else if (line.startsWith("data:")) {
          data.append(line.substring("data:".length()).strip());
        } else if (line.isEmpty() && data.length() > 0) {
          event.on(name, data.toString());
          data.setLength(0);
        }
      }
    } catch (IOException e) {
      throw Failure.of(
          "the scheduler at " + scheduler.url() + " went away: watch again when it is back");
    }
  }

  /** One event of the stream. */
  interface Event {
    void on(String name, String data);
  }
}
