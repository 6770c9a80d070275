package io.troupe.scheduler.api;

import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/** Work that is done once at a time: who asks while it is under way shares its outcome. */
final class SharedRun<T> {
  private final Supplier<CompletableFuture<T>> work;
  private CompletableFuture<T> latest;

  SharedRun(Supplier<CompletableFuture<T>> work) {
    this.work = work;
    this.latest = CompletableFuture.failedFuture(new IllegalStateException("Nobody has asked yet"));
  }

  /** The outcome of the run under way, or of one that begins now. */
  synchronized CompletableFuture<T> outcome() {
    if (latest.isDone()) {
      latest = work.get();
    }
    return latest;
  }
}
