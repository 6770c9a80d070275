package io.troupe.scheduler.pool;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigMemorySize;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.JobPolicy;
import io.troupe.model.JobPolicy.Durability;
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
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Reads a pool as it comes over the wire: HOCON or JSON, with its files named by their content.
 * Strict: what it does not know it refuses, and says what was probably meant. Pure.
 */
public final class PoolSpecReader {
  private static final Set<String> KEYS =
      Set.of(
          "name",
          "command",
          "protocol",
          "files",
          "resources",
          "size",
          "job",
          "env",
          "start-timeout",
          "limits",
          "recycle",
          "http",
          "requirements",
          "image",
          "container",
          "secrets",
          "concurrency",
          "preload");
  private static final Set<String> RESOURCE_KEYS = Set.of("cpus", "mem", "ports");
  private static final Set<String> SIZE_KEYS = Set.of("min", "max");
  private static final Set<String> HTTP_KEYS = Set.of("ready", "health");
  private static final Set<String> JOB_KEYS =
      Set.of(
          "timeout", "attempts", "durability", "heartbeat", "retry", "limits", "weights", "keep");
  private static final Set<String> LIMIT_KEYS = Set.of("mem", "files", "processes", "core", "nice");
  private static final Set<String> RECYCLE_KEYS = Set.of("jobs", "age", "rss");
  private static final Set<String> RETRY_KEYS = Set.of("first", "max", "on");
  private static final Set<String> JOB_LIMIT_KEYS = Set.of("queued", "concurrency", "rate");
  private static final Set<String> REQUIREMENT_KEYS =
      Set.of("sha256", "python", "wheels", "timeout");
  private static final Set<String> CONTAINER_KEYS =
      Set.of("user", "network", "mounts", "pull-timeout");
  private static final Set<String> FILE_KEYS = Set.of("name", "sha256", "form");

  private static final Pattern NAME = Pattern.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
  private static final Pattern FILE_NAME = Pattern.compile("[^/\\\\\\p{Cntrl}]{1,200}");
  private static final Pattern SHA_256 = Pattern.compile("[0-9a-f]{64}");
  private static final Pattern VARIABLE = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");

  private static final int MOST_NICE = 19;
  private static final double LEAST_CPUS = 0.01;
  private static final long LEAST_MEM_BYTES = 16L << 20;

  private PoolSpecReader() {}

  /** A text that is no pool; the message is one line that says what is wrong and what to do. */
  public static final class InvalidPoolException extends IllegalArgumentException {
    InvalidPoolException(String message) {
      super(message);
    }
  }

  /**
   * Reads one pool.
   *
   * @throws InvalidPoolException when the text is not one
   */
  public static PoolSpec read(String text) {
    Config config = parse(text);
    try {
      return read(config);
    } catch (ConfigException.Missing e) {
      throw new InvalidPoolException(oneLine(e));
    } catch (ConfigException e) {
      throw new InvalidPoolException(oneLine(e));
    } catch (InvalidPoolException e) {
      throw e;
    } catch (IllegalArgumentException e) {
      throw new InvalidPoolException(String.valueOf(e.getMessage()));
    }
  }

  private static Config parse(String text) {
    try {
      return ConfigFactory.parseString(text).resolve();
    } catch (ConfigException.UnresolvedSubstitution e) {
      throw new InvalidPoolException(
          "the pool refers to something that it does not define: " + oneLine(e));
    } catch (ConfigException e) {
      throw new InvalidPoolException("the pool is neither HOCON nor JSON: " + oneLine(e));
    }
  }

  /** The library's messages name the origin first ("String: 3: …"), which says nothing here. */
  private static String oneLine(ConfigException e) {
    String message = String.valueOf(e.getMessage()).replaceAll("\\s+", " ");
    return message.replaceAll("\\bString: (\\d+)\\b", "line $1").replaceAll("merge of .*? : ", "");
  }

