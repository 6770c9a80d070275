package io.troupe.scheduler.api;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Futures that come from Scala, as those of actors and streams do. */
final class Stages {
  private Stages() {}

  /**
   * The same outcome, with steps that run on the thread which brings it, or at once when it is
   * there: they must not block. Each step after a stage that Scala has made is given to Java's pool
   * instead, and for each such one Java starts a thread where there are only two processors.
   */
  static <T> CompletionStage<T> direct(CompletionStage<T> stage) {
    return CompletableFuture.<Void>completedFuture(null).thenCompose(none -> stage);
  }
}
