package io.troupe.scheduler.pool;

import io.troupe.model.PoolSecret;
import io.troupe.model.PoolSpec;
import io.troupe.model.Serving;
import io.troupe.model.Sha256;
import io.troupe.protocol.TaskData;
import io.troupe.scheduler.offers.Amount;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The executors of one pool, as long as the pool's content stays as it is. Another content has
 * another id, so that executors of both can run on one agent while the one replaces the other.
 *
 * @param id {@code <pool>-<12 hexadecimal digits of the hash of the content>}; that of an executor
 *     has a number behind it
 * @param command the shell command that starts it
 * @param bundle to be fetched and unpacked; empty where Troupe is installed on the agents
 * @param files to be fetched as they are
 * @param shutdownGrace how long it may take to end its workers when told to end
 * @param container that the agent runs it in; empty where it is a plain process
 */
public record ExecutorPlan(
    String id,
    String pool,
    String command,
    List<Fetched> bundle,
    List<Fetched> files,
    Amount amount,
    Duration shutdownGrace,
    Optional<ExecutorContainer> container) {

  public ExecutorPlan {
    bundle = List.copyOf(bundle);
    files = List.copyOf(files);
  }

  /** A file by its content, and the name it gets in the sandbox. */
  public record Fetched(String sha256, String outputFile) {}

  /**
   * The id of a new executor. Each has its own, as an agent drops what is launched into one that
   * ends, and the master refuses another one of the same id.
   *
   * @param launch a number that is never used twice
   */
  String executorId(long launch) {
    return id + "." + launch;
  }

  /** Whether an executor of this id is of this plan. */
  boolean owns(String executorId) {
    return (executorId + ".").startsWith(id + ".");
  }

  /** The plan for a pool. Size and job policy of the pool make no difference to it. */
  public static ExecutorPlan of(PoolSpec spec, ExecutorSettings settings) {
    List<Fetched> bundle =
        settings.bundle().isEmpty()
            ? List.of()
            : List.of(new Fetched(settings.bundle(), "troupe.tar.gz"));
    String content =
        String.join(
            "\n",
            "files from the agent's cache",
            settings.command(),
            settings.bundle(),
            settings.amount().toString(),
            settings.shutdownGrace().toString(),
            spec.command(),
            spec.protocol().name(),
            spec.files().toString(),
            spec.resources().toString(),
            new TreeMap<>(spec.env()).toString(),
            spec.upkeep().toString(),
            spec.http().toString(),
            spec.requirements().toString());
    // Only what is there, so that the ids of pools without it stay what they were.
    if (settings.container().isPresent()) {
      content += "\n" + settings.container().get().content();
    }
    if (!spec.container().isEmpty()) {
      content += "\n" + spec.container();
    }
    for (PoolSecret secret : spec.secrets()) {
      content += "\n" + secret.name() + " " + secret.version();
    }
    if (!spec.serving().equals(Serving.ONE_AT_A_TIME)) {
      content += "\n" + spec.serving();
    }
    List<Fetched> files = new ArrayList<>();
    spec.files().forEach(file -> files.add(new Fetched(file.sha256(), file.fetchedAs())));
    if (!spec.requirements().isEmpty()) {
      files.add(new Fetched(spec.requirements().sha256(), TaskData.REQUIREMENTS));
    }
    return new ExecutorPlan(
        spec.name() + "-" + Sha256.of(content.getBytes(StandardCharsets.UTF_8)).substring(0, 12),
        spec.name(),
        settings.command(),
        bundle,
        files,
        settings.amount(),
        settings.shutdownGrace(),
        settings.container());
  }
}
