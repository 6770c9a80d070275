package io.troupe.scheduler.api;

import static java.nio.charset.StandardCharsets.US_ASCII;

import akka.NotUsed;
import akka.actor.typed.ActorSystem;
import akka.japi.Pair;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import akka.util.ByteStringBuilder;
import io.troupe.protocol.Parts;
import io.troupe.protocol.SchedulerToSupervisor;
import io.troupe.scheduler.jobs.JobQueue;
import io.troupe.scheduler.jobs.QueueDirectory;
import io.troupe.scheduler.jobs.QueueEntry;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * What the function of one job yields, a line for each value as it comes, and at last the line of
 * its end, as a map has it. Nothing is read before the client takes what came before. Another
 * attempt begins anew. The job goes on when the client leaves.
 */
final class JobParts extends Asking {
  /** Between two looks at a job of which there is no news: at first, doubled up to the longest. */
  private static final Duration PAUSE = Duration.ofMillis(100);

  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(2);

  /** A supervisor that does not answer so long is asked again, if the job is still there. */
  private static final Duration SUPERVISOR_ANSWERS = Duration.ofSeconds(5);

  /**
   * How far a client has read.
   *
   * @param fence of the attempt; 0 before there was one
   * @param place in what its supervisor keeps
   * @param index of the next value
   * @param pause before the next look, if there is no news
   */
  private record At(int fence, long place, long index, boolean ended, Duration pause) {
    static final At START = new At(0, 0, 0, false, PAUSE);

    At afterPause() {
      Duration twice = pause.multipliedBy(2);
      Duration next = twice.compareTo(LONGEST_PAUSE) < 0 ? twice : LONGEST_PAUSE;
      return new At(fence, place, index, ended, next);
    }
  }

  private final QueueDirectory directory;
  private final JobResults results;

  JobParts(ActorSystem<?> system, QueueDirectory directory, JobResults results) {
    super(system);
    this.directory = directory;
    this.results = results;
  }

  /** The lines for a client that has seen none. */
  Source<ByteString, NotUsed> of(String job) {
    return keptAlive(
        Source.unfoldAsync(At.START, at -> next(job, at)).filter(lines -> !lines.isEmpty()));
  }

  private CompletionStage<Optional<Pair<At, ByteString>>> next(String job, At at) {
    Optional<QueueEntry> entry = directory.ofJob(job);
    if (at.ended()) {
      return CompletableFuture.completedFuture(Optional.empty());
    }
    if (entry.isEmpty()) {
      return directory.isOpening() ? later(at) : end(at, JobResults.unknown(at.index(), job));
    }
    return this.<JobQueue.Command, JobQueue.Answer>ask(
            entry.get().queue(), replyTo -> new JobQueue.Locate(job, replyTo))
        .thenCompose(answer -> next(job, at, answer));
  }

  private CompletionStage<Optional<Pair<At, ByteString>>> next(
      String job, At at, JobQueue.Answer answer) {
    if (answer instanceof JobQueue.Runs runs) {
      return read(runs, at.fence() == runs.attempt().attempt() ? at : begin(runs));
    }
    if (answer instanceof JobQueue.Ended ended) {
      return results.line(at.index(), job, ended).thenCompose(line -> end(at, line));
    }
    if (answer instanceof JobQueue.Unknown) {
      return end(at, JobResults.unknown(at.index(), job));
    }
    return later(at);
  }

  private static At begin(JobQueue.Runs runs) {
    return new At(runs.attempt().attempt(), 0, 0, false, PAUSE);
  }

  private static CompletionStage<Optional<Pair<At, ByteString>>> end(At at, ByteString line) {
    return CompletableFuture.completedFuture(
        Optional.of(Pair.create(new At(at.fence(), at.place(), at.index(), true, PAUSE), line)));
  }

  private CompletionStage<Optional<Pair<At, ByteString>>> later(At at) {
    return after(
        at.pause(),
        () ->
            CompletableFuture.completedFuture(
                Optional.of(Pair.create(at.afterPause(), ByteString.emptyByteString()))));
  }

  private CompletionStage<Optional<Pair<At, ByteString>>> read(JobQueue.Runs runs, At at) {
    return this.<SchedulerToSupervisor, Parts>askWithin(
            runs.supervisor(),
            replyTo -> new SchedulerToSupervisor.ReadParts(runs.attempt(), at.place(), replyTo),
            SUPERVISOR_ANSWERS)
        .exceptionally(gone -> Parts.noneSince(at.place()))
        .thenCompose(
            parts ->
                parts.lines().length == 0
                    ? later(at)
                    : CompletableFuture.completedFuture(Optional.of(lines(runs, at, parts))));
  }

  private static Pair<At, ByteString> lines(JobQueue.Runs runs, At at, Parts parts) {
    ByteStringBuilder lines = new ByteStringBuilder();
    byte[] values = parts.lines();
    long index = at.index();
    int start = 0;
    for (int i = 0; i < values.length; i++) {
      if (values[i] == '\n') {
        String head =
            "{\"attempt\":" + runs.job().attempt() + ",\"index\":" + index + ",\"partial\":";
        lines.putBytes(head.getBytes(US_ASCII));
        lines.putBytes(values, start, i - start);
        lines.putBytes(new byte[] {'}', '\n'});
        index++;
        start = i + 1;
      }
    }
    return Pair.create(new At(at.fence(), parts.next(), index, false, PAUSE), lines.result());
  }
}
