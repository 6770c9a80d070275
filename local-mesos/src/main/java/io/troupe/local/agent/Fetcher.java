package io.troupe.local.agent;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Redirect;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.apache.mesos.v1.Protos.CommandInfo;

/** Brings the files that a command names into its sandbox. Blocks; safe for several threads. */
final class Fetcher {

  private static final Duration STALL = Duration.ofMinutes(1);
  private static final Duration LONGEST = Duration.ofMinutes(10);
  private static final List<String> TARS =
      List.of(".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz");

  /** Not made before there is something to fetch: Java reads all certificates for it. */
  private static final class Http {
    static final HttpClient CLIENT =
        HttpClient.newBuilder().followRedirects(Redirect.NORMAL).connectTimeout(STALL).build();
  }

  private final FetcherCache cache;

  /**
   * @param cache for the files that more than one executor will want
   */
  Fetcher(FetcherCache cache) {
    this.cache = cache;
  }

  /** A file that could not be brought; the message says which and why. */
  static final class FetchException extends Exception {
    FetchException(String message) {
      super(message);
    }
  }

  /**
   * Fetches one after the other; what it did goes to the sandbox's {@code stderr}, as with Mesos.
   *
   * @param user whose the files in the cache are
   * @throws FetchException at the first file that cannot be had
   */
  void fetchAll(List<CommandInfo.URI> uris, String user, Path sandbox) throws FetchException {
    for (CommandInfo.URI uri : uris) {
      String value = uri.getValue().strip();
      log(sandbox, "Fetching URI '" + value + "'");
      try {
        Path target = target(uri, value, sandbox);
        if (!uri.getCache() || !fromCache(uri, value, user, target, sandbox)) {
          fetch(value, target);
          unpack(uri, value, target, target, sandbox);
        }
        log(sandbox, "Fetched '" + value + "' to '" + target + "'");
      } catch (IOException | IllegalArgumentException e) {
        throw failed(sandbox, "Failed to fetch '" + value + "': " + reason(e));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw failed(sandbox, "Interrupted while fetching '" + value + "'");
      }
    }
  }

  /** Whether that was possible: an archive from the cache leaves no copy in the sandbox. */
  private boolean fromCache(
      CommandInfo.URI uri, String value, String user, Path target, Path sandbox)
      throws InterruptedException {
    String name = target.getFileName().toString();
    try (FetcherCache.Lease lease = cache.file(user, value, name, part -> fetch(value, part))) {
      if (uri.getExecutable() || !uri.getExtract() || !isArchive(name)) {
        Files.copy(lease.file(), target, StandardCopyOption.REPLACE_EXISTING);
      }
      unpack(uri, value, lease.file(), target, sandbox);
      return true;
    } catch (IOException | java.io.UncheckedIOException e) {
      log(sandbox, "Fetching '" + value + "' past the cache: " + reason(e));
      return false;
    }
  }

  private static boolean isArchive(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    return TARS.stream().anyMatch(lower::endsWith)
        || lower.endsWith(".zip")
        || lower.endsWith(".gz");
  }

