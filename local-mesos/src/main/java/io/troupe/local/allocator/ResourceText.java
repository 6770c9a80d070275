package io.troupe.local.allocator;

import io.troupe.local.allocator.Ranges.Interval;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.mesos.v1.Protos.Attribute;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.Value;

/** The text of an agent's {@code --resources} and {@code --attributes}. Pure. */
public final class ResourceText {

  private static final Pattern ENTRY = Pattern.compile("([^:(\\s]+)(?:\\(([^)]*)\\))?:(.+)");
  private static final Pattern RANGE = Pattern.compile("(\\d+)-(\\d+)");

  private ResourceText() {}

  /**
   * Reads {@code cpus:4;mem(role):2048;ports:[31000-32000];names:{a,b}}.
   *
   * @throws IllegalArgumentException naming the part that is not understood
   */
  @SuppressWarnings("deprecation") // the text names a role; it is turned into a reservation later
  public static List<Resource> resources(String text) {
    List<Resource> resources = new ArrayList<>();
    for (String part : parts(text)) {
      Matcher entry = ENTRY.matcher(part);
      if (!entry.matches()) {
        throw new IllegalArgumentException(
            "Expected name:value or name(role):value but got '" + part + "'");
      }
      Resource.Builder resource = Resource.newBuilder().setName(entry.group(1));
      if (entry.group(2) != null) {
        resource.setRole(entry.group(2));
      }
      resources.add(MesosResources.refined(valued(resource, entry.group(3).strip()).build()));
    }
    return resources;
  }

  private static Resource.Builder valued(Resource.Builder resource, String value) {
    if (value.startsWith("[") && value.endsWith("]")) {
      return resource.setType(Value.Type.RANGES).setRanges(ranges(value));
    }
    if (value.startsWith("{") && value.endsWith("}")) {
      Value.Set.Builder set = Value.Set.newBuilder();
      for (String item : value.substring(1, value.length() - 1).split(",", -1)) {
        set.addItem(item.strip());
      }
      return resource.setType(Value.Type.SET).setSet(set);
    }
    try {
      return resource
          .setType(Value.Type.SCALAR)
          .setScalar(Value.Scalar.newBuilder().setValue(Double.parseDouble(value)));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "Expected a number, [first-last] or {a,b} for '"
              + resource.getName()
              + "' but got '"
              + value
              + "'",
          e);
    }
  }

  private static Value.Ranges ranges(String value) {
    List<Interval> intervals = new ArrayList<>();
    String inner = value.substring(1, value.length() - 1);
    for (String part : inner.isBlank() ? new String[0] : inner.split(",", -1)) {
      Matcher range = RANGE.matcher(part.strip());
      if (!range.matches()) {
        throw new IllegalArgumentException("Expected first-last but got '" + part.strip() + "'");
      }
      intervals.add(new Interval(Long.parseLong(range.group(1)), Long.parseLong(range.group(2))));
    }
    Value.Ranges.Builder ranges = Value.Ranges.newBuilder();
    for (Interval interval : Ranges.of(intervals).intervals()) {
      ranges.addRange(Value.Range.newBuilder().setBegin(interval.begin()).setEnd(interval.end()));
    }
    return ranges.build();
  }

  /**
   * Reads {@code rack:r1;weight:2;ports:[1-2]}: a number is a scalar, a text in brackets ranges,
   * anything else a text.
   *
   * @throws IllegalArgumentException naming the part that is not understood
   */
  public static List<Attribute> attributes(String text) {
    List<Attribute> attributes = new ArrayList<>();
    for (String part : parts(text)) {
      int colon = part.indexOf(':');
      if (colon < 1) {
        throw new IllegalArgumentException("Expected key:value but got '" + part + "'");
      }
      Attribute.Builder attribute =
          Attribute.newBuilder().setName(part.substring(0, colon).strip());
      String value = part.substring(colon + 1).strip();
      if (value.startsWith("[") && value.endsWith("]")) {
        attribute.setType(Value.Type.RANGES).setRanges(ranges(value));
      } else if (value.matches("[-+]?\\d+(\\.\\d+)?")) {
        attribute
            .setType(Value.Type.SCALAR)
            .setScalar(Value.Scalar.newBuilder().setValue(Double.parseDouble(value)));
      } else {
        attribute.setType(Value.Type.TEXT).setText(Value.Text.newBuilder().setValue(value));
      }
      attributes.add(attribute.build());
    }
    return attributes;
  }

  private static List<String> parts(String text) {
    List<String> parts = new ArrayList<>();
    for (String part : text.split(";", -1)) {
      if (!part.isBlank()) {
        parts.add(part.strip());
      }
    }
    return parts;
  }
}
