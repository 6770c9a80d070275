package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "pool",
    description = "Create, change, show and remove pools.",
    subcommands = {
      PoolCommand.Apply.class,
      PoolCommand.ListAll.class,
      PoolCommand.Show.class,
      PoolCommand.Scale.class,
      PoolCommand.Drain.class,
      PoolCommand.Delete.class
    })
final class PoolCommand extends Group {

  private static String path(String pool) {
    return "/v1/pools/" + SchedulerClient.encode(pool);
  }

  @Command(
      name = "apply",
      description = "Create the pool that a pool file describes, or change it if it exists.")
  static final class Apply extends Leaf {
    @Parameters(paramLabel = "FILE", description = "For example conf/pools/code-metrics.conf.")
    private Path file = Path.of("");

    @Option(
        names = "--wait",
        description = "Wait until all its workers run as the file says; exit 1 if they do not.")
    private boolean wait;

    @Option(
        names = "--timeout",
        paramLabel = "SECONDS",
        description = "How long to wait at most (default: ${DEFAULT-VALUE}).")
    private int timeout = 600;

    @Override
    int run() {
      PoolUpload pool = PoolUpload.read(file);
      SchedulerClient scheduler = scheduler();
      for (PoolUpload.Content content : pool.files()) {
        scheduler.upload("/v1/files/" + content.sha256(), content.path());
      }
      JsonNode answer = apply(scheduler, pool);
      String name = answer.path("name").asText();
      if (wait) {
        new Rollout(scheduler, terminal(), name).await(Duration.ofSeconds(timeout));
        return say(answer, "pool " + name + " runs as the file says");
      }
      return say(answer, "pool " + name + " applied; watch it with 'bin/troupe tree --watch'");
    }

    private JsonNode apply(SchedulerClient scheduler, PoolUpload pool) {
      try {
        return scheduler.post("/v1/pools", pool.spec()).json();
      } catch (Failure refused) {
        throw Failure.of(file + ": " + refused.getMessage());
      }
    }
  }

  @Command(name = "list", description = "Show all pools.")
  static final class ListAll extends Leaf {
    @Override
    int run() {
      JsonNode answer = scheduler().get("/v1/pools").json();
      if (json()) {
        terminal().json(answer);
        return 0;
      }
      Table table =
          new Table("POOL", "SIZE", "WANTED", "RUNNING", "QUEUED", "ACTIVE", "SUCCEEDED", "FAILED");
      for (JsonNode pool : answer.isArray() ? answer : answer.path("pools")) {
        table.row(
            pool.path("name").asText(),
            size(pool.path("size")),
            pool.path("wanted").asLong(),
            pool.path("running").asLong(),
            pool.path("queued").asLong(),
            pool.path("active").asLong(),
            pool.path("succeeded").asLong(),
            pool.path("failed").asLong());
      }
      table.print(
          terminal(),
          "no pools; make one with 'bin/troupe pool apply conf/pools/code-metrics.conf'");
      return 0;
    }
  }

  @Command(name = "show", description = "Show one pool.")
  static final class Show extends Leaf {
    @Parameters(paramLabel = "NAME")
    private String name = "";

    @Override
    int run() {
      JsonNode pool = scheduler().get(path(name)).json();
      if (json()) {
        terminal().json(pool);
        return 0;
      }
      List<String> lines = new ArrayList<>();
      lines.add("pool       " + pool.path("name").asText());
      lines.add("size       " + size(pool.path("size")));
      lines.add(
          "workers    " + pool.path("running").asLong() + " of " + pool.path("wanted").asLong());
      lines.add(
          "jobs       %d queued, %d active, %d succeeded, %d failed"
              .formatted(
                  pool.path("queued").asLong(),
                  pool.path("active").asLong(),
                  pool.path("succeeded").asLong(),
                  pool.path("failed").asLong()));
      List<String> causes = new ArrayList<>();
      for (Map.Entry<String, JsonNode> cause : pool.path("causes").properties()) {
        causes.add(cause.getKey() + " " + cause.getValue().asLong());
      }
      if (!causes.isEmpty()) {
        lines.add("causes     " + String.join(", ", causes));
      }
      for (JsonNode worker : pool.path("preparing")) {
        lines.add(
            "preparing  "
                + worker.path("worker").asText()
                + ": "
                + worker.path("message").asText());
      }
      if (pool.path("running").asLong() < pool.path("wanted").asLong()) {
        lines.add("why        bin/troupe explain " + pool.path("name").asText());
      }
      lines.forEach(terminal().out()::println);
      return 0;
    }
  }

  @Command(name = "scale", description = "Give a pool another size.")
  static final class Scale extends Leaf {
    @Parameters(index = "0", paramLabel = "NAME")
    private String name = "";

    @Parameters(index = "1", paramLabel = "N|per-agent", description = "Workers, or all that fit.")
    private String size = "";

    @Override
    int run() {
      ObjectNode body = Terminal.JSON.createObjectNode();
      if (size.equals("per-agent")) {
        body.put("size", size);
      } else if (size.matches("[0-9]{1,6}")) {
        body.put("size", Integer.parseInt(size));
      } else {
        throw Failure.usage("size must be a number or per-agent, not '" + size + "'");
      }
      JsonNode answer = scheduler().post(path(name) + "/scale", body).json();
      return say(
          answer, "pool " + name + " wants " + (size.equals("per-agent") ? "all that fit" : size));
    }
  }

  @Command(
      name = "drain",
      description = "Let a pool's workers finish what they run and leave; the pool stays.")
  static final class Drain extends Leaf {
    @Parameters(paramLabel = "NAME")
    private String name = "";

    @Override
    int run() {
      JsonNode answer = scheduler().post(path(name) + "/drain").json();
      return say(answer, "pool " + name + " drains; apply it again to bring its workers back");
    }
  }

  @Command(name = "delete", description = "Remove a pool and its workers.")
  static final class Delete extends Leaf {
    @Parameters(paramLabel = "NAME")
    private String name = "";

    @Override
    int run() {
      JsonNode answer = scheduler().delete(path(name)).json();
      return say(
          answer.isMissingNode() ? Terminal.JSON.createObjectNode().put("name", name) : answer,
          "pool " + name + " is gone");
    }
  }

  private static String size(JsonNode size) {
    if (size.isObject()) {
      return size.path("min").asText() + ".." + size.path("max").asText();
    }
    return size.asText();
  }
}
