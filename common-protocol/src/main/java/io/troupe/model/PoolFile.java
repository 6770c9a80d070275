package io.troupe.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import java.util.Objects;

/**
 * What the workers of a pool find in their working directory.
 *
 * @param name its name there, or the archive's, without folders
 * @param sha256 of its content, 64 lower-case hexadecimal digits
 * @param form what becomes of the content; left out by older schedulers
 */
public record PoolFile(String name, String sha256, Form form) {

  /** What a content is. */
  public enum Form {
    /** A file. */
    FILE,
    /** A zip archive of what is in a folder of that name. */
    FOLDER,
    /** A zip or tar archive, unpacked into the working directory. */
    ARCHIVE
  }

  @JsonCreator
  public PoolFile {
    form = Objects.requireNonNullElse(form, Form.FILE);
  }

  /** A file. */
  public PoolFile(String name, String sha256) {
    this(name, sha256, Form.FILE);
  }

  /** Where the fetcher puts the content, in the sandbox. */
  public String fetchedAs() {
    return (form == Form.FILE ? "files/" : "archives/") + name;
  }
}
