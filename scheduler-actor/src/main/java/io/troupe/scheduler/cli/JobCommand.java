package io.troupe.scheduler.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "job",
    description = "Send jobs, get results, see and steer what runs.",
    subcommands = {
      JobCommand.Run.class,
      JobCommand.Submit.class,
      JobCommand.MapLines.class,
      JobCommand.Status.class,
      JobCommand.Result.class,
      JobCommand.Cancel.class,
      JobCommand.Retry.class,
      JobCommand.ListAll.class
    })
final class JobCommand extends Group {
  private static final Duration SLICE = Duration.ofSeconds(5);
  private static final Duration NO_WORKERS = Duration.ofSeconds(30);

  /** What a new job is. */
  static final class NewJob {
    @Parameters(index = "0", paramLabel = "POOL")
    private String pool = "";

    @Parameters(index = "1", paramLabel = "FUNCTION", description = "A function of its module.")
    private String function = "";

    @Parameters(
        index = "2",
        arity = "0..1",
        paramLabel = "JSON",
        description =
            "The argument, for example '\"a string\"' or 42; - reads it from standard input.")
    private @Nullable String json;

    @Option(names = "--bytes", paramLabel = "FILE", description = "The argument is FILE's bytes.")
    private @Nullable Path bytes;

    @Option(
        names = "--id",
        paramLabel = "KEY",
        description = "Your own id: sent twice, it is one job.")
    private @Nullable String id;

    @Option(names = "--timeout", paramLabel = "TIME", description = "Of one attempt, such as 60s.")
    private @Nullable String timeout;

    @Option(names = "--attempts", paramLabel = "N", description = "How many attempts may start.")
    private @Nullable Integer attempts;

    @Option(names = "--priority", paramLabel = "N", description = "Higher goes first.")
    private @Nullable Integer priority;

    private byte[] payload() {
      if (bytes != null) {
        if (json != null) {
          throw Failure.usage("give the argument as JSON or with --bytes, not both");
        }
        try {
          return Files.readAllBytes(bytes);
        } catch (IOException e) {
          throw Failure.of("cannot read " + bytes + ": name a file that is there");
        }
      }
      String text = json == null ? "null" : json.equals("-") ? standardInput() : json;
      try {
        Terminal.JSON.reader(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).readTree(text);
      } catch (JsonProcessingException e) {
        throw Failure.usage(
            "the argument is not JSON: "
                + SchedulerClient.firstLine(text)
                + " (a string needs its own quotes: '\"text\"')");
      }
      return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String standardInput() {
      try {
        return new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
      } catch (IOException e) {
        throw Failure.of("cannot read standard input: " + e.getMessage());
      }
    }

    private SchedulerClient.Reply submit(SchedulerClient scheduler, @Nullable Duration wait) {
      StringBuilder path = new StringBuilder("/v1/pools/").append(SchedulerClient.encode(pool));
      path.append("/jobs?function=").append(SchedulerClient.encode(function));
      append(path, "wait", wait == null ? null : wait.toSeconds() + "s");
      append(path, "id", id);
      append(path, "timeout", timeout);
      append(path, "attempts", attempts);
      append(path, "priority", priority);
      return scheduler.post(
          path.toString(),
          payload(),
          bytes == null ? "application/json" : "application/octet-stream",
          SchedulerClient.SOON.plus(wait == null ? Duration.ZERO : wait));
    }

    private static void append(StringBuilder path, String name, @Nullable Object value) {
      if (value != null) {
        path.append('&').append(name).append('=').append(SchedulerClient.encode(value.toString()));
      }
    }
  }

  @Command(name = "run", description = "Run one job and print its result.")
  static final class Run extends Leaf {
    @Mixin private NewJob job = new NewJob();

    @Override
    int run() {
      SchedulerClient scheduler = scheduler();
      StallCheck stall = new StallCheck(scheduler, job.pool, NO_WORKERS);
      SchedulerClient.Reply reply = job.submit(scheduler, SLICE);
      if (reply.status() == 202) {
        String id = reply.json().path("id").asText();
        while (reply.status() == 202) {
          stall.check();
          reply = waitFor(scheduler, id, SLICE);
        }
      }
      print(terminal(), reply);
      return 0;
    }
  }

  @Command(name = "submit", description = "Send one job and print its id.")
  static final class Submit extends Leaf {
    @Mixin private NewJob job = new NewJob();

    @Override
    int run() {
      JsonNode answer = job.submit(scheduler(), null).json();
      return say(answer, answer.path("id").asText());
    }
  }

  @Command(
      name = "map",
      description = {
        "Run one job for each line of JSON and print a line for each, in the order they end:",
        "{\"index\":…,\"id\":…,\"result\":…} or {\"index\":…,\"id\":…,\"error\":…}."
      })
  static final class MapLines extends Leaf {
    @Parameters(index = "0", paramLabel = "POOL")
    private String pool = "";

    @Parameters(index = "1", paramLabel = "FUNCTION", description = "A function of its module.")
    private String function = "";

    @Option(
        names = "--input",
        required = true,
        paramLabel = "FILE",
        description = "One JSON value a line; - is standard input.")
    private String input = "";

    @Option(
        names = "--output",
        paramLabel = "FILE",
        description = "Where the results go (default: standard output).")
    private @Nullable Path output;

    @Override
    int run() {
      return new MapRun(scheduler(), terminal(), pool, function)
          .run(input.equals("-") ? null : Path.of(input), output);
    }
  }

