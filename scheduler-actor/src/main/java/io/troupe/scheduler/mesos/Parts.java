package io.troupe.scheduler.mesos;

import com.google.protobuf.InvalidProtocolBufferException;
import io.troupe.scheduler.offers.Offer.Part;
import io.troupe.scheduler.offers.Offer.Range;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.Value;

/**
 * Resources as parts and back. A part's kind is the whole resource without its value, so that role,
 * reservations and allocation come back as they were offered. Pure.
 */
final class Parts {
  private static final Set<String> USED = Set.of("cpus", "mem", "ports");

  private Parts() {}

  /** The parts that workers may take: nothing that can be taken away again, or is shared. */
  static List<Part> ofResources(List<Resource> resources) {
    List<Part> parts = new ArrayList<>();
    for (Resource resource : resources) {
      if (USED.contains(resource.getName()) && !resource.hasRevocable() && !resource.hasShared()) {
        parts.add(part(resource));
      }
    }
    return parts;
  }

  private static Part part(Resource resource) {
    Resource kind = resource.toBuilder().clearScalar().clearRanges().clearSet().build();
    List<Range> ranges =
        resource.getRanges().getRangeList().stream()
            .map(range -> new Range(range.getBegin(), range.getEnd()))
            .toList();
    return new Part(
        resource.getName(),
        Base64.getEncoder().encodeToString(kind.toByteArray()),
        Math.round(resource.getScalar().getValue() * 1000),
        ranges);
  }

  static List<Resource> toResources(List<Part> parts) {
    return parts.stream().map(Parts::resource).toList();
  }

  private static Resource resource(Part part) {
    Resource.Builder resource = kind(part).toBuilder();
    if (part.ranges().isEmpty()) {
      return resource.setScalar(Value.Scalar.newBuilder().setValue(part.millis() / 1000.0)).build();
    }
    Value.Ranges.Builder ranges = Value.Ranges.newBuilder();
    part.ranges()
        .forEach(
            range ->
                ranges.addRange(
                    Value.Range.newBuilder().setBegin(range.begin()).setEnd(range.end())));
    return resource.setRanges(ranges).build();
  }

  private static Resource kind(Part part) {
    try {
      return Resource.parseFrom(Base64.getDecoder().decode(part.kind()));
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("a part's kind is not what this class wrote", e);
    }
  }
}
