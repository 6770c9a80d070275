package io.troupe.model;

/**
 * The paths at which a server of protocol http is asked how it is; an empty one is not asked.
 *
 * @param ready answers 2xx when the server takes jobs
 * @param health answers 2xx as long as a server that has no job is well
 */
public record HttpChecks(String ready, String health) {
  /** A server that takes connections is ready, and well. */
  public static final HttpChecks NONE = new HttpChecks("", "");

  public HttpChecks {
    for (String path : new String[] {ready, health}) {
      if (!path.isEmpty() && !path.matches("/[!-~]*")) {
        throw new IllegalArgumentException("a path for checks is like /ready, not '" + path + "'");
      }
    }
  }
}