  @Command(name = "status", description = "Show what has become of a job.")
  static final class Status extends Leaf {
    @Parameters(paramLabel = "ID")
    private String id = "";

    @Override
    int run() {
      JsonNode job = scheduler().get(path(id)).json();
      if (json()) {
        terminal().json(job);
        return 0;
      }
      Terminal terminal = terminal();
      terminal.out().println("job        " + job.path("id").asText());
      terminal.out().println("state      " + job.path("state").asText());
      terminal.out().println("pool       " + job.path("pool").asText());
      terminal.out().println("function   " + job.path("function").asText());
      terminal
          .out()
          .println(
              "attempt    " + job.path("attempt").asInt() + " of " + job.path("attempts").asInt());
      for (String time : new String[] {"submittedAt", "startedAt", "endedAt"}) {
        if (job.hasNonNull(time)) {
          String name = time.substring(0, time.length() - 2);
          terminal.out().println("%-10s %s".formatted(name, instant(job.path(time))));
        }
      }
      if (job.hasNonNull("worker")) {
        terminal.out().println("worker     " + job.path("worker").asText());
      }
      if (job.hasNonNull("progress")) {
        terminal.out().println("progress   " + TreeText.progress(job.path("progress")));
      }
      if (job.hasNonNull("cause")) {
        terminal.out().println("cause      " + Causes.line(job.path("cause")));
        for (String line : Causes.lastOutput(job.path("cause"))) {
          terminal.out().println("           | " + line);
        }
      }
      return 0;
    }
  }

  @Command(name = "result", description = "Print the result of a job that has ended.")
  static final class Result extends Leaf {
    @Parameters(paramLabel = "ID")
    private String id = "";

    @Option(
        names = "--wait",
        paramLabel = "SECONDS",
        defaultValue = "0",
        description = "Wait so long for it to end (default: ${DEFAULT-VALUE}).")
    private int seconds;

    @Override
    int run() {
      SchedulerClient scheduler = scheduler();
      Instant deadline = Instant.now().plusSeconds(seconds);
      while (true) {
        long left = Math.max(0, Duration.between(Instant.now(), deadline).toSeconds());
        SchedulerClient.Reply reply =
            waitFor(scheduler, id, Duration.ofSeconds(Math.min(left, SLICE.toSeconds())));
        if (reply.status() != 202) {
          print(terminal(), reply);
          return 0;
        }
        if (left == 0) {
          throw Failure.of(
              "job %s has not ended: wait for it with --wait SECONDS, or see 'bin/troupe job status %s'"
                  .formatted(id, id));
        }
      }
    }
  }

  @Command(name = "cancel", description = "Cancel a job.")
  static final class Cancel extends Leaf {
    @Parameters(paramLabel = "ID")
    private String id = "";

    @Override
    int run() {
      JsonNode answer = scheduler().delete(path(id)).json();
      return say(answer, "job " + id + ": " + answer.path("state").asText("cancelled"));
    }
  }

  @Command(name = "retry", description = "Run a job that failed, died or was cancelled once more.")
  static final class Retry extends Leaf {
    @Parameters(paramLabel = "ID")
    private String id = "";

    @Override
    int run() {
      JsonNode answer = scheduler().post(path(id) + "/retry").json();
      return say(answer, "job " + id + ": " + answer.path("state").asText("QUEUED"));
    }
  }

  @Command(name = "list", description = "Show jobs, newest first.")
  static final class ListAll extends Leaf {
    @Option(names = "--pool", paramLabel = "NAME", description = "Only of this pool.")
    private @Nullable String pool;

    @Option(names = "--state", paramLabel = "STATE", description = "Only in this state, e.g. DEAD.")
    private @Nullable String state;

    @Option(
        names = "--limit",
        paramLabel = "N",
        defaultValue = "50",
        description = "At most so many (default: ${DEFAULT-VALUE}).")
    private int limit;

    @Override
    int run() {
      StringBuilder path = new StringBuilder("/v1/jobs?limit=").append(limit);
      NewJob.append(path, "pool", pool);
      NewJob.append(path, "state", state);
      JsonNode answer = scheduler().get(path.toString()).json();
      if (json()) {
        terminal().json(answer);
        return 0;
      }
      Table table = new Table("JOB", "POOL", "FUNCTION", "STATE", "ATTEMPT", "WORKER", "CAUSE");
      for (JsonNode job : answer.isArray() ? answer : answer.path("jobs")) {
        table.row(
            job.path("id").asText(),
            job.path("pool").asText(),
            job.path("function").asText(),
            job.path("state").asText(),
            job.path("attempt").asInt(),
            job.path("worker").asText("-"),
            job.hasNonNull("cause") ? Causes.line(job.path("cause")) : "");
      }
      table.print(terminal(), "no jobs");
      return 0;
    }
  }

  private static String path(String id) {
    return "/v1/jobs/" + SchedulerClient.encode(id);
  }

  private static SchedulerClient.Reply waitFor(
      SchedulerClient scheduler, String id, Duration wait) {
    return scheduler.get(
        path(id) + "/result" + (wait.isZero() ? "" : "?wait=" + wait.toSeconds() + "s"),
        SchedulerClient.SOON.plus(wait));
  }

  private static void print(Terminal terminal, SchedulerClient.Reply reply) {
    reply.writeTo(terminal.out());
    if (reply.isJson()) {
      terminal.out().println();
    }
    terminal.out().flush();
  }

  private static String instant(JsonNode time) {
    return time.isNumber() ? Instant.ofEpochMilli(time.asLong()).toString() : time.asText();
  }
}
