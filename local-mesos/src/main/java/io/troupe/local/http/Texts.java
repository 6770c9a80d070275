package io.troupe.local.http;

/** The texts that a Mesos master or agent answers when a request is no good. */
final class Texts {

  static final String NOT_FOUND = "404 Not Found.";
  static final String CONTENT_TYPE_MISSING = "Expecting 'Content-Type' to be present";
  static final String CONTENT_TYPE_UNKNOWN =
      "Expecting 'Content-Type' of application/json or application/x-protobuf";
  static final String NOT_ACCEPTABLE =
      "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";
  static final String STREAM_ID_WITH_SUBSCRIBE =
      "Subscribe calls should not include the 'Mesos-Stream-Id' header";
  static final String SCHEDULER_CALL_INVALID = "Failed to validate scheduler::Call: ";
  static final String EXECUTOR_CALL_INVALID = "Failed to validate Executor::Call: ";
  static final String BODY_TOO_LARGE = "The request's body is too large";
  static final String BODY_TOO_SLOW = "The request's body did not arrive in time";
  static final String NO_ANSWER = "The embedded Mesos is too busy to answer";
  static final String PATH_MISSING = "Expecting 'path=value' in query.\n";
  static final String TEARDOWN_WITHOUT_ID =
      "Missing 'frameworkId' query parameter in the request body";
  static final String TEARDOWN_UNKNOWN = "No framework found with specified ID";

  static final String FOREIGN_PAGE = "A page from elsewhere may not control this cluster";
  static final String OPERATOR_CALL_WITHOUT_TYPE =
      "Failed to validate master::Call: Expecting 'type' to be present";
  static final String NO_OPERATOR_API =
      "The v1 operator API is not a part of this embedded Mesos; use the read-only endpoints such"
          + " as /state";

  private Texts() {}

  static String methodNotAllowed(String expected, String received) {
    return "405 Method Not Allowed. Expecting one of { '"
        + expected
        + "' }, but received '"
        + received
        + "'.";
  }
}
