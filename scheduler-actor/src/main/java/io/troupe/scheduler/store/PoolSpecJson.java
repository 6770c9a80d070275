package io.troupe.scheduler.store;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.JobPolicy;
import io.troupe.model.JobPolicy.Limits;
import io.troupe.model.JobPolicy.Retry;
import io.troupe.model.JobPolicy.RetryOn;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSecret;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Requirements;
import io.troupe.model.Resources;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A pool's spec as the store keeps it: plain JSON, so that later versions can read it. Pure. */
final class PoolSpecJson {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private PoolSpecJson() {}

  static JsonNode write(PoolSpec spec) {
    ObjectNode json = NODES.objectNode();
    json.put("name", spec.name());
    json.put("command", spec.command());
    json.put("protocol", spec.protocol().name());
    for (PoolFile file : spec.files()) {
      json.withArray("files")
          .addObject()
          .put("name", file.name())
          .put("sha256", file.sha256())
          .put("form", file.form().name());
    }
    json.putObject("resources")
        .put("cpus", spec.resources().cpus())
        .put("memMb", spec.resources().memMb())
        .put("ports", spec.resources().ports());
    json.set("size", write(spec.size()));
    json.set("job", write(spec.job()));
    ObjectNode env = json.putObject("env");
    spec.env().forEach(env::put);
    json.put("startTimeoutMillis", spec.startTimeout().toMillis());
    Upkeep upkeep = spec.upkeep();
    json.putObject("upkeep")
        .put("memMb", upkeep.memMb())
        .put("files", upkeep.files())
        .put("processes", upkeep.processes())
        .put("coreMb", upkeep.coreMb())
        .put("nice", upkeep.nice())
        .put("recycleJobs", upkeep.recycleJobs())
        .put("recycleAgeMillis", upkeep.recycleAge().toMillis())
        .put("recycleRssMb", upkeep.recycleRssMb())
        .put("heartbeatMillis", upkeep.heartbeat().toMillis());
    json.put("concurrency", spec.serving().concurrency());
    json.put("preload", spec.serving().preload());
    json.putObject("http").put("ready", spec.http().ready()).put("health", spec.http().health());
    Requirements requirements = spec.requirements();
    if (!requirements.isEmpty()) {
      json.putObject("requirements")
          .put("sha256", requirements.sha256())
          .put("python", requirements.python())
          .put("wheels", requirements.wheels())
          .put("timeoutMillis", requirements.timeout().toMillis());
    }
    Container container = spec.container();
    if (!container.isEmpty()) {
      ObjectNode node = json.putObject("container");
      node.put("image", container.image())
          .put("user", container.user())
          .put("network", container.network())
          .put("pullTimeoutMillis", container.pullTimeout().toMillis());
      container.mounts().forEach(node.putArray("mounts")::add);
    }
    for (PoolSecret secret : spec.secrets()) {
      json.withArray("secrets")
          .addObject()
          .put("name", secret.name())
          .put("file", secret.file())
          .put("version", secret.version());
    }
    return json;
  }

  private static JsonNode write(JobPolicy job) {
    ObjectNode json =
        NODES
            .objectNode()
            .put("timeoutMillis", job.timeout().toMillis())
            .put("attempts", job.attempts())
            .put("durability", job.durability().name());
    ObjectNode retry =
        json.putObject("retry")
            .put("firstMillis", job.retry().first().toMillis())
            .put("maxMillis", job.retry().max().toMillis());
    ArrayNode on = retry.putArray("on");
    job.retry().on().stream().sorted().forEach(each -> on.add(each.name()));
    ObjectNode limits =
        json.putObject("limits")
            .put("queued", job.limits().queued())
            .put("concurrency", job.limits().concurrency())
            .put("rate", job.limits().rate())
            .put("keepMillis", job.limits().keep().toMillis());
    ObjectNode weights = limits.putObject("weights");
    job.limits().weights().forEach(weights::put);
    return json;
  }

  private static JsonNode write(PoolSize size) {
    ObjectNode json = NODES.objectNode();
    if (size instanceof PoolSize.Fixed fixed) {
      return json.put("workers", fixed.workers());
    }
    if (size instanceof PoolSize.Range range) {
      return json.put("min", range.min()).put("max", range.max());
    }
    return json.put("perAgent", true);
  }

