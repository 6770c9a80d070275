package io.troupe.client;

import com.fasterxml.jackson.databind.JsonNode;

/** A job ended, and not with a result: its function raised, its attempts are used up, … */
public final class JobFailedException extends TroupeException {
  private final String job;
  private final String code;
  private final JsonNode reason;

  JobFailedException(String job, String code, String message, JsonNode reason) {
    super(message);
    this.job = job;
    this.code = code;
    this.reason = reason;
  }

  /** The job's id; empty where it is not known. */
  public String job() {
    return job;
  }

  /** How it ended: {@code JOB_FAILED}, {@code JOB_DEAD}, {@code JOB_CANCELLED}, … */
  public String code() {
    return code;
  }

  /** Whose doing it was: {@code USER}, {@code OOM}, {@code TIMEOUT}, …; empty if nobody can say. */
  public String kind() {
    return reason.path("kind").asText();
  }

  /** The cause as the API tells it, with the last lines of output. */
  public JsonNode reason() {
    return reason;
  }
}
