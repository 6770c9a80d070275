package io.troupe.local.http;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.headers.RawHeader;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * {@code /files/browse}, {@code read} and {@code download} of what lies under an agent's sandboxes.
 * Blocks; safe for several threads.
 */
final class FilesEndpoint {

  /** Mesos reads at most sixteen pages at once. */
  private static final int MAX_READ = 16 * 4096;

  private final Path root;

  /**
   * @param workDir only what lies under its {@code slaves} is shown
   */
  FilesEndpoint(Path workDir) {
    this.root = workDir.toAbsolutePath().normalize().resolve("slaves");
  }

  HttpResponse handle(String verb, HttpRequest request) {
    Optional<String> asked = request.getUri().query().get("path");
    if (asked.isEmpty() || asked.get().isEmpty()) {
      return Replies.text(400, Texts.PATH_MISSING);
    }
    Optional<Path> file = resolve(asked.get());
    if (file.isEmpty()) {
      return Replies.notFound();
    }
    try {
      return switch (verb) {
        case "browse" -> browse(request, asked.get(), file.get());
        case "read" -> read(request, file.get());
        case "download" -> download(file.get());
        default -> Replies.notFound();
      };
    } catch (IOException e) {
      return Replies.notFound();
    }
  }

  /** The file that the path stands for: a real one, or {@code /frameworks/F/executors/E/runs/…}. */
  private Optional<Path> resolve(String asked) {
    try {
      Path path = Path.of(asked).normalize();
      Path real =
          path.startsWith("/frameworks")
              ? root.resolve("latest").resolve(Path.of("/").relativize(path))
              : path;
      if (!real.normalize().startsWith(root) || !Files.exists(real)) {
        return Optional.empty();
      }
      return real.toRealPath().startsWith(root.toRealPath()) ? Optional.of(real) : Optional.empty();
    } catch (IOException | java.nio.file.InvalidPathException e) {
      return Optional.empty();
    }
  }

  private static HttpResponse browse(HttpRequest request, String asked, Path directory)
      throws IOException {
    if (!Files.isDirectory(directory)) {
      return Replies.notFound();
    }
    ArrayNode entries = CommonJson.NODES.arrayNode();
    try (Stream<Path> listed = Files.list(directory)) {
      for (Path file : listed.sorted().toList()) {
        entries.add(entry(asked, file));
      }
    }
    return Replies.json(request, CommonJson.bytes(entries));
  }

  private static ObjectNode entry(String asked, Path file) throws IOException {
    PosixFileAttributes attributes =
        Files.readAttributes(file, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    String kind = attributes.isDirectory() ? "d" : attributes.isSymbolicLink() ? "l" : "-";
    String directory = asked.endsWith("/") ? asked : asked + "/";
    return CommonJson.NODES
        .objectNode()
        .put("gid", attributes.group().getName())
        .put("mode", kind + PosixFilePermissions.toString(attributes.permissions()))
        .put("mtime", Math.floor(attributes.lastModifiedTime().toMillis() / 1000.0))
        .put(
            "nlink",
            ((Number) Files.getAttribute(file, "unix:nlink", LinkOption.NOFOLLOW_LINKS)).intValue())
        .put("path", directory + file.getFileName())
        .put("size", attributes.size())
        .put("uid", attributes.owner().getName());
  }

  private static HttpResponse read(HttpRequest request, Path file) throws IOException {
    if (Files.isDirectory(file)) {
      return Replies.text(400, "Cannot read from a directory.\n");
    }
    long offset;
    long length;
    try {
      offset = request.getUri().query().get("offset").map(Long::parseLong).orElse(-1L);
      length = request.getUri().query().get("length").map(Long::parseLong).orElse(-1L);
    } catch (NumberFormatException e) {
      return Replies.text(400, "Failed to parse offset or length: " + e.getMessage() + ".\n");
    }
    if (offset < -1) {
      return Replies.text(400, "Negative offset provided: " + offset + ".\n");
    }
    if (length < -1) {
      return Replies.text(400, "Negative length provided: " + length + ".\n");
    }
    try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
      long size = in.length();
      ObjectNode object = CommonJson.NODES.objectNode();
      if (offset == -1 || offset >= size) {
        object.put("data", "").put("offset", offset == -1 ? size : offset);
      } else {
        long wanted = length == -1 ? size - offset : Math.min(length, size - offset);
        byte[] data = new byte[(int) Math.min(wanted, MAX_READ)];
        in.seek(offset);
        in.readFully(data);
        object.put("data", new String(data, StandardCharsets.UTF_8)).put("offset", offset);
      }
      return Replies.json(request, CommonJson.bytes(object));
    }
  }

  private static HttpResponse download(Path file) {
    if (Files.isDirectory(file)) {
      return Replies.text(400, "Cannot download a directory.\n");
    }
    return HttpResponse.create()
        .withStatus(200)
        .addHeader(
            RawHeader.create(
                "Content-Disposition",
                "attachment; filename="
                    + file.getFileName().toString().replaceAll("[\r\n\"]", "_")))
        .withEntity(
            akka.http.javadsl.model.HttpEntities.create(
                ContentTypes.APPLICATION_OCTET_STREAM, file));
  }

  static final List<String> VERBS = List.of("browse", "read", "download");
}
