package io.troupe.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Arguments and results, to and from what travels. Pure. */
final class Values {
  private Values() {}

  static byte[] json(ObjectMapper mapper, @Nullable Object argument) {
    try {
      return mapper.writeValueAsBytes(argument);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          "an argument that cannot be written as JSON: " + e.getOriginalMessage(), e);
    }
  }

  /** The result in a line of a map. */
  static <R> @Nullable R result(ObjectMapper mapper, JsonNode line, Class<R> type) {
    JsonNode result = line.path("result");
    try {
      if (line.path("encoding").asText().equals("base64")) {
        return type.cast(result.binaryValue());
      }
      return mapper.treeToValue(result, type);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "a result that is no " + type.getSimpleName() + ": " + e.getMessage(), e);
    }
  }

  /** What an answer of 400 or above says. */
  static TroupeException failure(ObjectMapper mapper, String job, int status, byte[] body) {
    JsonNode error = MissingNode.getInstance();
    try {
      error = mapper.readTree(body).path("error");
    } catch (IOException notJson) {
      // Not from a scheduler; its status must do.
    }
    return failure(job, status, error);
  }

  /** What an error, in an answer or a line of a map, says. */
  static TroupeException failure(String job, int status, JsonNode error) {
    String code = error.path("code").asText();
    String message = error.path("message").asText("the scheduler answered " + status);
    return code.startsWith("JOB_") && !code.equals("JOB_NOT_FOUND")
        ? new JobFailedException(job, code, message, error.path("cause"))
        : new RefusedException(status, code, message);
  }
}
