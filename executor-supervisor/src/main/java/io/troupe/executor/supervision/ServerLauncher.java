package io.troupe.executor.supervision;

import io.troupe.protocol.SchedulerToSupervisor.SecretsAt;
import io.troupe.protocol.TaskData;
import java.util.function.Consumer;

/** Starts server processes: the edge to the operating system. */
public interface ServerLauncher {

  /** From now on the secrets of the pool are there; without blocking. */
  void secretsAt(SecretsAt place);

  /**
   * Starts one, in the background.
   *
   * @param worker id of the worker it is for
   * @param spec what to start
   * @param events told what becomes of it, by any thread; the last one is {@link ServerEvent.Ended}
   */
  ServerProcess start(String worker, TaskData.Worker spec, Consumer<ServerEvent> events);
}
