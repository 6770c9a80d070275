package io.troupe.local.http;

import akka.http.javadsl.model.ContentType;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.MediaRange;
import akka.http.javadsl.model.MediaType;
import akka.http.javadsl.model.MediaTypes;
import akka.http.javadsl.model.headers.Accept;
import io.troupe.mesos.WireFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Which of the two formats a request is in and wants its answer in. Pure. */
final class Negotiation {

  /**
   * JSON as a type that may carry a charset: Akka's own drops the parameter, which Mesos does not
   * take.
   */
  static final MediaType JSON_AS_SENT =
      MediaTypes.customWithOpenCharset("application", "json", Map.of(), false);

  static final MediaType PROTOBUF =
      MediaTypes.customBinary("application", "x-protobuf", MediaTypes.NOT_COMPRESSIBLE);

  private Negotiation() {}

  /** Whether the request says at all what its body is; Akka calls it bytes if it does not. */
  static boolean saysContentType(HttpRequest request) {
    ContentType type = request.entity().getContentType();
    return !type.equals(ContentTypes.NO_CONTENT_TYPE)
        && !type.equals(ContentTypes.APPLICATION_OCTET_STREAM);
  }

  /** The format of the body; empty when it is neither. */
  static Optional<WireFormat> formatOf(HttpRequest request) {
    ContentType type = request.entity().getContentType();
    return switch (type.toString()) {
      case "application/json" -> Optional.of(WireFormat.JSON);
      case "application/x-protobuf" -> Optional.of(WireFormat.PROTOBUF);
      default -> Optional.empty();
    };
  }

  /** The format of the answer: JSON wherever it will do; empty when neither will. */
  static Optional<WireFormat> accepted(HttpRequest request) {
    Optional<Accept> accept = request.getHeader(Accept.class);
    if (accept.isEmpty()) {
      return Optional.of(WireFormat.JSON);
    }
    List<MediaRange> ranges = new java.util.ArrayList<>();
    accept.get().getMediaRanges().forEach(ranges::add);
    if (ranges.isEmpty() || allows(ranges, MediaTypes.APPLICATION_JSON)) {
      return Optional.of(WireFormat.JSON);
    }
    return allows(ranges, PROTOBUF) ? Optional.of(WireFormat.PROTOBUF) : Optional.empty();
  }

  private static boolean allows(List<MediaRange> ranges, MediaType type) {
    return ranges.stream().anyMatch(range -> range.qValue() > 0 && range.matches(type));
  }
}