  private static PoolSpec read(Config pool) {
    known("", pool.root(), KEYS);
    String name = required(pool, "name");
    if (!NAME.matcher(name).matches()) {
      throw new InvalidPoolException(
          "name must be 1 to 63 lower-case letters, digits and dashes, not '" + name + "'");
    }
    String command = required(pool, "command");
    if (command.isBlank()) {
      throw new InvalidPoolException("command must not be empty");
    }
    WorkerProtocol protocol = protocol(pool);
    Resources resources = resources(pool);
    if (protocol == WorkerProtocol.HTTP && resources.ports() == 0) {
      throw new InvalidPoolException(
          "protocol http needs a port for the server to listen on: add ports = 1 to resources");
    }
    return new PoolSpec(
        name,
        command,
        protocol,
        files(pool),
        resources,
        size(pool),
        job(pool),
        env(pool),
        pool.hasPath("start-timeout")
            ? duration(pool, "start-timeout")
            : PoolSpec.DEFAULT_START_TIMEOUT,
        upkeep(pool),
        http(pool, protocol),
        requirements(pool),
        container(pool),
        secrets(pool),
        serving(pool, protocol));
  }

  private static Serving serving(Config pool, WorkerProtocol protocol) {
    int concurrency = number(pool, "concurrency", 1, Serving.MOST, 1);
    if (concurrency > 1 && protocol == WorkerProtocol.NONE) {
      throw new InvalidPoolException(
          "concurrency is for pools that take jobs: leave it out, or set protocol");
    }
    boolean preload = pool.hasPath("preload") && pool.getBoolean("preload");
    if (preload && (protocol != WorkerProtocol.FRAMES || pool.hasPath("image"))) {
      throw new InvalidPoolException(
          "preload needs protocol frames and no image: the module of troupe.worker is imported once"
              + " on each agent");
    }
    return new Serving(concurrency, preload);
  }

  private static Upkeep upkeep(Config pool) {
    Config limits = part(pool, "limits", LIMIT_KEYS);
    Config recycle = part(pool, "recycle", RECYCLE_KEYS);
    return new Upkeep(
        mebibytes(limits, "limits.mem", 16),
        number(limits, "limits.files", 16, Integer.MAX_VALUE, 0),
        number(limits, "limits.processes", 1, Integer.MAX_VALUE, 0),
        limits.hasPath("limits.core") ? (int) mebibytes(limits, "limits.core", 0) : -1,
        number(limits, "limits.nice", 0, MOST_NICE, 0),
        number(recycle, "recycle.jobs", 1, Integer.MAX_VALUE, 0),
        recycle.hasPath("recycle.age") ? duration(recycle, "recycle.age") : Duration.ZERO,
        mebibytes(recycle, "recycle.rss", 1),
        pool.hasPath("job.heartbeat") ? heartbeat(pool) : Duration.ZERO);
  }

  private static Duration heartbeat(Config pool) {
    if (protocol(pool) != WorkerProtocol.FRAMES) {
      throw new InvalidPoolException(
          "job.heartbeat needs protocol frames: leave it out, or set job.timeout");
    }
    return duration(pool, "job.heartbeat");
  }

  private static Config part(Config pool, String key, Set<String> keys) {
    if (pool.hasPath(key)) {
      known(key + ".", pool.getConfig(key).root(), keys);
    }
    return pool;
  }

  private static int number(Config config, String key, int least, int most, int otherwise) {
    if (!config.hasPath(key)) {
      return otherwise;
    }
    int value = config.getInt(key);
    if (value < least || value > most) {
      throw new InvalidPoolException(
          key + " must be from " + least + " to " + most + ", not " + value);
    }
    return value;
  }

  private static double mebibytes(Config config, String key, long least) {
    if (!config.hasPath(key)) {
      return 0;
    }
    long bytes = config.getMemorySize(key).toBytes();
    if (bytes < least << 20) {
      throw new InvalidPoolException(
          key + " must be at least " + least + " MiB, with its unit; it is " + bytes + " bytes");
    }
    return bytes / 1048576.0;
  }

  private static void known(String prefix, ConfigObject object, Set<String> keys) {
    for (String key : object.keySet()) {
      if (!keys.contains(key)) {
        throw new InvalidPoolException(
            "unknown key '"
                + prefix
                + key
                + "'"
                + Nearest.of(key, keys)
                    .map(nearest -> ": did you mean '" + prefix + nearest + "'?")
                    .orElse(": known are " + String.join(", ", new TreeSet<>(keys))));
      }
    }
  }

  private static String required(Config pool, String key) {
    if (!pool.hasPath(key)) {
      throw new InvalidPoolException("the pool has no " + key + ": add " + key + " = …");
    }
    return pool.getString(key);
  }

