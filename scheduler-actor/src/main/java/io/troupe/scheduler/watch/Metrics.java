package io.troupe.scheduler.watch;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.troupe.protocol.WorkerStatus;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.JobTimes;
import io.troupe.scheduler.jobs.QueueCounts;
import io.troupe.scheduler.jobs.QueueDirectory;
import io.troupe.scheduler.jobs.QueueEntry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;

/** The node's numbers in the form that Prometheus reads. Thread-safe. */
public final class Metrics implements AutoCloseable {
  private static final Duration[] LATENCY_BOUNDS = {
    Duration.ofMillis(1),
    Duration.ofMillis(5),
    Duration.ofMillis(25),
    Duration.ofMillis(100),
    Duration.ofMillis(500),
    Duration.ofSeconds(2),
    Duration.ofSeconds(10),
    Duration.ofSeconds(60),
    Duration.ofMinutes(10)
  };

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final JvmGcMetrics garbage = new JvmGcMetrics();
  private final QueueDirectory queues;
  private final MultiGauge queued = gauge("troupe.jobs.queued", "Jobs that wait for a worker");
  private final MultiGauge active = gauge("troupe.jobs.running", "Jobs that supervisors hold");
  private final MultiGauge bytes =
      gauge("troupe.jobs.queued.bytes", "Payloads of jobs that have not ended");
  private final MultiGauge overtaken =
      gauge("troupe.jobs.overtaken", "Results of overtaken attempts, dropped");
  private final MultiGauge lost =
      gauge("troupe.jobs.lost.attempts", "Attempts that were lost or came back");
  private final MultiGauge workers = gauge("troupe.workers", "Workers by state");
  private final MultiGauge restarts =
      gauge("troupe.worker.restarts", "How often the processes of present workers were restarted");
  private final MultiGauge rss =
      gauge("troupe.worker.rss.bytes", "Resident memory of a worker's process");

  /** Numbers of these queues, of this JVM, and of the workers told at each {@link #scrape}. */
  public Metrics(QueueDirectory queues) {
    this.queues = queues;
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    garbage.bindTo(registry);
    Gauge.builder("troupe.pools", queues, each -> each.all().size())
        .description("Pools there are")
        .register(registry);
  }

  private MultiGauge gauge(String name, String description) {
    return MultiGauge.builder(name).description(description).register(registry);
  }

  /** Takes note of the ends of a pool's jobs. */
  public JobTimes times(String pool) {
    Map<JobState, Timer> timers = new EnumMap<>(JobState.class);
    for (JobState state : JobState.values()) {
      if (state.ended()) {
        timers.put(
            state,
            Timer.builder("troupe.jobs.ended")
                .description("Jobs that ended, by how, with the time from their submission")
                .tags("pool", pool, "state", state.name().toLowerCase(Locale.ROOT))
                .serviceLevelObjectives(LATENCY_BOUNDS)
                .register(registry));
      }
    }
    return (state, millis) -> {
      Timer timer = timers.get(state);
      if (timer != null) {
        timer.record(Duration.ofMillis(millis));
      }
    };
  }

  /** All numbers as text. */
  String scrape(List<TreeKeeper.WorkerRow> present) {
    perPool(queued, QueueCounts::queued);
    perPool(active, QueueCounts::running);
    perPool(bytes, QueueCounts::bytes);
    perPool(overtaken, QueueCounts::overtaken);
    perPool(lost, QueueCounts::lostAttempts);
    Map<List<String>, Integer> byState = new java.util.HashMap<>();
    Map<String, Integer> byPool = new TreeMap<>();
    List<MultiGauge.Row<?>> memory = new ArrayList<>();
    for (TreeKeeper.WorkerRow row : present) {
      WorkerStatus worker = row.worker();
      byState.merge(List.of(row.pool(), worker.state().name()), 1, Integer::sum);
      byPool.merge(row.pool(), worker.restarts(), Integer::sum);
      WorkerStatus.ProcessStatus process = worker.process();
      if (process != null) {
        memory.add(
            MultiGauge.Row.of(Tags.of("pool", row.pool(), "worker", worker.id()), process.rss()));
      }
    }
    List<MultiGauge.Row<?>> states = new ArrayList<>();
    byState.forEach(
        (key, count) ->
            states.add(
                MultiGauge.Row.of(
                    Tags.of("pool", key.get(0), "state", key.get(1).toLowerCase(Locale.ROOT)),
                    count)));
    workers.register(states, true);
    List<MultiGauge.Row<?>> again = new ArrayList<>();
    byPool.forEach((pool, count) -> again.add(MultiGauge.Row.of(Tags.of("pool", pool), count)));
    restarts.register(again, true);
    rss.register(memory, true);
    return registry.scrape();
  }

  private void perPool(MultiGauge gauge, ToDoubleFunction<QueueCounts> number) {
    List<MultiGauge.Row<?>> rows = new ArrayList<>();
    for (QueueEntry entry : queues.all()) {
      rows.add(
          MultiGauge.Row.of(
              Tags.of("pool", entry.spec().name()), number.applyAsDouble(entry.counts())));
    }
    gauge.register(rows, true);
  }

  @Override
  public void close() {
    garbage.close();
    registry.close();
  }
}
