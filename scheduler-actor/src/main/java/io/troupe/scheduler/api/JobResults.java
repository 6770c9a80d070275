package io.troupe.scheduler.api;

import akka.NotUsed;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.HttpRequest;
import akka.stream.javadsl.Framing;
import akka.stream.javadsl.FramingTruncation;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import com.fasterxml.jackson.databind.JsonNode;
import io.troupe.model.BlobRef;
import io.troupe.model.ContentType;
import io.troupe.scheduler.jobs.JobEnd;
import io.troupe.scheduler.jobs.JobQueue;
import io.troupe.scheduler.jobs.QueueDirectory;
import io.troupe.scheduler.jobs.QueueEntry;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Ids of jobs in, one a line as a JSON text; a line as of a map for each as it ends. So a client
 * waits for any number of jobs on one connection. Its jobs go on when it leaves.
 */
final class JobResults extends Asking {
  /** A queue holds a question for so long; then it is asked again. */
  private static final Duration WAIT = Duration.ofMinutes(1);

  /** A scheduler that still reads its jobs does not know yet which are its own. */
  private static final Duration ASKED_AGAIN_AFTER = Duration.ofMillis(100);

  private static final int LONGEST_ID = 300;
  private static final int BATCH_BYTES = 64 * 1024;
  private static final int LINE_BYTES = 128;

  private record Line(long index, String id) {}

  private final QueueDirectory directory;
  private final int atOnce;
  private final Blobs blobs;

  /**
   * @param atOnce so many jobs are waited for at a time; further ids are read when one has ended
   */
  JobResults(ActorSystem<?> system, QueueDirectory directory, int atOnce, Blobs blobs) {
    super(system);
    this.directory = directory;
    this.atOnce = atOnce;
    this.blobs = blobs;
  }

  /** The lines of the answer to this request; they end when all its jobs have, or he has gone. */
  Source<ByteString, NotUsed> of(HttpRequest request) {
    AtomicLong index = new AtomicLong();
    return keptAlive(
        new Body()
            .of(request.entity())
            .via(
                Framing.delimiter(ByteString.fromString("\n"), LONGEST_ID, FramingTruncation.ALLOW))
            .map(text -> new Line(index.getAndIncrement(), id(text)))
            .mapAsyncUnordered(atOnce, this::result)
            .batchWeighted(
                BATCH_BYTES, line -> (long) line.size(), line -> line, ByteString::concat));
  }

  private static String id(ByteString text) {
    byte[] line = text.toArray();
    if (Json.flaw(line, 0, line.length).isEmpty()) {
      JsonNode id = Json.parse(line);
      if (id.isTextual()) {
        return id.asText();
      }
    }
    return text.utf8String();
  }

  private CompletionStage<ByteString> result(Line line) {
    Optional<QueueEntry> entry = directory.ofJob(line.id());
    if (entry.isEmpty() && directory.isOpening()) {
      return after(ASKED_AGAIN_AFTER, () -> result(line));
    }
    if (entry.isEmpty()) {
      return CompletableFuture.completedFuture(unknown(line));
    }
    return this.<JobQueue.Command, JobQueue.Answer>ask(
            entry.get().queue(), replyTo -> new JobQueue.Find(line.id(), WAIT, replyTo), WAIT)
        .thenCompose(answer -> result(line, answer));
  }

  /** The line of a job that has ended, with this index. */
  CompletionStage<ByteString> line(long index, String id, JobQueue.Ended ended) {
    return result(new Line(index, id), ended);
  }

  /** The line for a job that is not known. */
  static ByteString unknown(long index, String id) {
    return unknown(new Line(index, id));
  }

  private CompletionStage<ByteString> result(Line line, JobQueue.Answer answer) {
    if (answer instanceof JobQueue.Ended ended && ended.type().isBlob()) {
      return blobs
          .bytes(BlobRef.of(ended.body()), line.id(), ended.type().plain() == ContentType.JSON)
          .thenApply(
              body -> {
                ResultLines lines = new ResultLines(2 * LINE_BYTES);
                lines.add(end(line, ended), body);
                return lines.take();
              });
    }
    if (answer instanceof JobQueue.Ended ended) {
      ResultLines lines = new ResultLines(ended.body().length + LINE_BYTES);
      lines.add(end(line, ended));
      return CompletableFuture.completedFuture(lines.take());
    }
    return answer instanceof JobQueue.Accepted
        ? result(line)
        : CompletableFuture.completedFuture(unknown(line));
  }

  private static JobEnd end(Line line, JobQueue.Ended ended) {
    return new JobEnd(
        line.index(),
        line.id(),
        ended.job().state(),
        ended.type(),
        ended.body(),
        ended.job().cause());
  }

  private static ByteString unknown(Line line) {
    ResultLines lines = new ResultLines(LINE_BYTES);
    lines.add(line.index(), ApiError.jobNotFound(line.id()));
    return lines.take();
  }
}
