package io.troupe.executor.process;

import io.troupe.executor.channel.ChannelServer;
import io.troupe.executor.supervision.ServerEvent;
import io.troupe.executor.supervision.ServerLauncher;
import io.troupe.executor.supervision.ServerProcess;
import io.troupe.protocol.SchedulerToSupervisor.SecretsAt;
import io.troupe.protocol.TaskData;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Consumer;

/** Starts server processes on this machine, with commons-exec. */
public final class LocalServers implements ServerLauncher {
  /** The variable that all processes of one executor carry. */
  static final String EXECUTOR_MARK = "TROUPE_EXECUTOR_MARK";

  private final Sandbox sandbox;
  private final ServerSettings settings;
  private final ChannelServer channels;
  private final Map<String, String> environment;
  private final Archives archives;
  private final Environments environments;
  private final Cgroups cgroups;
  private final Containers containers;
  private final SecretFiles secrets;
  private final ScheduledExecutorService chores =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "troupe-chores");
            thread.setDaemon(true);
            return thread;
          });
  private final ExecutorService logWriter =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread thread = new Thread(task, "troupe-logs");
            thread.setDaemon(true);
            return thread;
          });
  private long starts;
  private final OwnSession session = OwnSession.detect();
  private final ForkServers forks;

  /**
   * @param environment what every process gets: no token may be in it
   * @param archives unpack what is packed of the pool's files
   * @param environments what pools require
   * @param cgroups for pools without an image
   * @param containers for pools with one
   * @param secrets of pools that have some
   * @param mark of this executor, unique on the machine
   */
  public LocalServers(
      Sandbox sandbox,
      ServerSettings settings,
      ChannelServer channels,
      Map<String, String> environment,
      Archives archives,
      Environments environments,
      Cgroups cgroups,
      Containers containers,
      SecretFiles secrets,
      String mark) {
    this.sandbox = sandbox;
    this.settings = settings;
    this.channels = channels;
    this.archives = archives;
    this.environments = environments;
    this.cgroups = cgroups;
    this.containers = containers;
    this.secrets = secrets;
    this.forks = new ForkServers(sandbox, session);
    Map<String, String> all = new java.util.HashMap<>(environment);
    all.put(EXECUTOR_MARK, mark);
    this.environment = Map.copyOf(all);
  }

  @Override
  public void secretsAt(SecretsAt place) {
    secrets.source().at(place);
  }

  @Override
  public synchronized ServerProcess start(
      String worker, TaskData.Worker spec, Consumer<ServerEvent> events) {
    LocalServer server =
        new LocalServer(
            worker,
            ++starts,
            spec,
            events,
            sandbox,
            settings,
            channels,
            environment,
            archives,
            environments,
            cgroups,
            containers,
            secrets,
            session,
            forks,
            chores,
            logWriter);
    // Not a pool's thread: the process dies with the thread that started it.
    Thread thread = new Thread(server::run, "troupe-" + worker);
    thread.setDaemon(true);
    thread.start();
    return server;
  }
}
