package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import picocli.CommandLine.Command;

@Command(name = "doctor", description = "Check what Troupe needs, one line for each thing.")
final class DoctorCommand extends Leaf {
  private static final int PYTHON_SECONDS = 10;

  private record Finding(String what, boolean good, String detail) {}

  private final List<Finding> findings = new ArrayList<>();

  @Override
  int run() {
    check("java", DoctorCommand::java);
    check("python3", DoctorCommand::python);
    check("scheduler", () -> info().path("version").asText("here") + " at " + troupe().url());
    if (findings.get(findings.size() - 1).good()) {
      check("mesos", this::mesos);
      check("management", this::management);
      check("agents", this::agents);
      check("pools", this::pools);
    }
    return report();
  }

  private void check(String what, Supplier<String> look) {
    try {
      findings.add(new Finding(what, true, look.get()));
    } catch (Failure failure) {
      findings.add(new Finding(what, false, String.valueOf(failure.getMessage())));
    }
  }

  private static String java() {
    int feature = Runtime.version().feature();
    if (feature < 17) {
      throw Failure.of("Java " + feature + " is too old: install a JDK of 17 or later");
    }
    return Runtime.version().toString();
  }

  private static String python() {
    String version;
    try {
      Process process = new ProcessBuilder("python3", "-V").redirectErrorStream(true).start();
      if (!process.waitFor(PYTHON_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw Failure.of("python3 -V does not answer: is python3 on the PATH a working Python?");
      }
      version = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      throw Failure.of("there is no python3 on the PATH: install Python 3.9 or later");
    } catch (InterruptedException e) {
      throw Failure.of("interrupted");
    }
    if (!version.matches("Python (3\\.(9|[1-9][0-9])|[4-9]).*")) {
      throw Failure.of("python3 is " + version + ": put Python 3.9 or later on the PATH");
    }
    return version;
  }

  private JsonNode info() {
    return scheduler().get("/v1/info").json();
  }

  private String mesos() {
    JsonNode framework = info().path("framework");
    String state = framework.path("state").asText("?");
    if (state.equals("REMOVED")) {
      throw Failure.of("the framework was torn down: start the scheduler again to get a new one");
    }
    if (!state.equals("SUBSCRIBED")) {
      throw Failure.of(
          "the scheduler is %s at %s: is the master up? 'bin/troupe local up' starts a local one"
              .formatted(state, framework.path("master").asText("its master")));
    }
    return "framework "
        + framework.path("id").asText()
        + " at "
        + framework.path("master").asText();
  }

  private String management() {
    Management management = Management.of(scheduler());
    return management.tree().path("nodes").size() + " nodes at " + management.url() + "/troupe/";
  }

  private String agents() {
    JsonNode agents = scheduler().get("/v1/agents").json();
    int count = 0;
    for (JsonNode agent : agents.isArray() ? agents : agents.path("agents")) {
      count += agent.path("lost").asBoolean() ? 0 : 1;
    }
    if (count == 0 && scheduler().get("/v1/pools").json().isEmpty()) {
      return "none asked for: there is no pool";
    }
    if (count == 0) {
      throw Failure.of("none seen yet: add one with 'bin/troupe local add-agent'");
    }
    return count + " known";
  }

  private String pools() {
    JsonNode pools = scheduler().get("/v1/pools").json();
    List<String> small = new ArrayList<>();
    JsonNode all = pools.isArray() ? pools : pools.path("pools");
    for (JsonNode pool : all) {
      if (pool.path("running").asLong() < pool.path("wanted").asLong()) {
        small.add(pool.path("name").asText());
      }
    }
    if (!small.isEmpty()) {
      throw Failure.of(
          "%s smaller than wanted: see 'bin/troupe explain %s'"
              .formatted(String.join(", ", small), small.get(0)));
    }
    return all.size() + ", all of the size they want";
  }

  private int report() {
    boolean good = true;
    ObjectNode answer = Terminal.JSON.createObjectNode();
    ArrayNode checks = answer.putArray("checks");
    for (Finding finding : findings) {
      good &= finding.good();
      checks
          .addObject()
          .put("what", finding.what())
          .put("ok", finding.good())
          .put("detail", finding.detail());
      if (!json()) {
        Terminal terminal = terminal();
        String mark = finding.good() ? terminal.green("ok  ") : terminal.red("BAD ");
        terminal.out().println(mark + "%-11s %s".formatted(finding.what(), finding.detail()));
      }
    }
    if (json()) {
      terminal().json(answer.put("ok", good));
    }
    return good ? 0 : 1;
  }
}
