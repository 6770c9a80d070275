package io.troupe.scheduler.api;

import akka.actor.Terminated;
import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.Adapter;
import akka.stream.Attributes;
import akka.stream.FlowShape;
import akka.stream.Inlet;
import akka.stream.Outlet;
import akka.stream.stage.AbstractInHandler;
import akka.stream.stage.AbstractOutHandler;
import akka.stream.stage.AsyncCallback;
import akka.stream.stage.GraphStage;
import akka.stream.stage.GraphStageLogic;
import akka.stream.stage.TimerGraphStageLogic;
import akka.util.ByteString;
import io.troupe.model.BlobRef;
import io.troupe.model.ContentType;
import io.troupe.scheduler.jobs.JobEnd;
import io.troupe.scheduler.jobs.JobQueue;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.NewJob;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import scala.Tuple2;
import scala.jdk.javaapi.FutureConverters;
import scala.runtime.BoxedUnit;

/**
 * Lines with payloads in, lines with results out, in the order in which the jobs end.
 *
 * <p>At most {@code jobs} jobs are in the queue or on a worker at a time, with at most {@code
 * bytes} of payload; while so many bytes of results wait for a slow reader, no further job is
 * submitted and no further line read. When the stream ends early, on either side, the jobs that
 * have not ended are cancelled.
 *
 * <p>A client that sends nothing may have closed its half of the connection to read the rest, may
 * not be read from now, or may be gone; Akka HTTP does not know, and TCP tells only whom it gives
 * something to: the first thing that comes to one who is gone is answered with a reset, the second
 * finds it. So he gets a space before the next line some times a second while a job has not ended.
 */
final class MapStage extends GraphStage<FlowShape<ByteString, ByteString>> {

  /**
   * What one map asks for.
   *
   * @param longest how many bytes a line may have
   * @param jobs how many jobs may be under way
   * @param bytes how many bytes of payloads, and of results not yet read, there may be
   * @param whole whether all lines have come, asked when no more come
   * @param closed whether the client's connection is closed
   * @param filed payloads of more bytes are kept in files while their jobs need them
   * @param blobs where large payloads and results are
   */
  record Order(
      ActorRef<JobQueue.Command> queue,
      String pool,
      String function,
      NewJob.Terms terms,
      int longest,
      int jobs,
      long bytes,
      BooleanSupplier whole,
      BooleanSupplier closed,
      long filed,
      Blobs blobs) {}

  private record Read(JobEnd end, @Nullable ByteString body) {}

  private record Stored(
      long index, ByteString text, @Nullable BlobRef ref, @Nullable Throwable failure) {}

  private static final int LONG_TEXT = 1024;
  private static final Duration ASK_AGAIN_AFTER = Duration.ofMillis(50);
  private static final Duration SIGN_OF_LIFE_EVERY = Duration.ofMillis(300);
  private static final String ASK_AGAIN = "ask again";
  private static final String SIGN_OF_LIFE = "sign of life";
  private static final ByteString SPACE = ByteString.fromString(" ");

  private final Inlet<ByteString> in = Inlet.create("Map.payloads");
  private final Outlet<ByteString> out = Outlet.create("Map.results");
  private final FlowShape<ByteString, ByteString> shape = FlowShape.of(in, out);
  private final Order order;

  MapStage(Order order) {
    this.order = order;
  }

  @Override
  public FlowShape<ByteString, ByteString> shape() {
    return shape;
  }

  @Override
  public GraphStageLogic createLogic(Attributes inherited) {
    return new Logic();
  }

  private final class Logic extends TimerGraphStageLogic implements LineSplitter.Lines {
    private final LineSplitter splitter = new LineSplitter(order.filed(), order.longest());
    private final ResultLines results = new ResultLines();

    /** Jobs that wait for room; less than one piece of input makes. */
    private final ArrayDeque<NewJob> waiting = new ArrayDeque<>();

    /** Payload sizes of the jobs under way whose payload is not tiny, by index. */
    private final Map<Long, Integer> large = new HashMap<>();

    /** Payloads in files, by index of their jobs. */
    private final Map<Long, BlobRef> payloads = new HashMap<>();

    /** Ends whose results are in files, and wait until there is room for these. */
    private final ArrayDeque<JobEnd> inFiles = new ArrayDeque<>();

    private int beingRead;
    private long bytesRead;
    private int stored;
    private long bytesStored;
    private final int tiny = (int) Math.max(1, order.bytes() / order.jobs() / 2);
    private long index;
    private int underWay;
    private long bytesUnderWay;
    private double resultBytes;

