package io.troupe.model;

/** How jobs reach the server process of a worker. */
public enum WorkerProtocol {
  /**
   * Length-prefixed frames on a Unix domain socket (PROTOCOL.md), as the {@code troupe} Python
   * package speaks them.
   */
  FRAMES,
  /** One HTTP request a job, to the user's own server. */
  HTTP,
  /** Not at all: the process is only run and watched. */
  NONE
}
