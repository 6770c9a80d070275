package io.troupe.model;

/**
 * A secret that the workers of a pool find in a file. What it is stands nowhere in here.
 *
 * @param name such as API_KEY; the variable API_KEY_FILE of each worker's environment names its
 *     file
 * @param file where it is on the scheduler's machine
 * @param version of its content, which says nothing about it; empty before the scheduler has read
 *     it
 */
public record PoolSecret(String name, String file, String version) {

  /** What ends the name of the variable that says where a secret is. */
  public static final String VARIABLE_SUFFIX = "_FILE";

  /** The variable that says where it is. */
  public String variable() {
    return name + VARIABLE_SUFFIX;
  }

  /** The same with the version of what is in it now. */
  public PoolSecret withVersion(String found) {
    return new PoolSecret(name, file, found);
  }
}
