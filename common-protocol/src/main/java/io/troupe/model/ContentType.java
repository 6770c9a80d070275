package io.troupe.model;

/** How a payload or a result is to be read. */
public enum ContentType {
  /** JSON text in UTF-8; decoded before the function sees it. */
  JSON("application/json"),
  /** Bytes, handed over as they are. */
  BYTES("application/octet-stream"),
  /** Where JSON text is: a {@link BlobRef}, or between executor and process the path of a file. */
  JSON_BLOB("application/json"),
  /** Where bytes are. */
  BYTES_BLOB("application/octet-stream");

  private final String mediaType;

  ContentType(String mediaType) {
    this.mediaType = mediaType;
  }

  /** The HTTP media type. */
  public String mediaType() {
    return mediaType;
  }

  /** Whether what is at hand only says where the content is. */
  public boolean isBlob() {
    return this == JSON_BLOB || this == BYTES_BLOB;
  }

  /** The same content, elsewhere. */
  public ContentType blob() {
    return switch (this) {
      case JSON, JSON_BLOB -> JSON_BLOB;
      case BYTES, BYTES_BLOB -> BYTES_BLOB;
    };
  }

  /** The same content, at hand. */
  public ContentType plain() {
    return switch (this) {
      case JSON, JSON_BLOB -> JSON;
      case BYTES, BYTES_BLOB -> BYTES;
    };
  }
}
