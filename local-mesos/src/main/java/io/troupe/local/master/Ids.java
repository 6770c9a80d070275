package io.troupe.local.master;

import java.util.Optional;

/** The rules for ids and role names. Pure. */
public final class Ids {

  private static final int MAX_LENGTH = 255;

  private Ids() {}

  /** What is wrong with the id of a framework, executor or task; empty when nothing is. */
  public static Optional<String> error(String id) {
    if (id.isEmpty()) {
      return Optional.of("ID must not be empty");
    }
    if (id.length() > MAX_LENGTH) {
      return Optional.of("ID must not be greater than " + MAX_LENGTH + " characters");
    }
    if (id.equals(".") || id.equals("..")) {
      return Optional.of("'" + id + "' is disallowed");
    }
    boolean invalid = id.chars().anyMatch(c -> c < 32 || c == 127 || c == '/' || c == '\\');
    return invalid ? Optional.of("'" + id + "' contains invalid characters") : Optional.empty();
  }

  /** What is wrong with the name of a role; empty when nothing is. */
  public static Optional<String> roleError(String role) {
    if (role.equals("*")) {
      return Optional.empty();
    }
    if (role.isEmpty()) {
      return Optional.of("Empty role name is invalid");
    }
    if (role.startsWith("/")) {
      return Optional.of("Role '" + role + "' cannot start with a slash");
    }
    if (role.endsWith("/")) {
      return Optional.of("Role '" + role + "' cannot end with a slash");
    }
    if (role.contains("//")) {
      return Optional.of("Role '" + role + "' cannot contain two adjacent slashes");
    }
    for (String component : role.split("/", -1)) {
      Optional<String> error = roleComponentError(component);
      if (error.isPresent()) {
        return error;
      }
    }
    return Optional.empty();
  }

  private static Optional<String> roleComponentError(String component) {
    if (component.equals(".") || component.equals("..") || component.equals("*")) {
      return Optional.of("Role cannot contain '" + component + "' as a component");
    }
    if (component.startsWith("-")) {
      return Optional.of(
          "Role component '" + component + "' is invalid because it starts with a dash");
    }
    if (component.chars().anyMatch(c -> Character.isWhitespace(c) || c == '\b')) {
      return Optional.of(
          "Role component '"
              + component
              + "' is invalid because it contains backspace or whitespace");
    }
    return Optional.empty();
  }
}
