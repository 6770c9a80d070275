package io.troupe.client;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What one job, or all of a map, may differ in from its pool's policy.
 *
 * @param timeout how long one attempt may run
 * @param attempts how many may start; with 1, no job is ever started twice, and none sent again
 * @param priority higher goes first
 * @param key makes a second submission with the same key the same job; a single job has one of its
 *     own if it is not given here
 */
public record JobOptions(
    Optional<Duration> timeout, OptionalInt attempts, OptionalInt priority, Optional<String> key) {

  /** As the pool's policy says. */
  public static final JobOptions DEFAULT =
      new JobOptions(Optional.empty(), OptionalInt.empty(), OptionalInt.empty(), Optional.empty());

  /** The same with another timeout. */
  public JobOptions withTimeout(Duration of) {
    return new JobOptions(Optional.of(of), attempts, priority, key);
  }

  /** The same with another number of attempts. */
  public JobOptions withAttempts(int number) {
    return new JobOptions(timeout, OptionalInt.of(number), priority, key);
  }

  /** The same with another priority. */
  public JobOptions withPriority(int number) {
    return new JobOptions(timeout, attempts, OptionalInt.of(number), key);
  }

  /** The same with a key. */
  public JobOptions withKey(String text) {
    return new JobOptions(timeout, attempts, priority, Optional.of(text));
  }

  /** As a part of a query, each with an ampersand before it. */
  String query() {
    StringBuilder query = new StringBuilder();
    timeout.ifPresent(of -> query.append("&timeout=").append(of.toMillis()).append("ms"));
    attempts.ifPresent(number -> query.append("&attempts=").append(number));
    priority.ifPresent(number -> query.append("&priority=").append(number));
    return query.toString();
  }
}
