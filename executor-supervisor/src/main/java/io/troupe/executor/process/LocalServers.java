package io.troupe.executor.process;

import io.troupe.executor.channel.ChannelServer;
import io.troupe.executor.supervision.ServerEvent;
import io.troupe.executor.supervision.ServerLauncher;
import io.troupe.executor.supervision.ServerProcess;
import io.troupe.protocol.SchedulerToSupervisor.SecretsAt;
import io.troupe.protocol.TaskData;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.function.Consumer;

/** Starts server processes on this machine, with commons-exec. */
public final class LocalServers implements ServerLauncher {
  /** The variable that all processes of one executor carry. */
  static final String EXECUTOR_MARK = "TROUPE_EXECUTOR_MARK";

  private final LocalServer.Common common;
  private long starts;

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
    Map<String, String> all = new HashMap<>(environment);
    all.put(EXECUTOR_MARK, mark);
    OwnSession session = OwnSession.detect();
    common =
        new LocalServer.Common(
            sandbox,
            settings,
            channels,
            Map.copyOf(all),
            archives,
            environments,
            cgroups,
            containers,
            secrets,
            session,
            new ForkServers(sandbox, session),
            Executors.newSingleThreadScheduledExecutor(task -> daemon(task, "troupe-chores")),
            Executors.newSingleThreadExecutor(task -> daemon(task, "troupe-logs")));
  }

  private static Thread daemon(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    return thread;
  }

  @Override
  public void secretsAt(SecretsAt place) {
    common.secrets().source().at(place);
  }

  @Override
  public synchronized ServerProcess start(
      String worker, TaskData.Worker spec, Consumer<ServerEvent> events) {
    LocalServer server = new LocalServer(worker, ++starts, spec, events, common);
    // Not a pool's thread: the process dies with the thread that started it.
    daemon(server::run, "troupe-" + worker).start();
    return server;
  }
}
