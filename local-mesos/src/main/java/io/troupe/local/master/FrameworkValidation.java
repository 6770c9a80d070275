package io.troupe.local.master;

import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.Protos.FrameworkInfo.Capability;

/** Whether a framework may be what it says it is; the texts are a Mesos master's. Pure. */
final class FrameworkValidation {

  private FrameworkValidation() {}

  /** What is wrong with the framework; empty when nothing is. */
  @SuppressWarnings("deprecation") // role is how a framework without MULTI_ROLE names its role
  static Optional<String> error(FrameworkInfo info, List<String> suppressed) {
    boolean multiRole = has(info, Capability.Type.MULTI_ROLE);
    if (multiRole && info.hasRole()) {
      return Optional.of(
          "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable");
    }
    if (!multiRole && info.getRolesCount() > 0) {
      return Optional.of(
          "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable");
    }
    Optional<String> roles = multiRole ? rolesError(info) : roleError(info);
    if (roles.isPresent()) {
      return roles;
    }
    if (info.hasId()) {
      Optional<String> id = Ids.error(info.getId().getValue());
      if (id.isPresent()) {
        return id;
      }
    }
    Optional<String> timeout = timeoutError(info.getFailoverTimeout());
    if (timeout.isPresent()) {
      return timeout;
    }
    Set<String> foreign = new TreeSet<>(suppressed);
    foreign.removeAll(rolesOf(info));
    return foreign.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "Suppressed roles { "
                + String.join(", ", foreign)
                + " } are not contained in the set of roles");
  }

  @SuppressWarnings("deprecation") // as above
  private static Optional<String> roleError(FrameworkInfo info) {
    return info.hasRole()
        ? Ids.roleError(info.getRole())
            .map(error -> "'FrameworkInfo.role' is not a valid role: " + error)
        : Optional.empty();
  }

  private static Optional<String> rolesError(FrameworkInfo info) {
    Set<String> seen = new HashSet<>();
    Set<String> duplicates =
        info.getRolesList().stream()
            .filter(role -> !seen.add(role))
            .collect(Collectors.toCollection(TreeSet::new));
    if (!duplicates.isEmpty()) {
      return Optional.of(
          "'FrameworkInfo.roles' contains duplicate items: { "
              + String.join(", ", duplicates)
              + " }");
    }
    for (String role : info.getRolesList()) {
      Optional<String> error = Ids.roleError(role);
      if (error.isPresent()) {
        return Optional.of("'FrameworkInfo.roles' contains invalid role: " + error.get());
      }
    }
    return Optional.empty();
  }

  /** What of a framework may not change; empty when none of it does. */
  static Optional<String> immutableError(FrameworkInfo old, FrameworkInfo changed) {
    if (!old.getPrincipal().equals(changed.getPrincipal())) {
      return Optional.of("Updating 'FrameworkInfo.principal' is unsupported");
    }
    if (!old.getUser().equals(changed.getUser())) {
      return Optional.of("Updating 'FrameworkInfo.user' is unsupported");
    }
    return old.getCheckpoint() == changed.getCheckpoint()
        ? Optional.empty()
        : Optional.of("Updating 'FrameworkInfo.checkpoint' is unsupported");
  }

  /** Mesos counts durations in 64 bits of nanoseconds. */
  private static Optional<String> timeoutError(double seconds) {
    boolean invalid = Double.isNaN(seconds) || Math.abs(seconds) * 1e9 > Long.MAX_VALUE;
    return invalid
        ? Optional.of("The framework failover_timeout (" + print(seconds) + ") is invalid")
        : Optional.empty();
  }

  /** As C++ streams print a double. */
  private static String print(double value) {
    String text = String.format(Locale.ROOT, "%.6g", value);
    return text.contains("e") ? text.replaceFirst("\\.?0+e", "e") : text;
  }

  /** The roles that the framework may get offers for. */
  @SuppressWarnings("deprecation") // as above
  static List<String> rolesOf(FrameworkInfo info) {
    return has(info, Capability.Type.MULTI_ROLE)
        ? info.getRolesList()
        : List.of(info.getRole().isEmpty() ? "*" : info.getRole());
  }

  static boolean has(FrameworkInfo info, Capability.Type capability) {
    return info.getCapabilitiesList().stream().anyMatch(known -> known.getType() == capability);
  }
}
