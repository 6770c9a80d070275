package io.troupe.executor.supervision;

import io.troupe.protocol.Parts;
import io.troupe.protocol.WorkerStatus.ProcessStatus;
import io.troupe.protocol.WorkerStatus.Progress;
import io.troupe.protocol.codec.Frame;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** A server process that was told to start. No call blocks; any thread. */
public interface ServerProcess {

  /** The jobs that are sent next have these names, and are numbered upwards from the first. */
  void name(long first, List<String> jobs);

  /** Sends jobs; without effect before {@link ServerEvent.Answered} and after the end. */
  void send(List<Frame> frames);

  /**
   * Id of the job that the process began last; 0 when it has begun none. Exact even after the
   * process was killed; empty when the process does not tell.
   */
  Optional<Long> begun();

  /** Interrupts the job of this id, if it runs. */
  void interrupt(long id);

  /**
   * Asks for results that wait to be sent behind the job of this id, if it is the one that runs.
   */
  void nudge(long id);

  /**
   * Asks for the jobs that wait behind the job of this id, if it is the one that runs: the process
   * answers with {@link Frame.Type#RETURNED}, late when the job listens to nothing.
   *
   * @param last id of the last one that is to be given back
   */
  void recall(long id, long last);

  /** Has the process write down where its threads are, if it can, for the cause of its end. */
  void recordStacks();

  /** Asks the process and all it has started to end (SIGTERM). */
  void terminate();

  /** Kills the process and all it has started (SIGKILL). */
  void kill();

  /** How far the job is that has this name, as its function has said; empty when it has not. */
  Optional<Progress> progress(String job);

  /** How far what it needs is installed; empty when that is done, or nothing is needed. */
  Optional<Progress> preparation();

  /** Changes whenever the job of this id, which runs, says that it is alive. */
  long beats(long id);

  /**
   * Tells what the job of this id, which runs, has yielded since that place, or that there is
   * nothing when nothing comes for a second or the job ends.
   *
   * @param place 0, or where the last answer ended
   */
  void readParts(long id, long place, Consumer<Parts> answer);

  /**
   * Whether a result may be taken from there: it is a file that this process may have written for
   * it, and no link. Looks at the file system of this machine.
   *
   * @param path as the process has told it
   */
  boolean mayHandOver(String path);

  /** The last lines that it has printed, oldest first. */
  List<String> lastOutput();

  /** What the operating system says of it now; empty when it does not run. */
  Optional<ProcessStatus> sample();
}
