package io.troupe.model;

/** How a payload or a result is to be read. */
public enum ContentType {
  /** JSON text in UTF-8; decoded before the function sees it. */
  JSON("application/json"),
  /** Bytes, handed over as they are. */
  BYTES("application/octet-stream");

  private final String mediaType;

  ContentType(String mediaType) {
    this.mediaType = mediaType;
  }

  /** The HTTP media type. */
  public String mediaType() {
    return mediaType;
  }
}
