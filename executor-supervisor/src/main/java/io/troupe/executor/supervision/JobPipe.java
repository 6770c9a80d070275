package io.troupe.executor.supervision;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.model.Raised;
import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import io.troupe.protocol.codec.Frame;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The jobs that one process was sent and has not answered. It begins them in this order and runs so
 * many at once, so the first ones are those that run; a job's time counts from when it became one
 * of them. Times are nanoseconds of one monotonic clock. Not thread-safe; belongs to one start of
 * one process.
 */
final class JobPipe {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final byte[] NOTHING = new byte[0];

  private static final class Sent {
    final long id;
    final Assignment job;
    long since;
    boolean unwanted;

    /** It was told to end. */
    boolean ending;

    @Nullable Cause givenUp;

    Sent(long id, Assignment job) {
      this.id = id;
      this.job = job;
    }

    long deadline() {
      return since + job.timeoutMillis() * 1_000_000;
    }
  }

  /**
   * A job that has run out of its time.
   *
   * @param id its number
   * @param timeoutMillis how long it might have run
   */
  record Late(long id, long timeoutMillis) {}

  private final String worker;
  private final int width;

  /** In the order in which they began, at most as many as the width. */
  private final List<Sent> running;

  private final Deque<Sent> waiting = new ArrayDeque<>();

  /** How many of all have a mark that looks for them. */
  private int unwanted;

  private long nextId = 1;

  /** Id of the last job that the process was asked to give back; 0 when it was not. */
  private long recalled;

  /**
   * A pipe with nothing in it.
   *
   * @param worker whose it is
   * @param width how many jobs the process runs at once
   */
  JobPipe(String worker, int width) {
    this.worker = worker;
    this.width = width;
    this.running = new ArrayList<>(Math.min(width, 16));
  }

  boolean isEmpty() {
    return running.isEmpty() && waiting.isEmpty();
  }

  int size() {
    return running.size() + waiting.size();
  }

  /** Takes jobs; the frames to send for them. */
  List<Frame> add(List<Assignment> jobs, long now) {
    List<Frame> frames = new ArrayList<>(jobs.size());
    for (Assignment job : jobs) {
      Sent entry = new Sent(nextId++, job);
      if (running.size() < width) {
        begin(entry, now);
      } else {
        waiting.addLast(entry);
      }
      frames.add(new Frame(Frame.Type.JOB, job.type(), entry.id, job.function(), job.payload()));
    }
    return frames;
  }

  private void begin(Sent entry, long now) {
    entry.since = now;
    running.add(entry);
  }

  /**
   * Asks for what waits behind the job that the process began last.
   *
   * @param begun its id; 0 when it has begun none
   * @return id of the last job that is to be given back; empty when none waits behind that one, or
   *     the process has yet to begin the first one that it has not answered
   */
  OptionalLong recall(long begun) {
    long last = waiting.isEmpty() ? 0 : waiting.getLast().id;
    if (width > 1 || begun < head() || begun >= last) {
      return OptionalLong.empty();
    }
    recalled = last;
    return OptionalLong.of(last);
  }

  /**
   * Takes answers. Of jobs that were answered together nobody knows how long each took: they share
   * the time.
   *
   * @param outcomes gets the outcomes they are; those of the frames before a bad one, too
   * @param returned gets the jobs that are given back, likewise
   * @throws IllegalArgumentException when a frame answers nothing that was asked; the text is for
   *     people, and the job it named is still here
   */
  void answered(List<Frame> frames, long now, List<Outcome> outcomes, List<Assignment> returned) {
    long shared = frames.size() > 1 ? shareOf(frames, now) : -1;
    for (Frame frame : frames) {
      if (frame.type() == Frame.Type.RETURNED) {
        giveBack(frame.id(), returned);
        continue;
      }
      int place = answeredBy(frame);
      Sent entry = running.get(place);
      long micros = shared >= 0 ? shared : (now - entry.since) / 1000;
      outcomes.add(outcome(entry, frame, micros)); // throws before anything is forgotten
      running.remove(place);
      if (entry.unwanted) {
        unwanted--;
      }
      Sent next = waiting.pollFirst();
      if (next != null) {
        begin(next, now);
      }
    }
  }

