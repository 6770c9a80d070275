package io.troupe.scheduler.watch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.troupe.model.Cause;
import io.troupe.model.PoolSize;
import io.troupe.model.Raised;
import io.troupe.protocol.WorkerStatus;
import io.troupe.scheduler.jobs.JobView;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** How what is watched looks as JSON. Times are ISO 8601, sizes bytes. */
public final class TreeJson {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private TreeJson() {}

  /** A worker with its process. */
  public static ObjectNode worker(WorkerStatus worker) {
    ObjectNode node = NODES.objectNode();
    node.put("id", worker.id());
    node.put("taskId", worker.taskId());
    node.put("state", worker.state().name());
    node.put("restarts", worker.restarts());
    if (worker.job() != null) {
      node.put("job", worker.job());
    }
    if (worker.progress() != null) {
      node.set("progress", progress(worker.progress()));
    }
    if (worker.running().size() > 1) {
      ArrayNode running = node.putArray("running");
      for (WorkerStatus.Running each : worker.running()) {
        ObjectNode job = running.addObject().put("job", each.job());
        if (each.progress() != null) {
          job.set("progress", progress(each.progress()));
        }
      }
    }
    node.put("jobs", worker.jobs());
    Cause cause = worker.cause();
    if (cause != null) {
      node.set("cause", cause(cause));
    }
    WorkerStatus.ProcessStatus process = worker.process();
    if (process != null) {
      node.putObject("process")
          .put("pid", process.pid())
          .put("rss", process.rss())
          .put("cpuPercent", Math.round(process.cpuPercent() * 10) / 10.0)
          .put("startedAt", time(process.startedAt()))
          .put("command", process.command());
    }
    return node;
  }

  /** How far a job is. */
  public static ObjectNode progress(WorkerStatus.Progress progress) {
    ObjectNode node = NODES.objectNode();
    if (progress.fraction() != null) {
      node.put("fraction", progress.fraction());
    }
    return node.put("message", progress.message());
  }

  /** A job; what has not been yet is null. */
  public static ObjectNode job(JobView job) {
    ObjectNode node = NODES.objectNode();
    node.put("id", job.id());
    node.put("pool", job.pool());
    node.put("function", job.function());
    node.put("state", job.state().name());
    node.put("attempt", job.attempt());
    node.put("attempts", job.attempts());
    node.put("submittedAt", time(job.submittedAt()));
    node.put("startedAt", time(job.startedAt()));
    node.put("endedAt", time(job.endedAt()));
    node.put("worker", job.worker().isEmpty() ? null : job.worker());
    Cause cause = job.cause();
    if (cause != null) {
      node.set("cause", cause(cause));
    }
    return node;
  }

  /** A cause. */
  public static ObjectNode cause(Cause cause) {
    ObjectNode node = NODES.objectNode();
    node.put("kind", cause.kind().name());
    node.put("message", cause.message());
    if (cause.exitCode() != null) {
      node.put("exitCode", cause.exitCode());
    }
    if (cause.signal() != null) {
      node.put("signal", cause.signal());
    }
    ArrayNode lines = node.putArray("lastOutput");
    cause.lastOutput().forEach(lines::add);
    if (cause.raised() != null) {
      node.set("error", raised(cause.raised()));
    }
    return node;
  }

  private static ObjectNode raised(Raised raised) {
    ObjectNode node = NODES.objectNode();
    node.put("type", raised.type());
    node.put("module", raised.module());
    node.put("message", raised.message());
    if (!raised.args().isEmpty()) {
      node.putRawValue("args", new RawValue(raised.args()));
    }
    return node;
  }

  /** A pool's size as pool files have it. */
  public static JsonNode size(PoolSize size) {
    if (size instanceof PoolSize.Fixed fixed) {
      return NODES.numberNode(fixed.workers());
    }
    if (size instanceof PoolSize.Range range) {
      return NODES.objectNode().put("min", range.min()).put("max", range.max());
    }
    return NODES.textNode("per-agent");
  }

  /** Milliseconds since 1970 as text; null for 0, which stands for never. */
  public static @Nullable String time(long millis) {
    return millis == 0 ? null : Instant.ofEpochMilli(millis).toString();
  }

  static String text(JsonNode node) {
    try {
      return MAPPER.writeValueAsString(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("A JSON tree could not be written", e);
    }
  }
}
