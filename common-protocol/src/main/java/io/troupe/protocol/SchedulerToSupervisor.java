package io.troupe.protocol;

import akka.actor.typed.ActorRef;
import java.time.Duration;
import java.util.List;

/** What the scheduler node, and the queue of the supervisor's pool on it, tell a supervisor. */
public sealed interface SchedulerToSupervisor {

  /** What goes through the Akka cluster. */
  sealed interface OverCluster extends SchedulerToSupervisor, WireMessage {}

  /** What goes over the supervisor's job line ({@link io.troupe.protocol.line}). */
  sealed interface OverLine extends SchedulerToSupervisor {}

  /**
   * Welcome: the supervisor may open its job line. Said anew at each registration, in the same
   * words while the line that they open is good.
   *
   * @param host of the line
   * @param port of the line
   * @param token that opens it, while this scheduler runs
   */
  record Welcome(String host, int port, String token) implements OverCluster {
    /** Without the token, as messages may be logged. */
    @Override
    public String toString() {
      return "Welcome[host=" + host + ", port=" + port + "]";
    }
  }

  /**
   * The line is open, and the supervisor's own from here on. It ends with the queue: then the
   * supervisor registers again, as a pool of this name may be there with a queue of its own.
   *
   * @param queue where to pull jobs; each end of a line has its own
   * @param lease how long an attempt stays with the supervisor unless renewed
   * @param blobs URL below which payloads are fetched and results are brought that are too large
   *     for a message, each as a {@link io.troupe.model.BlobRef}
   */
  record Registered(ActorRef<SupervisorToQueue> queue, Duration lease, String blobs)
      implements OverLine {}

  /**
   * Where the secrets of the supervisor's pool are: {@code GET URL/NAME/VERSION} with {@code
   * Authorization: Bearer TOKEN}. Said before {@link Welcome}, anew at each registration.
   *
   * @param url below which they are
   * @param token good for the secrets of this pool, while this scheduler runs
   */
  record SecretsAt(String url, String token) implements OverCluster {
    /** Without the token, as messages may be logged. */
    @Override
    public String toString() {
      return "SecretsAt[url=" + url + "]";
    }
  }

  /** Not welcome, for this reason; the supervisor may ask again later. */
  record Refused(String reason) implements OverCluster {}

  /**
   * Jobs to run, perhaps none, and thanks for outcomes.
   *
   * @param assignments to run
   * @param settledUpTo every {@link SupervisorToQueue.Settle} up to this sequence number has been
   *     taken and need not be kept
   */
  record Assign(List<Assignment> assignments, long settledUpTo) implements OverLine {}

  /**
   * Asks what the function of a running attempt has yielded; answered by {@link Parts}, with
   * nothing where nothing comes for a second or the attempt does not run here.
   *
   * @param place 0, or where the last answer ended
   */
  record ReadParts(AttemptRef attempt, long place, ActorRef<Parts> replyTo)
      implements OverCluster {}

  /**
   * Attempts that are no longer wanted: not yet started ones are dropped, running ones are ended.
   * Each is answered by an outcome that is ignored if the attempt is not current.
   */
  record Cancel(List<AttemptRef> attempts) implements OverLine {}
}