  private void giveBack(long last, List<Assignment> returned) {
    if (last > recalled || waiting.isEmpty() || last < waiting.getFirst().id) {
      throw new IllegalArgumentException(
          "it gave back job " + last + ", which it was not asked for");
    }
    while (!waiting.isEmpty() && waiting.getFirst().id <= last) {
      Sent entry = waiting.removeFirst();
      if (entry.unwanted) {
        unwanted--;
      }
      returned.add(entry.job);
    }
  }

  private long shareOf(List<Frame> frames, long now) {
    long nanos = 0;
    long answers = 0;
    for (Frame frame : frames) {
      answers += frame.type() == Frame.Type.RETURNED ? 0 : 1;
    }
    for (Sent entry : running) {
      if (width == 1 || frames.stream().anyMatch(frame -> frame.id() == entry.id)) {
        nanos += now - entry.since;
      }
    }
    return nanos / 1000 / Math.max(1, answers);
  }

  /** The place of the running job that it answers. */
  private int answeredBy(Frame frame) {
    for (int i = 0; i < running.size(); i++) {
      if (running.get(i).id == frame.id()) {
        return i;
      }
    }
    throw new IllegalArgumentException(
        "it answered job "
            + frame.id()
            + " instead of "
            + (running.isEmpty()
                ? "none"
                : running.stream()
                    .map(entry -> Long.toString(entry.id))
                    .collect(Collectors.joining(", "))));
  }

  private Outcome outcome(Sent entry, Frame frame, long micros) {
    Assignment job = entry.job;
    return switch (frame.type()) {
      case RESULT ->
          new Outcome(
              job.job(),
              job.attempt(),
              Outcome.Kind.SUCCEEDED,
              frame.content(),
              frame.payload(),
              null,
              worker,
              micros);
      case ERROR -> {
        Cause raised = raised(frame.payload());
        boolean gaveWay = frame.name().equals("cancelled");
        if (gaveWay && entry.unwanted) {
          yield end(job, Outcome.Kind.CANCELLED, raised, micros);
        }
        if (gaveWay && entry.givenUp != null) {
          yield end(job, Outcome.Kind.LOST, with(entry.givenUp, raised.lastOutput()), micros);
        }
        yield end(job, Outcome.Kind.FAILED, raised, micros);
      }
      case HELLO, JOB, SHUTDOWN, CANCEL, RETURNED ->
          throw new IllegalArgumentException("it sent a frame of type " + frame.type());
    };
  }

  private static Cause with(Cause cause, List<String> whereItWas) {
    return new Cause(cause.kind(), cause.message(), null, null, whereItWas);
  }

  private static Cause raised(byte[] payload) {
    try {
      JsonNode error = MAPPER.readTree(payload);
      List<String> lines = new ArrayList<>();
      error.path("traceback").forEach(line -> lines.add(line.asText()));
      String type = error.path("type").asText("");
      return new Cause(
          type.equals("MemoryError") ? Cause.Kind.OOM : Cause.Kind.USER,
          type + ": " + error.path("message").asText(""),
          null,
          null,
          lines,
          new Raised(
              type,
              error.path("module").asText("builtins"),
              error.path("message").asText(""),
              error.path("args").isArray() ? error.path("args").toString() : ""));
    } catch (IOException e) {
      return Cause.of(Cause.Kind.USER, new String(payload, UTF_8));
    }
  }

  private Outcome end(Assignment job, Outcome.Kind kind, Cause cause, long micros) {
    return new Outcome(
        job.job(), job.attempt(), kind, ContentType.JSON, NOTHING, cause, worker, micros);
  }

