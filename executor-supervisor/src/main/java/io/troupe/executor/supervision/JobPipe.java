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
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The jobs that one process was sent and has not answered, in the order in which it runs them: the
 * first is the one that runs. Times are nanoseconds of one monotonic clock. Not thread-safe;
 * belongs to one start of one process.
 */
final class JobPipe {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final byte[] NOTHING = new byte[0];

  private record Sent(long id, Assignment job) {}

  private final String worker;
  private final Deque<Sent> sent = new ArrayDeque<>();
  private final Set<AttemptRef> cancelled = new HashSet<>();
  private final Map<AttemptRef, Cause> givenUp = new HashMap<>();
  private long nextId = 1;
  private long headSince;

  JobPipe(String worker) {
    this.worker = worker;
  }

  boolean isEmpty() {
    return sent.isEmpty();
  }

  int size() {
    return sent.size();
  }

  /** Takes jobs; the frames to send for them. */
  List<Frame> add(List<Assignment> jobs, long now) {
    if (sent.isEmpty()) {
      headSince = now;
    }
    List<Frame> frames = new ArrayList<>(jobs.size());
    for (Assignment job : jobs) {
      long id = nextId++;
      sent.addLast(new Sent(id, job));
      frames.add(new Frame(Frame.Type.JOB, job.type(), id, job.function(), job.payload()));
    }
    return frames;
  }

  /**
   * Takes answers; the outcomes they are.
   *
   * @throws IllegalArgumentException when a frame answers nothing that was asked; the text is for
   *     people
   */
  List<Outcome> answered(List<Frame> frames, long now) {
    long micros = (now - headSince) / 1000 / Math.max(1, frames.size());
    headSince = now;
    List<Outcome> outcomes = new ArrayList<>(frames.size());
    for (Frame frame : frames) {
      Sent first = sent.peekFirst();
      if (first == null || first.id() != frame.id()) {
        throw new IllegalArgumentException(
            "it answered job "
                + frame.id()
                + " instead of "
                + (first == null ? "none" : first.id()));
      }
      sent.removeFirst();
      outcomes.add(outcome(first.job(), frame, micros));
    }
    return outcomes;
  }

  private Outcome outcome(Assignment job, Frame frame, long micros) {
    boolean wasCancelled = !cancelled.isEmpty() && cancelled.remove(job.ref());
    Cause whyGivenUp = givenUp.isEmpty() ? null : givenUp.remove(job.ref());
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
        if (gaveWay && wasCancelled) {
          yield end(job, Outcome.Kind.CANCELLED, raised, micros);
        }
        if (gaveWay && whyGivenUp != null) {
          yield end(job, Outcome.Kind.LOST, with(whyGivenUp, raised.lastOutput()), micros);
        }
        yield end(job, Outcome.Kind.FAILED, raised, micros);
      }
      case HELLO, JOB, SHUTDOWN ->
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
   * The process is gone; what that means for the jobs it had.
   *
   * @param begun id of the job it began last; empty when it did not tell, then the first one counts
   *     as begun
   */
  List<Outcome> broken(Optional<Long> begun, Cause cause, long now) {
    List<Outcome> outcomes = new ArrayList<>(sent.size());
    boolean first = true;
    for (Sent entry : sent) {
      boolean started = begun.map(id -> entry.id() <= id).orElse(first);
      Outcome.Kind kind = started ? Outcome.Kind.LOST : Outcome.Kind.NOT_STARTED;
      if (cancelled.contains(entry.job().ref())) {
        kind = Outcome.Kind.CANCELLED;
      }
      outcomes.add(end(entry.job(), kind, cause, started ? (now - headSince) / 1000 : 0));
      first = false;
    }
    sent.clear();
    cancelled.clear();
    givenUp.clear();
    return outcomes;
  }

  /** These are not wanted any more. */
  void cancel(List<AttemptRef> attempts) {
    Set<AttemptRef> wanted = new HashSet<>(attempts);
    for (Sent entry : sent) {
      if (wanted.contains(entry.job().ref())) {
        cancelled.add(entry.job().ref());
      }
    }
  }

  /** The running job has to end for this cause: it is lost when it gives way to an interrupt. */
  void giveUpHead(Cause cause) {
    Sent first = sent.peekFirst();
    if (first != null) {
      givenUp.put(first.job().ref(), cause);
    }
  }

  /** Id of the running job, if it is not wanted any more. */
  OptionalLong unwantedHead() {
    Sent first = sent.peekFirst();
    return first != null && !cancelled.isEmpty() && cancelled.contains(first.job().ref())
        ? OptionalLong.of(first.id())
        : OptionalLong.empty();
  }

  /** When the running job will have run out of its time; empty when none runs. */
  OptionalLong headDeadline() {
    Sent first = sent.peekFirst();
    return first == null
        ? OptionalLong.empty()
        : OptionalLong.of(headSince + first.job().timeoutMillis() * 1_000_000);
  }

  /** Id of the running job; 0 when none runs. */
  long head() {
    Sent first = sent.peekFirst();
    return first == null ? 0 : first.id();
  }

  /** Milliseconds that the running job may take. */
  long headTimeoutMillis() {
    Sent first = sent.peekFirst();
    return first == null ? 0 : first.job().timeoutMillis();
  }

  /** The process turned out to have gone on to a later job: that one's time starts now. */
  void headMoved(long now) {
    headSince = now;
  }
}
