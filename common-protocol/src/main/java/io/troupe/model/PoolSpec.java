package io.troupe.model;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a user asks of a pool, as one pool file says it.
 *
 * @param name lower-case letters, digits and dashes; unique in a framework
 * @param command the shell command that starts one server process
 * @param protocol how jobs reach the process
 * @param files put into every worker's working directory
 * @param resources what one worker takes
 * @param size how many workers
 * @param job the default policy of its jobs
 * @param env added to the environment of every process
 * @param startTimeout how long a process may take to be ready
 * @param upkeep what its process may take and when it is replaced
 * @param http where a server of protocol http is asked how it is
 * @param requirements the packages its workers need
 * @param container what its workers run in
 * @param secrets what its workers find in files that nobody else sees
 * @param serving how its processes serve jobs
 */
public record PoolSpec(
    String name,
    String command,
    WorkerProtocol protocol,
    List<PoolFile> files,
    Resources resources,
    PoolSize size,
    JobPolicy job,
    Map<String, String> env,
    Duration startTimeout,
    Upkeep upkeep,
    HttpChecks http,
    Requirements requirements,
    Container container,
    List<PoolSecret> secrets,
    Serving serving) {

  /** What holds where a pool file does not say. */
  public static final Duration DEFAULT_START_TIMEOUT = Duration.ofSeconds(60);

  public PoolSpec {
    files = List.copyOf(files);
    env = Map.copyOf(env);
    secrets = List.copyOf(secrets);
    if (startTimeout.isNegative() || startTimeout.isZero()) {
      throw new IllegalArgumentException("start-timeout must be positive: " + startTimeout);
    }
  }

  /**
   * A pool of plain processes with no limits and requirements of its own, whose servers are asked
   * nothing.
   */
  public PoolSpec(
      String name,
      String command,
      WorkerProtocol protocol,
      List<PoolFile> files,
      Resources resources,
      PoolSize size,
      JobPolicy job,
      Map<String, String> env,
      Duration startTimeout) {
    this(
        name,
        command,
        protocol,
        files,
        resources,
        size,
        job,
        env,
        startTimeout,
        Upkeep.NONE,
        HttpChecks.NONE,
        Requirements.NONE,
        Container.NONE,
        List.of(),
        Serving.ONE_AT_A_TIME);
  }

  /** A pool with the default start timeout. */
  public PoolSpec(
      String name,
      String command,
      WorkerProtocol protocol,
      List<PoolFile> files,
      Resources resources,
      PoolSize size,
      JobPolicy job,
      Map<String, String> env) {
    this(name, command, protocol, files, resources, size, job, env, DEFAULT_START_TIMEOUT);
  }

  /** Which files it needs: the SHA-256 of each, also of its requirements. */
  public Set<String> fileHashes() {
    Set<String> hashes = new TreeSet<>();
    files.forEach(file -> hashes.add(file.sha256()));
    if (!requirements.isEmpty()) {
      hashes.add(requirements.sha256());
    }
    return hashes;
  }

  /** The same pool with another size. */
  public PoolSpec withSize(PoolSize newSize) {
    return with(newSize, secrets);
  }

  /** The same pool with other secrets, or other versions of them. */
  public PoolSpec withSecrets(List<PoolSecret> newSecrets) {
    return with(size, newSecrets);
  }

  private PoolSpec with(PoolSize newSize, List<PoolSecret> newSecrets) {
    return new PoolSpec(
        name,
        command,
        protocol,
        files,
        resources,
        newSize,
        job,
        env,
        startTimeout,
        upkeep,
        http,
        requirements,
        container,
        newSecrets,
        serving);
  }
}
