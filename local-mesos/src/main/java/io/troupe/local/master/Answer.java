package io.troupe.local.master;

/**
 * What a call is answered over HTTP.
 *
 * @param status the HTTP status
 * @param text the body; empty when the call was taken
 */
public record Answer(int status, String text) {

  /** The call was taken; what came of it is told by events. */
  public static final Answer ACCEPTED = new Answer(202, "");

  /** The call was carried out. */
  public static final Answer OK = new Answer(200, "");

  /** The call cannot be read or does not fit. */
  public static Answer badRequest(String text) {
    return new Answer(400, text);
  }

  /** The caller may not make this call now. */
  public static Answer forbidden(String text) {
    return new Answer(403, text);
  }
}
