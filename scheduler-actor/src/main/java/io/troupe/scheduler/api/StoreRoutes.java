package io.troupe.scheduler.api;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.DispatcherSelector;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.server.PathMatchers;
import akka.http.javadsl.server.Route;
import akka.japi.Pair;
import akka.stream.KillSwitches;
import akka.stream.UniqueKillSwitch;
import akka.stream.javadsl.Keep;
import akka.stream.javadsl.Source;
import akka.stream.javadsl.StreamConverters;
import akka.util.ByteString;
import io.troupe.scheduler.pool.Store.StoreException;
import io.troupe.scheduler.store.Backup;
import io.troupe.scheduler.store.StoreStats;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The store of this node: what it holds, and a copy of it, for those who cannot open it themselves
 * while this node does. Who asks what it holds while it is being counted gets that count. One copy
 * is made at a time: each keeps a connection, and all that the database would otherwise throw away.
 */
final class StoreRoutes extends Asking {
  private static final Logger LOG = LoggerFactory.getLogger(StoreRoutes.class);

  /** A client that takes nothing for so long is gone. */
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  private static final int PIECE = 64 << 10;

  private final ActorSystem<?> system;
  private final ApiParts parts;
  private final Executor files;
  private final AtomicBoolean copying = new AtomicBoolean();

  /** Each looks at all jobs there are. */
  private final SharedRun<StoreStats> stats;

  StoreRoutes(ActorSystem<?> system, ApiParts parts) {
    super(system);
    this.system = system;
    this.parts = parts;
    this.files = system.dispatchers().lookup(DispatcherSelector.blocking());
    this.stats = new SharedRun<>(() -> later(() -> StoreStats.of(parts.database())));
  }

  /** Below /v1. */
  Route routes() {
    return concat(
        path(
            PathMatchers.segment("store"),
            () -> get(() -> answer(stats.outcome().thenApply(known -> json(200, known.json()))))),
        path(
            PathMatchers.segment("store").slash(PathMatchers.segment("backup")),
            () -> get(() -> answer(backup()))));
  }

  private <T> CompletableFuture<T> later(Supplier<T> work) {
    return CompletableFuture.supplyAsync(
        () -> {
          try {
            return work.get();
          } catch (StoreException e) {
            throw new ApiException(
                ApiError.of(503, "STORE_UNAVAILABLE", String.valueOf(e.getMessage())));
          }
        },
        files);
  }

  private CompletionStage<HttpResponse> backup() {
    if (!copying.compareAndSet(false, true)) {
      throw new ApiException(
          ApiError.of(
              409, "BACKUP_UNDER_WAY", "Another backup is under way; ask again when it is done"));
    }
    return later(() -> Backup.ofRunning(parts.database(), parts.blobs(), parts.files()))
        .thenApply(this::streamed)
        .whenComplete(
            (response, failure) -> {
              if (failure != null) {
                copying.set(false);
              }
            });
  }

  private HttpResponse streamed(Backup backup) {
    Pair<Pair<OutputStream, UniqueKillSwitch>, Source<ByteString, akka.NotUsed>> stream =
        StreamConverters.asOutputStream(PATIENCE)
            .viaMat(KillSwitches.single(), Keep.both())
            .preMaterialize(system);
    OutputStream out = stream.first().first();
    UniqueKillSwitch cut = stream.first().second();
    files.execute(
        () -> {
          try (backup) {
            OutputStream pieces = new BufferedOutputStream(out, PIECE);
            backup.writeTo(pieces, (what, done, all) -> {});
            pieces.flush();
            out.close();
          } catch (IOException | RuntimeException e) {
            // An answer that has begun can only be cut off; its reader sees that it is not whole.
            LOG.warn("A backup was not completed: {}", e.getMessage());
            cut.abort(e);
          } finally {
            copying.set(false);
          }
        });
    return HttpResponse.create()
        .withEntity(
            HttpEntities.createChunked(ContentTypes.APPLICATION_OCTET_STREAM, stream.second()));
  }
}
