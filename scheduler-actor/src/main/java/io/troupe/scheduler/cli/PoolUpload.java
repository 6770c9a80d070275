package io.troupe.scheduler.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigRenderOptions;
import io.troupe.model.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A pool file made ready to send: its files are named by the hash of their content. What its keys
 * mean is the scheduler's to say.
 *
 * @param spec the pool file as JSON, each of {@code files} replaced by name and sha256
 * @param files what {@code files} names
 */
record PoolUpload(JsonNode spec, List<Content> files) {
  /** A file that the workers get. */
  record Content(String name, String sha256, Path path) {}

  static PoolUpload read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw Failure.of(
          file + " is not a file: name a pool file such as conf/pools/code-metrics.conf");
    }
    ObjectNode spec = parse(file);
    List<Content> files = new ArrayList<>();
    if (spec.has("files")) {
      ArrayNode named = spec.arrayNode();
      for (JsonNode entry : listOf(file, spec.path("files"))) {
        boolean archive = entry.isObject();
        String name = archive ? archive(file, entry) : entry.asText();
        Path path = beside(file, name);
        boolean folder = !archive && Files.isDirectory(path);
        Content content = folder ? packed(file, path) : load(file, name, "files");
        files.add(content);
        ObjectNode sent =
            named.addObject().put("name", content.name()).put("sha256", content.sha256());
        if (archive || folder) {
          sent.put("form", archive ? "archive" : "folder");
        }
      }
      spec.set("files", named);
    }
    if (spec.has("requirements")) {
      files.add(requirements(file, spec));
    }
    return new PoolUpload(spec, files);
  }

  /** The requirements file is named alone, or as {@code file} beside what else is to be said. */
  private static Content requirements(Path file, ObjectNode spec) {
    JsonNode given = spec.path("requirements");
    String named = given.isObject() ? given.path("file").asText() : given.asText();
    if (named.isEmpty()) {
      throw Failure.of(
          file + ": requirements must name a file, as in requirements = \"requirements.txt\"");
    }
    Content content = load(file, named, "requirements");
    ObjectNode sent = given.isObject() ? ((ObjectNode) given).deepCopy() : spec.objectNode();
    sent.remove("file");
    spec.set("requirements", sent.put("sha256", content.sha256()));
    return content;
  }

  private static ObjectNode parse(Path file) {
    try {
      Config config =
          ConfigFactory.parseFile(
                  file.toFile(),
                  ConfigParseOptions.defaults()
                      .setAllowMissing(false)
                      .setOriginDescription(file.toString()))
              .resolve();
      return (ObjectNode)
          Terminal.JSON.readTree(config.root().render(ConfigRenderOptions.concise()));
    } catch (ConfigException e) {
      String message = SchedulerClient.firstLine(String.valueOf(e.getMessage()));
      throw Failure.of(message.startsWith(file.toString()) ? message : file + ": " + message);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the configuration library wrote what is not JSON", e);
    }
  }

  private static JsonNode listOf(Path file, JsonNode files) {
    if (!files.isArray()) {
      throw Failure.of(file + ": files must be a list, such as [ \"metrics.py\" ]");
    }
    return files;
  }

  private static String archive(Path file, JsonNode entry) {
    String name = entry.path("archive").asText();
    if (name.isEmpty() || entry.size() != 1) {
      throw Failure.of(
          file + ": files has names, and archives such as { archive = \"models.tar.gz\" }");
    }
    return name;
  }

  private static Content packed(Path poolFile, Path folder) {
    try {
      Path zip = PackedFolder.of(folder);
      return new Content(String.valueOf(folder.getFileName()), Sha256.of(zip), zip);
    } catch (IOException e) {
      throw Failure.of(
          "%s: folder %s cannot be packed: %s"
              .formatted(poolFile, folder, SchedulerClient.firstLine(String.valueOf(e))));
    }
  }

  private static Path beside(Path poolFile, String entry) {
    Path parent = poolFile.toAbsolutePath().getParent();
    return (parent == null ? Path.of("") : parent).resolve(entry).normalize();
  }

  private static Content load(Path poolFile, String entry, String key) {
    Path path = beside(poolFile, entry);
    try {
      return new Content(String.valueOf(path.getFileName()), Sha256.of(path), path);
    } catch (IOException e) {
      throw Failure.of(
          "%s: %s names '%s', but there is no readable file %s"
              .formatted(poolFile, key, entry, path)
              .strip());
    }
  }
}
