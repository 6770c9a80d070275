package io.troupe.local.master;

import io.troupe.local.allocator.MesosResources;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.Value;

/** Whether single resources make sense at all; the texts are a Mesos master's. Pure. */
final class ResourceValidation {

  private ResourceValidation() {}

  /** What is wrong with the first entry that is wrong; empty when none is. */
  static Optional<String> error(List<Resource> resources) {
    return resources.stream()
        .flatMap(
            resource ->
                entryError(resource)
                    .map(
                        error ->
                            "Resource '"
                                + MesosResources.describe(resource)
                                + "' is invalid: "
                                + error)
                    .stream())
        .findFirst();
  }

  @SuppressWarnings("deprecation") // mixing the old and the new reservation format is the error
  private static Optional<String> entryError(Resource resource) {
    if (resource.getName().isEmpty()) {
      return Optional.of("Empty resource name");
    }
    if (resource.getReservationsCount() > 0 && (resource.hasReservation() || resource.hasRole())) {
      return Optional.of(
          "'Resource.role' and 'Resource.reservation' must not be set with"
              + " 'Resource.reservations'");
    }
    if (resource.hasDisk() && !resource.getName().equals("disk")) {
      return Optional.of("DiskInfo should not be set for " + resource.getName() + " resource");
    }
    return switch (resource.getType()) {
      case SCALAR -> scalarError(resource);
      case RANGES -> rangesError(resource);
      case SET -> setError(resource);
      case TEXT -> Optional.of("Unsupported resource type");
    };
  }

  private static Optional<String> scalarError(Resource resource) {
    if (!resource.hasScalar() || resource.hasRanges() || resource.hasSet()) {
      return Optional.of("Invalid scalar resource");
    }
    double value = resource.getScalar().getValue();
    if (!(value >= 0) || Double.isInfinite(value)) {
      return Optional.of("Invalid scalar resource: value <= 0");
    }
    if (resource.getName().equals("gpus") && value != Math.rint(value)) {
      return Optional.of("The 'gpus' resource must be an unsigned integer");
    }
    return Optional.empty();
  }

  private static Optional<String> rangesError(Resource resource) {
    if (resource.hasScalar() || !resource.hasRanges() || resource.hasSet()) {
      return Optional.of("Invalid ranges resource");
    }
    List<Value.Range> ranges = resource.getRanges().getRangeList();
    for (int i = 0; i < ranges.size(); i++) {
      Value.Range range = ranges.get(i);
      if (range.getBegin() > range.getEnd()) {
        return Optional.of("Invalid ranges resource: begin > end");
      }
      for (Value.Range other : ranges.subList(0, i)) {
        if (range.getBegin() <= other.getEnd() && other.getBegin() <= range.getEnd()) {
          return Optional.of("Invalid ranges resource: overlapping ranges");
        }
      }
    }
    return Optional.empty();
  }

  private static Optional<String> setError(Resource resource) {
    if (resource.hasScalar() || resource.hasRanges() || !resource.hasSet()) {
      return Optional.of("Invalid set resource");
    }
    List<String> items = resource.getSet().getItemList();
    return new HashSet<>(items).size() == items.size()
        ? Optional.empty()
        : Optional.of("Invalid set resource: duplicated elements");
  }
}
