package io.troupe.local.http;

import akka.http.javadsl.model.HttpRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The path of a request as Mesos takes it apart. Pure. */
final class Paths {

  private Paths() {}

  /**
   * The decoded segments; slashes at the end do not count. Empty for a path that tries to go up.
   */
  static Optional<List<String>> segments(HttpRequest request) {
    List<String> segments = new ArrayList<>();
    request.getUri().pathSegments().forEach(segments::add);
    segments.removeIf(String::isEmpty);
    return segments.contains("..") ? Optional.empty() : Optional.of(segments);
  }

  /** The path within the process, without its name if that is there. */
  static List<String> within(List<String> segments, String process) {
    return !segments.isEmpty() && segments.get(0).equals(process)
        ? segments.subList(1, segments.size())
        : segments;
  }
}