  private static WorkerProtocol protocol(Config pool) {
    String text = pool.hasPath("protocol") ? pool.getString("protocol") : "frames";
    return switch (text.toLowerCase(Locale.ROOT)) {
      case "frames" -> WorkerProtocol.FRAMES;
      case "none" -> WorkerProtocol.NONE;
      case "http" -> WorkerProtocol.HTTP;
      default ->
          throw new InvalidPoolException(
              "protocol must be frames, http or none, not '" + text + "'");
    };
  }

  private static HttpChecks http(Config pool, WorkerProtocol protocol) {
    if (!pool.hasPath("http")) {
      return HttpChecks.NONE;
    }
    if (protocol != WorkerProtocol.HTTP) {
      throw new InvalidPoolException("http { … } is for pools with protocol = http");
    }
    Config http = pool.getConfig("http");
    known("http.", http.root(), HTTP_KEYS);
    return new HttpChecks(
        http.hasPath("ready") ? pool.getString("http.ready") : "",
        http.hasPath("health") ? pool.getString("http.health") : "");
  }

  private static Requirements requirements(Config pool) {
    if (!pool.hasPath("requirements")) {
      return Requirements.NONE;
    }
    if (pool.getValue("requirements").valueType() != ConfigValueType.OBJECT) {
      throw new InvalidPoolException(
          "a requirements file must be uploaded first and then named as { sha256 }: `troupe pool"
              + " apply` does both");
    }
    Config given = pool.getConfig("requirements");
    known("requirements.", given.root(), REQUIREMENT_KEYS);
    String sha256 = required(pool, "requirements.sha256");
    if (!SHA_256.matcher(sha256).matches()) {
      throw new InvalidPoolException(
          "requirements.sha256 must be 64 lower-case hexadecimal digits");
    }
    return new Requirements(
        sha256,
        given.hasPath("python") ? given.getString("python") : Requirements.DEFAULT_PYTHON,
        given.hasPath("wheels") ? given.getString("wheels") : "",
        given.hasPath("timeout")
            ? duration(pool, "requirements.timeout")
            : Requirements.DEFAULT_TIMEOUT);
  }

  private static Container container(Config pool) {
    Config given = part(pool, "container", CONTAINER_KEYS);
    if (!pool.hasPath("image")) {
      if (pool.hasPath("container")) {
        throw new InvalidPoolException("container says how workers run in an image: add image");
      }
      return Container.NONE;
    }
    if (pool.hasPath("requirements")) {
      throw new InvalidPoolException(
          "requirements are installed on agents, not in images: leave out either, and have the"
              + " packages in the image");
    }
    return new Container(
        pool.getString("image"),
        given.hasPath("container.user") ? given.getString("container.user") : "",
        given.hasPath("container.network")
            ? given.getString("container.network")
            : Container.DEFAULT_NETWORK,
        given.hasPath("container.mounts") ? given.getStringList("container.mounts") : List.of(),
        given.hasPath("container.pull-timeout")
            ? duration(given, "container.pull-timeout")
            : Container.DEFAULT_PULL_TIMEOUT);
  }

  private static List<PoolFile> files(Config pool) {
    if (!pool.hasPath("files")) {
      return List.of();
    }
    List<PoolFile> files = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (ConfigValue value : pool.getList("files")) {
      if (!(value instanceof ConfigObject file)) {
        throw new InvalidPoolException(
            "files must be uploaded first and then named as {name, sha256}: `troupe pool apply`"
                + " does both");
      }
      known("files.", file, FILE_KEYS);
      Config config = file.toConfig();
      PoolFile poolFile =
          new PoolFile(required(config, "name"), required(config, "sha256"), form(config));
      if (!FILE_NAME.matcher(poolFile.name()).matches()
          || poolFile.name().equals(".")
          || poolFile.name().equals("..")
          || poolFile.name().contains("'")) {
        throw new InvalidPoolException(
            "a file's name must be a name without folders and quotes, not '"
                + poolFile.name()
                + "'");
      }
      if (!SHA_256.matcher(poolFile.sha256()).matches()) {
        throw new InvalidPoolException(
            "sha256 of " + poolFile.name() + " must be 64 lower-case hexadecimal digits");
      }
      if (!names.add(poolFile.name())) {
        throw new InvalidPoolException("two files have the name " + poolFile.name());
      }
      files.add(poolFile);
    }
    return files;
  }