  static PoolSpec read(JsonNode json) {
    List<PoolFile> files = new ArrayList<>();
    json.path("files")
        .forEach(
            file ->
                files.add(
                    new PoolFile(
                        file.path("name").asText(),
                        file.path("sha256").asText(),
                        PoolFile.Form.valueOf(file.path("form").asText("FILE")))));
    Map<String, String> env = new HashMap<>();
    json.path("env").fields().forEachRemaining(e -> env.put(e.getKey(), e.getValue().asText()));
    JsonNode resources = json.path("resources");
    JsonNode job = json.path("job");
    return new PoolSpec(
        json.path("name").asText(),
        json.path("command").asText(),
        WorkerProtocol.valueOf(json.path("protocol").asText()),
        files,
        new Resources(
            resources.path("cpus").asDouble(),
            resources.path("memMb").asDouble(),
            resources.path("ports").asInt()),
        size(json.path("size")),
        new JobPolicy(
            Duration.ofMillis(job.path("timeoutMillis").asLong()),
            job.path("attempts").asInt(),
            JobPolicy.Durability.valueOf(job.path("durability").asText()),
            retry(job.path("retry")),
            limits(job.path("limits"))),
        env,
        Duration.ofMillis(json.path("startTimeoutMillis").asLong()),
        upkeep(json.path("upkeep")),
        new HttpChecks(
            json.path("http").path("ready").asText(""),
            json.path("http").path("health").asText("")),
        requirements(json.path("requirements")),
        container(json.path("container")),
        secrets(json.path("secrets")),
        new Serving(json.path("concurrency").asInt(1), json.path("preload").asBoolean()));
  }

  private static List<PoolSecret> secrets(JsonNode json) {
    List<PoolSecret> secrets = new ArrayList<>();
    json.forEach(
        secret ->
            secrets.add(
                new PoolSecret(
                    secret.path("name").asText(),
                    secret.path("file").asText(),
                    secret.path("version").asText())));
    return secrets;
  }

  private static Container container(JsonNode json) {
    if (json.isMissingNode()) {
      return Container.NONE;
    }
    List<String> mounts = new ArrayList<>();
    json.path("mounts").forEach(mount -> mounts.add(mount.asText()));
    return new Container(
        json.path("image").asText(),
        json.path("user").asText(),
        json.path("network").asText(),
        mounts,
        Duration.ofMillis(json.path("pullTimeoutMillis").asLong()));
  }

  private static Requirements requirements(JsonNode json) {
    if (json.isMissingNode()) {
      return Requirements.NONE;
    }
    return new Requirements(
        json.path("sha256").asText(),
        json.path("python").asText(),
        json.path("wheels").asText(),
        Duration.ofMillis(json.path("timeoutMillis").asLong()));
  }

  private static Upkeep upkeep(JsonNode json) {
    return new Upkeep(
        json.path("memMb").asDouble(),
        json.path("files").asInt(),
        json.path("processes").asInt(),
        json.path("coreMb").asInt(-1),
        json.path("nice").asInt(),
        json.path("recycleJobs").asLong(),
        Duration.ofMillis(json.path("recycleAgeMillis").asLong()),
        json.path("recycleRssMb").asDouble(),
        Duration.ofMillis(json.path("heartbeatMillis").asLong()));
  }

  private static Retry retry(JsonNode json) {
    if (json.isMissingNode()) {
      return Retry.USUAL;
    }
    Set<RetryOn> on = EnumSet.noneOf(RetryOn.class);
    json.path("on").forEach(each -> on.add(RetryOn.valueOf(each.asText())));
    return new Retry(
        Duration.ofMillis(json.path("firstMillis").asLong()),
        Duration.ofMillis(json.path("maxMillis").asLong()),
        on);
  }

  private static Limits limits(JsonNode json) {
    Map<String, Integer> weights = new HashMap<>();
    json.path("weights")
        .fields()
        .forEachRemaining(each -> weights.put(each.getKey(), each.getValue().asInt()));
    return new Limits(
        json.path("queued").asInt(),
        json.path("concurrency").asInt(),
        json.path("rate").asDouble(),
        Duration.ofMillis(json.path("keepMillis").asLong()),
        weights);
  }

  private static PoolSize size(JsonNode json) {
    if (json.has("workers")) {
      return new PoolSize.Fixed(json.path("workers").asInt());
    }
    if (json.has("min")) {
      return new PoolSize.Range(json.path("min").asInt(), json.path("max").asInt());
    }
    return new PoolSize.PerAgent();
  }
}
