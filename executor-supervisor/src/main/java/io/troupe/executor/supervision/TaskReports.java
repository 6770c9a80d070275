package io.troupe.executor.supervision;

/** Takes the states of tasks to the agent, reliably and in order. Does not block; any thread. */
public interface TaskReports {

  /** The states that a task of this executor has, in this order. */
  enum State {
    STARTING,
    RUNNING,
    /** It was told to end and does. */
    KILLING,
    KILLED,
    FAILED
  }

  /**
   * Reports a state.
   *
   * @param message for people; with a cause where there is one
   */
  void report(String task, State state, String message);
}