  private static PoolFile.Form form(Config file) {
    String form = file.hasPath("form") ? file.getString("form") : "file";
    return switch (form) {
      case "file" -> PoolFile.Form.FILE;
      case "folder" -> PoolFile.Form.FOLDER;
      case "archive" -> PoolFile.Form.ARCHIVE;
      default ->
          throw new InvalidPoolException(
              "files.form must be file, folder or archive, not '" + form + "'");
    };
  }

  private static Resources resources(Config pool) {
    if (!pool.hasPath("resources")) {
      throw new InvalidPoolException(
          "the pool has no resources: add resources { cpus = 0.5, mem = 128 MiB }");
    }
    Config resources = pool.getConfig("resources");
    known("resources.", resources.root(), RESOURCE_KEYS);
    for (String key : List.of("cpus", "mem")) {
      if (!resources.hasPath(key)) {
        throw new InvalidPoolException("resources." + key + " is missing");
      }
    }
    double cpus = pool.getDouble("resources.cpus");
    if (!(cpus >= LEAST_CPUS) || cpus > 1_000_000) {
      throw new InvalidPoolException(
          "resources.cpus must be at least " + LEAST_CPUS + ", not " + cpus);
    }
    ConfigMemorySize mem = pool.getMemorySize("resources.mem");
    if (mem.toBytes() < LEAST_MEM_BYTES) {
      throw new InvalidPoolException(
          "resources.mem must be at least 16 MiB, with its unit, such as 128 MiB; it is "
              + mem.toBytes()
              + " bytes");
    }
    int ports = resources.hasPath("ports") ? pool.getInt("resources.ports") : 0;
    if (ports < 0 || ports > 1000) {
      throw new InvalidPoolException("resources.ports must be from 0 to 1000, not " + ports);
    }
    return new Resources(cpus, mem.toBytes() / 1048576.0, ports);
  }

  private static PoolSize size(Config pool) {
    if (!pool.hasPath("size")) {
      return new PoolSize.PerAgent();
    }
    ConfigValue value = pool.getValue("size");
    if (value.valueType() == ConfigValueType.OBJECT) {
      Config size = pool.getConfig("size");
      known("size.", size.root(), SIZE_KEYS);
      if (!size.hasPath("min") || !size.hasPath("max")) {
        throw new InvalidPoolException("size needs both min and max, as in { min = 1, max = 8 }");
      }
      return new PoolSize.Range(pool.getInt("size.min"), pool.getInt("size.max"));
    }
    return size(String.valueOf(value.unwrapped()));
  }

