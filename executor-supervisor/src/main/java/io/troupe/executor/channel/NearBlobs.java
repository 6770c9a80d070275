package io.troupe.executor.channel;

import io.troupe.executor.supervision.Blobs;
import io.troupe.model.BlobRef;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands files over by name where the scheduler is on the same machine and lets this user write to
 * its folder: nothing is copied. Whatever cannot be handed over so goes the long way.
 */
public final class NearBlobs implements Blobs {
  private static final Logger log = LoggerFactory.getLogger(NearBlobs.class);

  private final Path folder;
  private final HttpBlobs far;
  private volatile Optional<Path> mark = Optional.empty();
  private volatile String url = "";
  private volatile boolean settled;

  /**
   * @param folder where the files are, on one file system with those that processes write
   * @param far the long way
   */
  public NearBlobs(Path folder, HttpBlobs far) {
    this.folder = folder;
    this.far = far;
  }

  @Override
  public void at(String newUrl) {
    far.at(newUrl);
    url = newUrl;
    mark = Optional.empty();
    settled = false;
    if (newUrl.isEmpty()) {
      return; // a scheduler that keeps none
    }
    CompletionStage<Void> unused =
        far.mark()
            .thenAccept(
                told -> {
                  if (url.equals(newUrl)) {
                    mark = told.filter(Files::isWritable);
                    settled = true;
                    log.info("Payloads and results go {}", mark.map(f -> "by " + f).orElse(newUrl));
                  }
                });
  }

  /** Whether it is known where the scheduler is; until then all goes the long way. */
  boolean isSettled() {
    return settled;
  }

  /** The scheduler's folder, if it is here. */
  private Optional<Path> there() {
    return mark.filter(Files::exists).map(Path::getParent);
  }

  @Override
  public CompletionStage<Path> fetch(String job, BlobRef ref) {
    Optional<Path> there = there();
    if (there.isPresent()) {
      try {
        Path mine = folder.resolve("in-" + UUID.randomUUID());
        link(mine, there.get().resolve(ref.name()), job);
        return CompletableFuture.completedFuture(mine);
      } catch (IOException | UnsupportedOperationException e) {
        log.debug("Payload {} is not at hand: {}", ref.name(), e.toString());
      }
    }
    return far.fetch(job, ref);
  }

  /** A name of our own for it: what the scheduler does with his is of no account any more. */
  private static void link(Path mine, Path file, String job) throws IOException {
    try {
      Files.createLink(mine, file);
    } catch (NoSuchFileException e) {
      // Since the job was accepted it carries the job's id.
      Files.createLink(mine, file.resolveSibling(file.getFileName() + "." + job));
    }
  }

  @Override
  public CompletionStage<BlobRef> bring(String job, Path file) {
    Optional<Path> there = there();
    if (there.isPresent()) {
      try {
        BlobRef ref = new BlobRef(UUID.randomUUID().toString().replace("-", ""), Files.size(file));
        Files.move(
            file, there.get().resolve(ref.name() + "." + job), StandardCopyOption.ATOMIC_MOVE);
        return CompletableFuture.completedFuture(ref);
      } catch (IOException e) {
        log.debug("The result of job {} cannot be handed over: {}", job, e.toString());
      }
    }
    return far.bring(job, file);
  }

  @Override
  public void remove(Path file) {
    far.remove(file);
  }
}
