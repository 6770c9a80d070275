package io.troupe.scheduler.api;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.DispatcherSelector;
import akka.http.javadsl.model.ContentType;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.RequestEntity;
import akka.http.javadsl.model.ResponseEntity;
import akka.stream.StreamLimitReachedException;
import akka.stream.javadsl.FileIO;
import akka.stream.javadsl.Sink;
import akka.util.ByteString;
import io.troupe.model.BlobRef;
import io.troupe.scheduler.jobs.JobSettings;
import io.troupe.scheduler.store.BlobStore;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Payloads and results on their way between a connection and the store: streamed, never whole in
 * memory, and stored whole or not at all.
 */
final class Blobs {
  private static final Logger LOG = LoggerFactory.getLogger(Blobs.class);

  /** A result above this is not told in a line but by where it can be had. */
  static final long LONGEST_LINE = 64L << 20;

  /** What is not longer is held as a whole while it comes in or goes out; streams hold as much. */
  private static final long WHOLE = 2 << 20;

  private static final int PIECE = 128 << 10;
  private static final long READ_TO_REFUSE = 64L << 20;
  private static final Duration LONGEST_TRANSFER = Duration.ofMinutes(10);
  private static final Duration FULL_FOR = Duration.ofSeconds(1);

  private final ActorSystem<?> system;
  private final BlobStore store;
  private final JobSettings.Blobs settings;
  private final Executor files;
  private final ArrayDeque<BlobRef> told = new ArrayDeque<>();
  private long toldBytes;

  Blobs(ActorSystem<?> system, BlobStore store, JobSettings.Blobs settings) {
    this.system = system;
    this.store = store;
    this.settings = settings;
    this.files = system.dispatchers().lookup(DispatcherSelector.blocking());
  }

  /** Whether what is so long is kept in a file; a negative length is not known. */
  boolean takes(long length) {
    return length < 0 || length > settings.above();
  }

  /**
   * Stores the body of a request.
   *
   * @param job whose it is; empty when {@link #belongs} will say
   * @param json whether it is refused unless it is JSON
   */
  CompletionStage<BlobRef> take(RequestEntity entity, String job, boolean json) {
    long length = entity.getContentLengthOption().orElse(0);
    if (length > settings.largest()) {
      return refuse(entity, length, tooLarge());
    }
    if (store.bytes() + length > settings.bytes()) {
      return refuse(entity, length, full());
    }
    if (length > 0 && length <= WHOLE) {
      return entity
          .withSizeLimit(length)
          .toStrict(LONGEST_TRANSFER.toMillis(), system)
          .thenApplyAsync(whole -> put(whole.getData(), job, json), files);
    }
    Body body = new Body();
    return CompletableFuture.supplyAsync(this::incoming, files)
        .thenCompose(
            incoming ->
                body.of(entity)
                    .limitWeighted(settings.largest(), piece -> (long) piece.size())
                    .runWith(FileIO.toPath(incoming), system)
                    .handleAsync(
                        (written, failure) -> keep(incoming, job, json, body, failure), files));
  }

  /**
   * Stores a text, which is refused unless it is JSON.
   *
   * @return the blob, which belongs to no job yet
   */
  CompletionStage<BlobRef> put(ByteString text) {
    return CompletableFuture.supplyAsync(() -> put(text, "", true), files);
  }

  private BlobRef put(ByteString content, String job, boolean json) {
    if (json && !PlainText.isJson(content.getByteBuffers())) {
      byte[] text = content.toArrayUnsafe();
      Json.flaw(text, 0, text.length)
          .ifPresent(
              flaw -> {
                throw new ApiException(ApiError.invalidJson(flaw));
              });
    }
    if (store.bytes() + content.size() > settings.bytes()) {
      throw new ApiException(full());
    }
    try {
      return store.put(content.getByteBuffers(), job);
    } catch (IOException e) {
      throw Uploads.notStored(e);
    }
  }

  /** Many clients do not look for an answer while they send, so what is not too much is read. */
  private CompletionStage<BlobRef> refuse(RequestEntity entity, long length, ApiError why) {
    CompletionStage<BlobRef> refusal = CompletableFuture.failedFuture(new ApiException(why));
    return length > READ_TO_REFUSE
        ? refusal
        : Stages.direct(entity.withoutSizeLimit().getDataBytes().runWith(Sink.ignore(), system))
            .thenCompose(read -> refusal);
  }

  private Path incoming() {
    try {
      return store.incoming();
    } catch (IOException e) {
      throw Uploads.notStored(e);
    }
  }

  private BlobRef keep(
      Path incoming,
      String job,
      boolean json,
      Body body,
      @org.jspecify.annotations.Nullable Throwable failure) {
    try {
      if (failure != null) {
        throw refused(failure);
      }
      if (!body.isWhole()) {
        throw new ApiException(Uploads.CUT_OFF);
      }
      if (json) {
        checkJson(incoming);
      }
      return store.keep(incoming, job);
    } catch (IOException e) {
      throw Uploads.notStored(e);
    } finally {
      BlobStore.discard(incoming);
    }
  }