    /** Whether a line has gone out since the last sign of life was due. */
    private boolean answered;

    private boolean paused;
    private boolean queueGone;
    private @Nullable ActorRef<JobQueue.Told> self;
    private final AsyncCallback<Read> read =
        createAsyncCallback(
            result -> {
              BlobRef ref = BlobRef.of(result.end().body());
              bytesRead -= ref.size();
              beingRead--;
              note(result.end(), () -> results.add(result.end(), result.body()));
              order.blobs().told(ref);
              proceed();
            });
    private final AsyncCallback<Stored> payloadStored =
        createAsyncCallback(
            payload -> {
              stored--;
              bytesStored -= payload.text().size();
              onStored(payload);
              proceed();
            });

    Logic() {
      super(shape);
      setHandler(
          in,
          new AbstractInHandler() {
            @Override
            public void onPush() {
              splitter.push(grab(in), Logic.this);
              proceed();
            }

            @Override
            public void onUpstreamFinish() {
              if (!order.whole().getAsBoolean()) {
                // What looks like the last line may be a part of one.
                completeStage();
                return;
              }
              splitter.finish(Logic.this);
              proceed();
            }
          });
      setHandler(
          out,
          new AbstractOutHandler() {
            @Override
            public void onPull() {
              proceed();
            }
          });
    }

    @Override
    public void preStart() {
      StageActor actor = getStageActor(this::onTold);
      actor.watch(Adapter.toClassic(order.queue()));
      self = Adapter.toTyped(actor.ref());
      scheduleAtFixedRate(SIGN_OF_LIFE, SIGN_OF_LIFE_EVERY, SIGN_OF_LIFE_EVERY);
    }

    @Override
    public void postStop() {
      payloads.values().forEach(order.blobs()::removeUnowned);
    }

    // ---- lines in

    @Override
    public void line(byte[] text) {
      long number = index++;
      if (isBlank(ByteBuffer.wrap(text))) {
        return;
      }
      flaw(text)
          .ifPresentOrElse(
              flaw -> results.add(number, ApiError.invalidJson(flaw)),
              () -> waiting.add(job(ContentType.JSON, text, number)));
    }

    @Override
    public void largeLine(ByteString text) {
      long number = index++;
      for (ByteBuffer part : text.getByteBuffers()) {
        if (!isBlank(part)) {
          store(number, text);
          return;
        }
      }
    }

    private NewJob job(ContentType type, byte[] payload, long number) {
      return new NewJob(order.function(), type, payload, order.terms(), null, number);
    }

    private void store(long number, ByteString text) {
      stored++;
      bytesStored += text.size();
      CompletionStage<Object> unused =
          order
              .blobs()
              .put(text)
              .handle((ref, failure) -> new Stored(number, text, ref, failure))
              .thenCompose(
                  payload ->
                      Stages.direct(
                              FutureConverters.asJava(payloadStored.invokeWithFeedback(payload)))
                          .<Object>thenApply(done -> done)
                          .exceptionally(over -> discard(payload)));
    }

    /** The map is over. */
    private Object discard(Stored payload) {
      if (payload.ref() != null) {
        order.blobs().remove(payload.ref());
      }
      return payload;
    }

    /** What cannot be stored is small enough to travel along. */
    private void onStored(Stored payload) {
      if (payload.ref() != null) {
        payloads.put(payload.index(), payload.ref());
      }
      if (queueGone) {
        results.add(payload.index(), ApiError.poolNotFound(order.pool()));
      } else if (payload.ref() != null) {
        waiting.add(job(ContentType.JSON_BLOB, payload.ref().bytes(), payload.index()));
      } else if (Uploads.cause(Objects.requireNonNull(payload.failure()))
              instanceof ApiException refusal
          && refusal.error().isInvalidJson()) {
        results.add(payload.index(), refusal.error());
      } else {
        waiting.add(job(ContentType.JSON, payload.text().toArray(), payload.index()));
      }
    }

    private static Optional<String> flaw(byte[] text) {
      return text.length >= LONG_TEXT && PlainText.isJson(text)
          ? Optional.empty()
          : Json.flaw(text, 0, text.length);
    }

    @Override
    public void tooLong() {
      results.add(
          index++,
          ApiError.of(
              413,
              "PAYLOAD_TOO_LARGE",
              "A payload may have at most "
                  + order.longest()
                  + " bytes (troupe.jobs.max-payload)"));
    }

    private static boolean isBlank(ByteBuffer text) {
      while (text.hasRemaining()) {
        byte each = text.get();
        if (each > ' ' || each < 0) {
          return false;
        }
      }
      return true;
    }

