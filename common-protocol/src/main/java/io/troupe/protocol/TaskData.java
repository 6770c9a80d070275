package io.troupe.protocol;

import com.fasterxml.jackson.annotation.JsonCreator;
import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.PoolFile;
import io.troupe.model.Requirements;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The content of TaskInfo.data: all that an executor needs to run one worker. Written as JSON by
 * {@link io.troupe.protocol.codec.TaskDataCodec}. It is checkpointed on the agent's disk, so no
 * secret may stand in it.
 *
 * @param version {@link WireMessage#VERSION} of the scheduler that wrote it
 * @param cluster where to join
 * @param pool the pool's name
 * @param worker what to run
 */
public record TaskData(int version, ClusterInfo cluster, String pool, Worker worker) {

  /** How long fetching the secrets of a process may take. */
  public static final Duration SECRETS_TIMEOUT = Duration.ofSeconds(60);

  /** What the fetcher calls the requirements file in the sandbox. */
  public static final String REQUIREMENTS = "requirements.txt";

  /**
   * A secret by its name and the version of its content, which says nothing about it. The content
   * is asked for at the scheduler, as {@link SchedulerToSupervisor.SecretsAt} says.
   */
  public record Secret(String name, String version) {}

  /**
   * One worker.
   *
   * @param command the shell command that starts its process
   * @param protocol how jobs reach the process
   * @param files what the fetcher has put where {@link PoolFile#fetchedAs} says, to be verified
   * @param env added to the environment of the process
   * @param ports of the offer, for the process; PORT is the first, PORT0, PORT1 … all of them
   * @param memMb how much memory the process may take, in MiB
   * @param cpus its share of processors
   * @param startTimeout how long the process may take to be ready
   * @param upkeep what else the process may take and when it is replaced
   * @param http where a server of protocol http is asked how it is; left out by older schedulers
   * @param requirements what the process needs besides what the machine has; left out by older
   *     schedulers
   * @param container what the process runs in; left out by older schedulers
   * @param secrets what the process finds in files; left out by older schedulers
   * @param serving how the process serves jobs; left out by older schedulers
   */
  public record Worker(
      String command,
      WorkerProtocol protocol,
      List<PoolFile> files,
      Map<String, String> env,
      List<Integer> ports,
      double memMb,
      double cpus,
      Duration startTimeout,
      Upkeep upkeep,
      HttpChecks http,
      Requirements requirements,
      Container container,
      List<Secret> secrets,
      Serving serving) {
    @JsonCreator
    public Worker {
      files = List.copyOf(files);
      env = Map.copyOf(env);
      ports = List.copyOf(ports);
      http = Objects.requireNonNullElse(http, HttpChecks.NONE);
      requirements = Objects.requireNonNullElse(requirements, Requirements.NONE);
      container = Objects.requireNonNullElse(container, Container.NONE);
      secrets = List.copyOf(Objects.requireNonNullElse(secrets, List.of()));
      serving = Objects.requireNonNullElse(serving, Serving.ONE_AT_A_TIME);
    }

    /** One with no limits and requirements of its own. */
    public Worker(
        String command,
        WorkerProtocol protocol,
        List<PoolFile> files,
        Map<String, String> env,
        List<Integer> ports,
        double memMb,
        double cpus,
        Duration startTimeout) {
      this(
          command,
          protocol,
          files,
          env,
          ports,
          memMb,
          cpus,
          startTimeout,
          Upkeep.NONE,
          HttpChecks.NONE,
          Requirements.NONE,
          Container.NONE,
          List.of(),
          Serving.ONE_AT_A_TIME);
    }

    /**
     * How long what the process needs may take to be installed and fetched; zero when it needs
     * nothing.
     */
    public Duration preparation() {
      Duration image = container.isEmpty() ? Duration.ZERO : container.pullTimeout();
      Duration fetched = secrets.isEmpty() ? image : image.plus(SECRETS_TIMEOUT);
      return requirements.isEmpty() ? fetched : fetched.plus(requirements.timeout());
    }
  }
}