  private static String reason(Exception e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private static FetchException failed(Path sandbox, String message) {
    log(sandbox, message);
    return new FetchException(message);
  }

  private static void log(Path sandbox, String line) {
    try {
      Files.writeString(
          sandbox.resolve("stderr"),
          line + "\n",
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException("Writing to stderr of " + sandbox, e);
    }
  }

  private static Path target(CommandInfo.URI uri, String value, Path sandbox) throws IOException {
    if (value.contains("\\") || value.contains("'")) {
      throw new IOException("Illegal characters in URI");
    }
    if (uri.hasOutputFile() && !uri.getOutputFile().isEmpty()) {
      Path target = sandbox.resolve(uri.getOutputFile()).normalize();
      if (!target.startsWith(sandbox) || uri.getOutputFile().startsWith("/")) {
        throw new IOException("URI output file must be within the sandbox directory");
      }
      Files.createDirectories(target.getParent());
      return target;
    }
    int scheme = value.indexOf("://");
    int slash = value.lastIndexOf('/');
    if (scheme >= 0 && slash < scheme + 3) {
      throw new IOException("Malformed URI (missing path): " + value);
    }
    String name = value.substring(slash + 1);
    if (name.isEmpty() || name.equals(".") || name.equals("..")) {
      throw new IOException("The URI does not name a file");
    }
    return sandbox.resolve(name);
  }

  private void fetch(String value, Path target) throws IOException, InterruptedException {
    if (value.startsWith("http://") || value.startsWith("https://")) {
      download(URI.create(value), target);
    } else if (value.startsWith("file:///")) {
      copy(Path.of(value.substring("file://".length())), target);
    } else if (value.startsWith("/")) {
      copy(Path.of(value), target);
    } else {
      throw new IOException(
          "Only http://, https://, file:/// and absolute paths can be fetched by this agent");
    }
  }

  private void download(URI uri, Path target) throws IOException, InterruptedException {
    HttpRequest request = HttpRequest.newBuilder(uri).timeout(STALL).build();
    CompletableFuture<HttpResponse<Path>> response =
        Http.CLIENT.sendAsync(request, BodyHandlers.ofFile(target));
    try {
      int status = response.get(LONGEST.toSeconds(), TimeUnit.SECONDS).statusCode();
      if (status != 200) {
        Files.deleteIfExists(target);
        throw new IOException("Error downloading resource, HTTP status " + status);
      }
    } catch (ExecutionException e) {
      throw new IOException(String.valueOf(e.getCause()), e);
    } catch (TimeoutException e) {
      response.cancel(true);
      throw new IOException("It did not arrive within " + LONGEST.toMinutes() + " minutes", e);
    }
  }

  private static void copy(Path source, Path target) throws IOException {
    if (!Files.isRegularFile(source)) {
      throw new IOException("There is no file " + source);
    }
    Files.copy(source, target, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void unpack(
      CommandInfo.URI uri, String value, Path source, Path target, Path sandbox)
      throws IOException, InterruptedException {
    if (uri.getExecutable()) {
      Set<PosixFilePermission> all = EnumSet.allOf(PosixFilePermission.class);
      all.remove(PosixFilePermission.GROUP_WRITE);
      all.remove(PosixFilePermission.OTHERS_WRITE);
      Files.setPosixFilePermissions(target, all);
      return;
    }
    if (!uri.getExtract()) {
      return;
    }
    String name = target.getFileName().toString().toLowerCase(Locale.ROOT);
    if (TARS.stream().anyMatch(name::endsWith)) {
      untar(source, sandbox);
    } else if (name.endsWith(".zip")) {
      unzip(source, sandbox);
    } else if (name.endsWith(".gz")) {
      gunzip(source, target);
    } else {
      log(
          sandbox,
          "Copying instead of extracting resource from URI with 'extract' flag, because it does not"
              + " seem to be an archive: "
              + value);
    }
  }

  private static void untar(Path archive, Path sandbox) throws IOException, InterruptedException {
    Process tar =
        new ProcessBuilder("tar", "-C", sandbox.toString(), "-xf", archive.toString())
            .redirectInput(ProcessBuilder.Redirect.from(new java.io.File("/dev/null")))
            .redirectOutput(ProcessBuilder.Redirect.appendTo(sandbox.resolve("stderr").toFile()))
            .redirectError(ProcessBuilder.Redirect.appendTo(sandbox.resolve("stderr").toFile()))
            .start();
    if (!tar.waitFor(LONGEST.toSeconds(), TimeUnit.SECONDS)) {
      tar.destroyForcibly();
      throw new IOException("Extracting " + archive + " took too long");
    }
    if (tar.exitValue() != 0) {
      throw new IOException(
          "Failed to extract: tar exited with status " + tar.exitValue() + " for " + archive);
    }
  }

  private static void unzip(Path archive, Path sandbox) throws IOException {
    try (ZipInputStream zip = new ZipInputStream(Files.newInputStream(archive))) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        Path target = sandbox.resolve(entry.getName()).normalize();
        if (!target.startsWith(sandbox)) {
          throw new IOException("The archive reaches outside the sandbox: " + entry.getName());
        }
        if (entry.isDirectory()) {
          Files.createDirectories(target);
        } else {
          Files.createDirectories(target.getParent());
          Files.copy(zip, target, StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
  }

  private static void gunzip(Path archive, Path beside) throws IOException {
    String name = beside.getFileName().toString();
    Path target = beside.resolveSibling(name.substring(0, name.length() - ".gz".length()));
    try (InputStream in = new GZIPInputStream(Files.newInputStream(archive))) {
      Files.copy(in, target, StandardCopyOption.REPLACE_EXISTING);
    }
  }
}
