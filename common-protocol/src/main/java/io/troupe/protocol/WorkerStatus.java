package io.troupe.protocol;

import io.troupe.model.Cause;
import io.troupe.model.WorkerState;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A worker as its supervisor sees it.
 *
 * @param id the worker's id
 * @param taskId the Mesos task it is
 * @param state what it does
 * @param restarts how often its process was started again
 * @param job the job it runs; null when it runs none
 * @param progress how far the job is, as its function says, or while it is PREPARING how far that
 *     is; null when nothing is known
 * @param jobs how many jobs it has finished
 * @param cause why its process last ended; null when it never did
 * @param process its process; null while there is none
 * @param lastOutput the last lines that the process has printed, oldest first
 * @param running all the jobs it runs, that one first; left out by older supervisors
 */
public record WorkerStatus(
    String id,
    String taskId,
    WorkerState state,
    int restarts,
    @Nullable String job,
    @Nullable Progress progress,
    long jobs,
    @Nullable Cause cause,
    @Nullable ProcessStatus process,
    List<String> lastOutput,
    List<Running> running) {

  public WorkerStatus {
    lastOutput = List.copyOf(lastOutput);
    running = running == null ? List.of() : List.copyOf(running);
  }

  /**
   * A job that runs.
   *
   * @param job its id
   * @param progress how far it is, as its function says; null when it does not
   */
  public record Running(String job, @Nullable Progress progress) {}

  /**
   * How far a job is.
   *
   * @param fraction from 0 to 1; null when the function does not tell
   * @param message one line for people; may be empty
   */
  public record Progress(@Nullable Double fraction, String message) {}

  /**
   * A Python server process.
   *
   * @param pid its process id
   * @param rss its resident memory in bytes
   * @param cpuPercent of one processor since the last sample
   * @param startedAt milliseconds since 1970
   * @param command as it was started
   */
  public record ProcessStatus(
      long pid, long rss, double cpuPercent, long startedAt, String command) {}
}
