package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import scala.concurrent.Promise;
import scala.jdk.javaapi.FutureConverters;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class StagesTest {
  private final Promise<Integer> promise = Promise.apply();
  private final CompletionStage<Integer> stage =
      Stages.direct(FutureConverters.asJava(promise.future()));

  @Test
  void steps_run_on_the_thread_that_completes_a_future_of_scala() {
    CompletableFuture<Thread> ran =
        stage
            .thenApply(one -> one + 1)
            .thenCompose(two -> CompletableFuture.completedFuture(Thread.currentThread()))
            .toCompletableFuture();
    promise.success(1);
    assertThat(ran).isCompletedWithValue(Thread.currentThread());
  }

  @Test
  void a_failure_stays_one() {
    promise.failure(new IllegalStateException("no"));
    assertThat(stage)
        .failsWithin(java.time.Duration.ZERO)
        .withThrowableThat()
        .havingRootCause()
        .withMessage("no");
  }
}
