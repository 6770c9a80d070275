package io.troupe.local.agent;

import java.nio.file.Path;
import java.util.Map;
import org.apache.mesos.v1.Protos.CommandInfo;

/** Where executors and commands run as processes. */
public interface Containers {

  /**
   * What is to run.
   *
   * @param id unique for ever
   * @param sandbox its working directory, which exists
   * @param command what to fetch and to start
   * @param environment all of its variables
   * @param user whom to run as
   * @param exactStatus whether the exit status must tell a signal to the container's first process
   *     from one to the command; costs one more process
   */
  record Spec(
      String id,
      Path sandbox,
      CommandInfo command,
      Map<String, String> environment,
      String user,
      boolean exactStatus) {}

  /** Hears what becomes of a container, on the thread of the agent, each at most once. */
  interface Listener {
    /** The command runs. */
    void started(long pid);

    /** The command could not be started; nothing more will be heard. */
    void failed(String message, int status);

    /** The command ended and no process of the container is left. */
    void exited(int status);
  }

  /** A running container. No call blocks. */
  interface Container {
    /** Asks every process of it to end (SIGTERM). */
    void terminate();

    /** Ends every process of it (SIGKILL); what is not started yet will not be. */
    void kill();
  }

  /** Fetches, then starts; never blocks. */
  Container launch(Spec spec, Listener listener);
}