  /**
   * Reads a size as one word: {@code per-agent} or a number.
   *
   * @throws InvalidPoolException when it is neither
   */
  public static PoolSize size(String text) {
    if (text.equals("per-agent")) {
      return new PoolSize.PerAgent();
    }
    try {
      int workers = Integer.parseInt(text);
      if (workers >= 0) {
        return new PoolSize.Fixed(workers);
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new InvalidPoolException(
        "size must be per-agent, a number, or { min = …, max = … }, not '" + text + "'");
  }

  private static JobPolicy job(Config pool) {
    Duration timeout = Duration.ofSeconds(60);
    int attempts = 3;
    Durability durability = Durability.STORE;
    if (pool.hasPath("job")) {
      Config job = pool.getConfig("job");
      known("job.", job.root(), JOB_KEYS);
      timeout = job.hasPath("timeout") ? duration(pool, "job.timeout") : timeout;
      attempts = job.hasPath("attempts") ? pool.getInt("job.attempts") : attempts;
      durability =
          job.hasPath("durability") ? durability(pool.getString("job.durability")) : durability;
    }
    return new JobPolicy(timeout, attempts, durability, retry(pool), limits(pool));
  }

  private static Retry retry(Config pool) {
    if (!pool.hasPath("job.retry")) {
      return Retry.USUAL;
    }
    Config retry = pool.getConfig("job.retry");
    known("job.retry.", retry.root(), RETRY_KEYS);
    Duration first =
        retry.hasPath("first") ? pool.getDuration("job.retry.first") : Retry.USUAL.first();
    Duration max = retry.hasPath("max") ? pool.getDuration("job.retry.max") : Retry.USUAL.max();
    Set<RetryOn> on = EnumSet.noneOf(RetryOn.class);
    if (retry.hasPath("on")) {
      pool.getStringList("job.retry.on").forEach(word -> on.add(retryOn(word)));
    } else {
      on.addAll(Retry.USUAL.on());
    }
    return new Retry(first, max, on);
  }

  private static RetryOn retryOn(String word) {
    for (RetryOn each : RetryOn.values()) {
      if (word.equals(each.name().toLowerCase(Locale.ROOT).replace('_', '-'))) {
        return each;
      }
    }
    throw new InvalidPoolException(
        "job.retry.on has exception, crash, oom, timeout, killed, agent-lost, drained and internal,"
            + " not '"
            + word
            + "'");
  }

  private static Limits limits(Config pool) {
    int queued = 0;
    int concurrency = 0;
    double rate = 0;
    Map<String, Integer> weights = new HashMap<>();
    if (pool.hasPath("job.limits")) {
      Config limits = pool.getConfig("job.limits");
      known("job.limits.", limits.root(), JOB_LIMIT_KEYS);
      queued = limits.hasPath("queued") ? pool.getInt("job.limits.queued") : 0;
      concurrency = limits.hasPath("concurrency") ? pool.getInt("job.limits.concurrency") : 0;
      rate = limits.hasPath("rate") ? pool.getDouble("job.limits.rate") : 0;
    }
    if (pool.hasPath("job.weights")) {
      for (Map.Entry<String, ConfigValue> weight : pool.getObject("job.weights").entrySet()) {
        if (!(weight.getValue().unwrapped() instanceof Integer number)) {
          throw new InvalidPoolException(
              "job.weights." + weight.getKey() + " must be a whole number from 1 to 1000");
        }
        weights.put(weight.getKey(), number);
      }
    }
    Duration keep = pool.hasPath("job.keep") ? duration(pool, "job.keep") : Duration.ZERO;
    return new Limits(queued, concurrency, rate, keep, weights);
  }

  private static Durability durability(String text) {
    return switch (text) {
      case "store" -> Durability.STORE;
      case "memory" -> Durability.MEMORY;
      default ->
          throw new InvalidPoolException(
              "job.durability must be store or memory, not '" + text + "'");
    };
  }

  private static Duration duration(Config config, String key) {
    Duration duration = config.getDuration(key);
    if (duration.isNegative() || duration.isZero()) {
      throw new InvalidPoolException(key + " must be positive");
    }
    return duration;
  }

  private static Map<String, String> env(Config pool) {
    if (!pool.hasPath("env")) {
      return Map.of();
    }
    Map<String, String> env = new HashMap<>();
    pool.getObject("env")
        .forEach(
            (key, value) -> {
              if (!VARIABLE.matcher(key).matches()) {
                throw new InvalidPoolException("'" + key + "' cannot name an environment variable");
              }
              if (value.valueType() == ConfigValueType.OBJECT
                  || value.valueType() == ConfigValueType.LIST) {
                throw new InvalidPoolException("env." + key + " must be a text");
              }
              env.put(key, String.valueOf(value.unwrapped()));
            });
    return env;
  }

  private static List<PoolSecret> secrets(Config pool) {
    if (!pool.hasPath("secrets")) {
      return List.of();
    }
    if (pool.getValue("secrets").valueType() != ConfigValueType.OBJECT) {
      throw new InvalidPoolException(
          "secrets has names and files, as in secrets { API_KEY = \"/etc/troupe/api-key\" }");
    }
    Map<String, String> env = env(pool);
    List<PoolSecret> secrets = new ArrayList<>();
    pool.getObject("secrets")
        .forEach(
            (name, value) -> {
              if (!VARIABLE.matcher(name).matches()) {
                throw new InvalidPoolException(
                    "'" + name + "' cannot name a secret: it makes the variable " + name + "_FILE");
              }
              String file =
                  value.valueType() == ConfigValueType.STRING
                      ? String.valueOf(value.unwrapped())
                      : "";
              if (!file.startsWith("/")) {
                throw new InvalidPoolException(
                    "secrets."
                        + name
                        + " must be the path of a file on the scheduler's machine, from / on; the"
                        + " secret itself must not stand in a pool file");
              }
              PoolSecret secret = new PoolSecret(name, file, "");
              if (env.containsKey(secret.variable())) {
                throw new InvalidPoolException(
                    "env." + secret.variable() + " is where secret " + name + " is: leave it out");
              }
              secrets.add(secret);
            });
    secrets.sort(Comparator.comparing(PoolSecret::name));
    return secrets;
  }
}