  private static void checkJson(Path file) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file), PIECE)) {
      Optional<String> flaw = Json.flaw(in);
      if (flaw.isPresent()) {
        throw new ApiException(ApiError.invalidJson(flaw.get()));
      }
    }
  }

  private RuntimeException refused(Throwable failure) {
    return Uploads.cause(failure) instanceof StreamLimitReachedException
        ? new ApiException(tooLarge())
        : Uploads.failed(failure);
  }

  private ApiError tooLarge() {
    return ApiError.of(
        413,
        "PAYLOAD_TOO_LARGE",
        "A payload may have at most " + settings.largest() + " bytes (troupe.jobs.blobs.largest)");
  }

  private ApiError full() {
    return ApiError.of(
            429,
            "QUEUE_FULL",
            "Large payloads and results take "
                + store.bytes()
                + " bytes of disk and no more are taken for now (troupe.jobs.blobs.bytes)")
        .after(FULL_FOR);
  }

  /** From now on the blob is this job's. */
  CompletionStage<Void> belongs(BlobRef ref, String job) {
    return CompletableFuture.runAsync(
        () -> {
          try {
            store.belongs(ref, job);
          } catch (IOException e) {
            throw Uploads.notStored(e);
          }
        },
        files);
  }

  /** It is of no use any more. */
  void remove(BlobRef ref) {
    files.execute(() -> store.remove(ref.name()));
  }

  /** It is of no use any more unless it belongs to a job. */
  void removeUnowned(BlobRef ref) {
    files.execute(() -> store.removeUnowned(ref.name()));
  }

  /** Its bytes as a body; empty when it is not there. */
  CompletionStage<Optional<ResponseEntity>> entity(String name, ContentType type) {
    return CompletableFuture.supplyAsync(() -> entity(store.find(name), type), files);
  }

  /** The same for the result of a job. */
  CompletionStage<Optional<ResponseEntity>> entity(BlobRef ref, String job, ContentType type) {
    return CompletableFuture.supplyAsync(() -> entity(store.find(ref.name(), job), type), files);
  }

  private static Optional<ResponseEntity> entity(Optional<BlobStore.Blob> found, ContentType type) {
    return found.flatMap(
        blob -> {
          long size = blob.ref().size();
          if (size > WHOLE) {
            return Optional.of(
                HttpEntities.create(type, size, FileIO.fromPath(blob.file(), PIECE)));
          }
          try {
            return Optional.of(HttpEntities.create(type, read(blob.file(), false)));
          } catch (IOException e) {
            LOG.warn("A payload or result could not be read", e);
            return Optional.empty();
          }
        });
  }

  /**
   * The result has been told in a line of a map: it is seldom asked for again, so only the last few
   * are kept, which the file system may never have to write.
   */
  void told(BlobRef ref) {
    synchronized (told) {
      told.add(ref);
      toldBytes += ref.size();
      while (toldBytes > settings.told()) {
        BlobRef oldest = told.remove();
        toldBytes -= oldest.size();
        remove(oldest);
      }
    }
  }

  /** Where blobs are, for who is on the same machine. */
  String mark() {
    return store.mark().toString();
  }

  /**
   * The result of a job; null when it is not there any more, or too long for a line.
   *
   * @param json whether it is JSON, which is made one line
   */
  CompletionStage<@org.jspecify.annotations.Nullable ByteString> bytes(
      BlobRef ref, String job, boolean json) {
    return CompletableFuture.supplyAsync(
        () -> {
          BlobStore.Blob blob = store.find(ref.name(), job).orElse(null);
          if (blob == null || ref.size() > LONGEST_LINE) {
            return null;
          }
          try {
            return read(blob.file(), json);
          } catch (IOException e) {
            LOG.warn("A result could not be read", e);
            return null;
          }
        },
        files);
  }

  private static ByteString read(Path file, boolean json) throws IOException {
    try (FileChannel in = FileChannel.open(file)) {
      ByteString whole = ByteString.emptyByteString();
      for (long missing = in.size(); missing > 0; ) {
        ByteBuffer piece = ByteBuffer.allocate((int) Math.min(missing, PIECE));
        while (piece.hasRemaining() && in.read(piece) >= 0) {}
        missing = piece.hasRemaining() ? 0 : missing - piece.position();
        byte[] bytes = piece.array();
        if (json) {
          PlainText.joinLines(bytes, 0, piece.position());
        }
        whole = whole.concat(ByteString.fromArrayUnsafe(bytes, 0, piece.position()));
      }
      return whole;
    }
  }

  static ContentType bytesType() {
    return ContentTypes.APPLICATION_OCTET_STREAM;
  }
}