    // ---- jobs

    private BoxedUnit onTold(Tuple2<akka.actor.ActorRef, Object> told) {
      Object message = told._2();
      if (message instanceof JobQueue.Ends ends) {
        ends.ends().forEach(this::onEnd);
      } else if (message instanceof JobQueue.NotTaken notTaken) {
        onNotTaken(notTaken.jobs());
      } else if (message instanceof Terminated) {
        queueGone = true;
        waiting.forEach(job -> results.add(job.index(), ApiError.poolNotFound(order.pool())));
        waiting.clear();
        underWay = inFiles.size() + beingRead;
      }
      proceed();
      return BoxedUnit.UNIT;
    }

    private void onEnd(JobEnd end) {
      BlobRef payload = payloads.isEmpty() ? null : payloads.remove(end.index());
      if (payload != null && end.state() == JobState.SUCCEEDED) {
        if (!Arrays.equals(payload.bytes(), end.body())) {
          order.blobs().remove(payload);
        }
      } else if (payload != null) {
        // It can be retried.
        CompletionStage<Void> unused = order.blobs().belongs(payload, end.id());
      }
      if (end.type().isBlob()) {
        inFiles.add(end);
      } else {
        note(end, () -> results.add(end));
      }
    }

    private void readFiles() {
      while (!inFiles.isEmpty()
          && (bytesRead == 0 || results.size() + bytesRead < order.bytes())
          && results.size() < order.bytes()) {
        JobEnd end = inFiles.remove();
        BlobRef ref = BlobRef.of(end.body());
        bytesRead += ref.size();
        beingRead++;
        CompletionStage<Void> unused =
            order
                .blobs()
                .bytes(ref, end.id(), end.type().plain() == ContentType.JSON)
                .handle((body, failure) -> new Read(end, failure == null ? body : null))
                .thenAccept(read::invoke);
      }
    }

    private void note(JobEnd end, Runnable add) {
      int before = results.size();
      add.run();
      resultBytes += (results.size() - before - resultBytes) / 16;
      leave(end.index());
    }

    private void onNotTaken(List<NewJob> jobs) {
      for (int i = jobs.size() - 1; i >= 0; i--) {
        leave(jobs.get(i).index());
        waiting.addFirst(jobs.get(i));
      }
      paused = true;
      scheduleOnce(ASK_AGAIN, ASK_AGAIN_AFTER);
    }

    @Override
    public void onTimer(Object key) {
      if (key.equals(SIGN_OF_LIFE)) {
        if (order.closed().getAsBoolean()) {
          completeStage();
        } else if (!answered && underWay > 0 && isAvailable(out)) {
          // Only where a line is to follow: an answer must not end in a space.
          push(out, SPACE);
        }
        answered = false;
      } else {
        paused = false;
        proceed();
      }
    }

    private void enter(NewJob job) {
      BlobRef inFile = job.type().isBlob() ? payloads.get(job.index()) : null;
      int size = inFile == null ? job.payload().length : (int) inFile.size();
      underWay++;
      if (size > tiny) {
        large.put(job.index(), size);
        bytesUnderWay += size;
      } else {
        bytesUnderWay += tiny;
      }
    }

    private void leave(long number) {
      underWay--;
      Integer size = large.isEmpty() ? null : large.remove(number);
      bytesUnderWay -= size == null ? tiny : size;
    }

    private boolean hasRoom() {
      return underWay < order.jobs()
          && bytesUnderWay + bytesStored < order.bytes()
          && results.size() + resultBytes * underWay < order.bytes();
    }

    // ---- what to do next

    private void proceed() {
      if (results.size() > 0 && isAvailable(out)) {
        push(out, results.take());
        answered = true;
      }
      readFiles();
      submit();
      if (isClosed(in) || queueGone) {
        completeWhenDone();
      } else if (waiting.isEmpty() && hasRoom() && !hasBeenPulled(in)) {
        pull(in);
      }
    }

    private void submit() {
      if (paused || waiting.isEmpty() || !(underWay == 0 || hasRoom())) {
        return;
      }
      if (results.size() >= order.bytes()) {
        return;
      }
      List<NewJob> batch = new ArrayList<>();
      do {
        NewJob job = waiting.remove();
        enter(job);
        batch.add(job);
      } while (!waiting.isEmpty() && hasRoom());
      order.queue().tell(new JobQueue.SubmitMany(batch, Objects.requireNonNull(self)));
    }

    private void completeWhenDone() {
      if (waiting.isEmpty() && stored == 0 && underWay == 0 && results.size() == 0) {
        completeStage();
      }
    }
  }
}