  /**
   * The process is gone; what that means for the jobs it had. Where it went because of some that
   * did not end when they were told to, the others that ran beside them get a cause that says so.
   *
   * @param begun id of the job it began last; empty when it did not tell, then those that were to
   *     run count as begun
   */
  List<Outcome> broken(Optional<Long> begun, Cause cause, long now) {
    List<Outcome> outcomes = new ArrayList<>(size());
    boolean forOthers = width > 1 && running.stream().anyMatch(entry -> entry.ending);
    Cause besides =
        forOthers
            ? new Cause(
                Cause.Kind.KILLED,
                "its process ended with another job that it ran: " + cause.message(),
                cause.exitCode(),
                cause.signal(),
                cause.lastOutput())
            : cause;
    for (Sent entry : running) {
      boolean started = begun.map(id -> entry.id <= id).orElse(true);
      outcomes.add(broken(entry, started, entry.ending ? cause : besides, now));
    }
    for (Sent entry : waiting) {
      outcomes.add(broken(entry, begun.map(id -> entry.id <= id).orElse(false), besides, now));
    }
    running.clear();
    waiting.clear();
    unwanted = 0;
    return outcomes;
  }

  private Outcome broken(Sent entry, boolean started, Cause cause, long now) {
    Outcome.Kind kind = started ? Outcome.Kind.LOST : Outcome.Kind.NOT_STARTED;
    if (entry.unwanted) {
      kind = Outcome.Kind.CANCELLED;
    }
    long since = entry.since == 0 ? now : entry.since;
    return end(entry.job, kind, cause, started ? (now - since) / 1000 : 0);
  }

  /** These are not wanted any more. */
  void cancel(List<AttemptRef> attempts) {
    Set<AttemptRef> wanted = new HashSet<>(attempts);
    running.forEach(entry -> markUnwanted(entry, wanted));
    waiting.forEach(entry -> markUnwanted(entry, wanted));
  }

  private void markUnwanted(Sent entry, Set<AttemptRef> wanted) {
    if (!entry.unwanted && wanted.contains(entry.job.ref())) {
      entry.unwanted = true;
      unwanted++;
    }
  }

  /** Ids of running jobs that are not wanted any more and have not been told to end. */
  List<Long> unwanted() {
    return unwanted == 0
        ? List.of()
        : running.stream()
            .filter(entry -> entry.unwanted && !entry.ending)
            .map(entry -> entry.id)
            .toList();
  }

  /** This running job has to end for this cause: it is lost when it gives way. */
  void giveUp(long id, Cause cause) {
    find(id).ifPresent(entry -> entry.givenUp = cause);
  }

  /** This running job is told to end; false when it has been, or does not run. */
  boolean tellToEnd(long id) {
    Optional<Sent> found = find(id).filter(entry -> !entry.ending);
    found.ifPresent(entry -> entry.ending = true);
    return found.isPresent();
  }

  /** Id of this attempt, if it runs. */
  Optional<Long> idOf(AttemptRef attempt) {
    return running.stream()
        .filter(entry -> entry.job.ref().equals(attempt))
        .findFirst()
        .map(entry -> entry.id);
  }

  /** Whether this job runs. */
  boolean runs(long id) {
    return find(id).isPresent();
  }

  private Optional<Sent> find(long id) {
    return running.stream().filter(entry -> entry.id == id).findFirst();
  }

  /** Ids of the jobs that run and have not been told to end. */
  List<Long> undisturbed() {
    return running.stream().filter(entry -> !entry.ending).map(entry -> entry.id).toList();
  }

  /** Whether a running job was told to end. */
  boolean isEnding() {
    return running.stream().anyMatch(entry -> entry.ending);
  }

  /** When the next running job will have run out of its time; empty when none will. */
  OptionalLong nextDeadline() {
    long next = Long.MAX_VALUE;
    for (int i = 0; i < running.size(); i++) {
      Sent entry = running.get(i);
      if (!entry.ending) {
        next = Math.min(next, entry.deadline());
      }
    }
    return next == Long.MAX_VALUE ? OptionalLong.empty() : OptionalLong.of(next);
  }

  /** Running jobs that are out of their time and have not been told to end. */
  List<Late> late(long now) {
    return running.stream()
        .filter(entry -> !entry.ending && entry.deadline() <= now)
        .map(entry -> new Late(entry.id, entry.job.timeoutMillis()))
        .toList();
  }

  /** Id of the job that has run for longest; 0 when none runs. */
  long head() {
    return running.isEmpty() ? 0 : running.get(0).id;
  }

  /** The process turned out to have gone on to a later job: that one's time starts now. */
  void headMoved(long now) {
    running.get(0).since = now;
  }
}
