package io.troupe.model;

import java.time.Duration;
import java.util.regex.Pattern;

/**
 * The packages that a pool's workers need besides what their machines have: a virtual environment,
 * built once for each machine and content.
 *
 * @param sha256 of the requirements file, 64 lower-case hexadecimal digits; empty when the pool
 *     needs nothing
 * @param python the interpreter on the agents that the environment is made of
 * @param wheels absolute path of a folder on the agents that has all packages as wheels; empty to
 *     let pip find them
 * @param timeout how long building the environment may take
 */
public record Requirements(String sha256, String python, String wheels, Duration timeout) {
  private static final Pattern PROGRAM = Pattern.compile("[\\w./+-]+");

  /** What holds where a pool file does not say. */
  public static final String DEFAULT_PYTHON = "python3";

  /** What holds where a pool file does not say. */
  public static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(10);

  /** A pool that needs nothing. */
  public static final Requirements NONE = new Requirements("", DEFAULT_PYTHON, "", DEFAULT_TIMEOUT);

  public Requirements {
    if (!PROGRAM.matcher(python).matches()) {
      throw new IllegalArgumentException(
          "requirements.python names a program such as python3.12, not '" + python + "'");
    }
    if (!wheels.isEmpty() && !wheels.matches("/[^\\p{Cntrl}]*")) {
      throw new IllegalArgumentException(
          "requirements.wheels is the absolute path of a folder on the agents, not '"
              + wheels
              + "'");
    }
    if (timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("requirements.timeout must be positive: " + timeout);
    }
  }

  /** Whether there are none. */
  public boolean isEmpty() {
    return sha256.isEmpty();
  }
}
